"""Completeness of a result: every event of the files is in it, and once.  Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.normalisation import usable
from spectrum_workflows.hep.plan.duplicates import Identified, refuse
from spectrum_workflows.hep.types import FileRead, Filled


@dataclass(frozen=True)
class IncompleteFile:
    """A file, or a name that stands for files, of which a result does not hold all.

    Attributes
    ----------
    sample : str
        As the run calls it.
    url : str
        Where it is, or its name.
    words : str
        Line that says what there is of it.
    """

    sample: str
    url: str
    words: str


def missing(
    files: Mapping[tuple[str, str], FileRead], planned: Iterable[Any]
) -> list[IncompleteFile]:
    """Files that are not complete in a result, each with what there is of it.

    Parameters
    ----------
    files : mapping of (sample, url) to FileRead
        Entries read, summed over partitions, beside the entries of the file.
    planned : iterable of Events, the partitions
        All of the run.

    Raises
    ------
    DataError
        More was read of a file than it holds: events were counted twice.
    """
    sizes: dict[tuple[str, str], int] = {}
    for events in planned:
        key = (events.sample, events.url)
        sizes[key] = sizes.get(key, 0) + events.size
    incomplete = []
    for (sample, url), size in sizes.items():
        file = files.get((sample, url))
        if file is None:
            words = f"{sample}: 0 of {size} events of {url}"
            incomplete.append(IncompleteFile(sample, url, words))
            continue
        if file.read > file.entries:
            message = f"{file.read} events were counted of {file.entries} in the file"
            raise DataError(message, url, "this is a mistake of the program; please report it")
        if file.read < file.entries:
            words = f"{sample}: {file.read} of {file.entries} events of {url}"
            incomplete.append(IncompleteFile(sample, url, words))
    return incomplete


def joined(
    a: Mapping[tuple[str, str], FileRead], b: Mapping[tuple[str, str], FileRead]
) -> dict[tuple[str, str], FileRead]:
    """The files of two parts of a run, added up.

    Raises
    ------
    DataError
        A file changed between them, or two names of a sample are one file.
    """
    both = {**a, **b}
    for key in a.keys() & b.keys():
        if a[key].content != b[key].content:
            raise DataError("file has changed while the run read it", key[1], "run again")
        both[key] = a[key] + b[key]
    contents = [(sample, file.content) for (sample, _), file in both.items() if file.content]
    if len({*contents}) < len(contents):
        counted_once(both)
    return both


def counted_once(
    files: Mapping[tuple[str, str], FileRead], data: Collection[str] | None = None
) -> list[str]:
    """Refuse files that were read under two names, as workers saw their content.

    Parameters
    ----------
    files : mapping of (sample, url) to FileRead
        What was read.
    data : collection of str, optional
        Samples that are data; if left out, samples are not compared with each other.

    Returns
    -------
    list of str
        Warnings: samples that share events.

    Raises
    ------
    DataError
        Naming both.
    """
    identified = [
        Identified(sample, url, (file.content if data is not None else f"{sample} {file.content}",))
        for (sample, url), file in files.items()
        if file.content
    ]
    return refuse(identified, data=data or ())


def begin_alike(
    files: Mapping[tuple[str, str], FileRead], varied: Mapping[str, str] | None = None
) -> list[str]:
    """A warning of files that are not the same and begin with the same events.

    One is the other's copy, written anew: converted, compressed otherwise, or skimmed.

    Parameters
    ----------
    files : mapping of (sample, url) to FileRead
        What was read.
    varied : mapping of str to str, optional
        Per sample that is a systematic variation, the sample it varies: both may be
        simulated from the same events, and no total holds both.
    """
    process = varied or {}
    first_of: dict[str, tuple[str, str, FileRead]] = {}
    alike = []
    for (sample, url), file in files.items():
        if not file.beginning:
            continue
        one, other, first = first_of.setdefault(file.beginning, (sample, url, file))
        variation = one != sample and (one in process or sample in process)
        if other != url and first.content != file.content and not variation:
            alike.append((other, url))
    if not alike:
        return []
    more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
    one, another = alike[0]
    return [f"{one} and {another} begin with the same events{more}: are they counted twice?"]


def processed_weight(total: Filled, sample: str) -> float:
    """Sum of generator weights that the processed events of a sample stand for.

    That of files fully processed is the sum of their ``Runs`` trees, whether
    they hold an event or not; a file of which partitions were lost counts with
    the share that was read.  The result is then partial, and says so.
    """
    files = [f for (name, _), f in total.files.items() if name == sample]
    shares = (f.sum_of_weights * (f.read / f.entries if f.entries else 1.0) for f in files)
    return float(sum(shares))


def not_normalised(total: Filled, samples: Iterable[str]) -> Iterator[str]:
    """Warnings of samples of which so much was lost that the rest has no usable sum.

    Whole samples are refused by the plan: the sum of what is left of one may still be zero
    or negative, and the others are not lost with it.

    Parameters
    ----------
    total : Filled
        What was read.
    samples : iterable of str
        Those that are normalised by generator weights.
    """
    for sample in samples:
        number = processed_weight(total, sample)
        if any(name == sample for name, _ in total.files) and not usable(number):
            yield (
                f"samples.{sample}: the sum of generator weights of what was read is {number:g}:"
                " it cannot be normalised, its histograms are no numbers"
            )
