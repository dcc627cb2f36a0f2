"""What the ledgers below a results root hold: listed, verified, pruned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from spectrum_workflows import storage
from spectrum_workflows.engine.ledger import entries, unpacked
from spectrum_workflows.errors import DataNotFoundError, SpectrumError
from spectrum_workflows.resuming import FOLDER, KNOWN
from spectrum_workflows.sites import Place


@dataclass(frozen=True)
class Kept:
    """What is kept of one question.

    Attributes
    ----------
    question : str
        Its hash, the name of its folder.
    workflow, name : str
        Of the run that kept it last.
    finished, partitions : int
        Partitions whose values are there, and those of the whole run.
    entries : int
        Objects, those that are damaged among them.
    nbytes : int
        Size of them all.
    written : str
        UTC time, ISO 8601, of the last.
    damaged : tuple of str
        URLs of entries that cannot be used; the next run replaces them.
    """

    question: str
    workflow: str
    name: str
    finished: int
    partitions: int
    entries: int
    nbytes: int
    written: str
    damaged: tuple[str, ...]


def kept(place: Place) -> list[Kept]:
    """What earlier runs at a place have left to go on from; every entry is verified.

    Parameters
    ----------
    place : Place
        It need not be connected.

    Raises
    ------
    SpectrumError
        The results root cannot be read.
    """
    with storage.using(place.stores):
        return [_kept(question, urls) for question, urls in _questions(place)]


def prune(
    place: Place, questions: Iterable[str] = (), *, older_than: timedelta | None = None
) -> list[Kept]:
    """Remove what is kept, and say what it was.

    Parameters
    ----------
    place : Place
        It need not be connected.
    questions : iterable of str
        Their hashes, or the beginnings of them; all, if none is given.
    older_than : timedelta, optional
        Of those, the ones to which nothing was added for so long.

    Raises
    ------
    DataNotFoundError
        There is no such question.
    SpectrumError
        The results root cannot be read or written.
    """
    there, asked = kept(place), list(questions)
    for words in asked:
        if not any(one.question.startswith(words) for one in there):
            raise DataNotFoundError("no such question in the ledger", words, "spectrum ledger list")
    chosen = [one for one in there if not asked or one.question.startswith(tuple(asked))]
    if older_than is not None:
        limit = (datetime.now(UTC) - older_than).isoformat(timespec="seconds")
        chosen = [one for one in chosen if one.written < limit]
    with storage.using(place.stores):
        for one in chosen:
            storage.remove(storage.join(_root(place), one.question))
    return chosen


def _root(place: Place) -> str:
    return storage.join(place.results, f"{KNOWN}/{FOLDER}")


def _questions(place: Place) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = defaultdict(list)
    for url in entries(_root(place)):
        found[url.split("/")[-2]].append(url)
    yield from sorted(found.items())


def _kept(question: str, urls: list[str]) -> Kept:
    """Sum up the entries of a question; a node within another counts once."""
    damaged, headers, nbytes = [], [], 0
    for url in urls:
        try:
            data = storage.read_bytes(url)
            nbytes += len(data)
            headers.append(unpacked(data)[1])
        except (SpectrumError, OSError, ValueError, KeyError):
            damaged.append(url)
    last = max(headers, key=lambda header: str(header["written"]), default={})
    spans = set()
    for header in headers:
        level, index, count, fan_in = header["node"]
        first = index * fan_in**level
        spans |= {(header["stage"], n) for n in range(first, first + count)}
    return Kept(
        question,
        last.get("workflow", ""),
        last.get("name", ""),
        len(spans),
        last.get("partitions", 0),
        len(urls),
        nbytes,
        last.get("written", ""),
        tuple(damaged),
    )
