"""Is everything in the result that was in the files?  Pure functions over counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.types import FileRead, Filled


def missing(files: Mapping[tuple[str, str], FileRead], planned: Iterable[Any]) -> list[str]:
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
    wanted: dict[tuple[str, str], int] = {}
    for events in planned:
        key = (events.sample, events.url)
        wanted[key] = wanted.get(key, 0) + events.size
    lost = []
    for key, size in wanted.items():
        found = files.get(key, FileRead(0, size))
        if found.read > found.entries:
            said = f"{found.read} events were counted of {found.entries} in the file"
            raise DataError(said, key[1], "this is a mistake of the program; please report it")
        if found.read < found.entries:
            lost.append(f"{key[0]}: {found.read} of {found.entries} events of {key[1]}")
    return lost


def generated_weight(total: Filled, sample: str) -> float:
    """Sum of generator weights that the processed events of a sample stand for.

    That of files fully processed is the sum of their ``Runs`` trees; a file
    of which partitions were lost counts with the share that was read.  The
    result is then partial, and says so.

    Raises
    ------
    DataError
        The sum is not positive: the sample cannot be normalised by it.
    """
    files = [f for (name, _), f in total.files.items() if name == sample]
    number = sum(f.generated * (f.read / f.entries) for f in files if f.entries)
    if number <= 0:
        raise DataError(
            f"the sum of generator weights is {number:g}",
            f"samples.{sample}",
            'check the Runs trees of its files, or use normalisation = "events"',
        )
    return number
