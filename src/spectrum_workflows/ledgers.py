"""What ledgers below a results root hold, and skims beside them: listed, verified, pruned."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zipfile import BadZipFile

from spectrum_workflows import storage
from spectrum_workflows.engine.ledger import CONTENT, SKIMS, at_once, entries, entry
from spectrum_workflows.errors import DataNotFoundError, SpectrumError
from spectrum_workflows.resuming import FOLDER, KNOWN
from spectrum_workflows.sites import Place
from spectrum_workflows.storage.sealed import unsealed

_REMEDY = "spectrum ledger list names them"


@dataclass(frozen=True)
class Question:
    """One question of which something is kept.

    Attributes
    ----------
    key : str
        Its hash, the name of its folder.
    workflow, name : str
        Of the run that kept it last.
    finished, partitions : int
        Partitions whose values are there, and those of the whole run.
    reached : tuple of str
        Passes over all partitions that are finished, and how far a loop has come.
    entries : int
        Objects, those that are damaged among them.
    nbytes : int
        Size of them all.
    written : str
        UTC time, ISO 8601, of the last.
    damaged : tuple of str
        URLs of entries that cannot be used; the next run replaces them.
    """

    key: str
    workflow: str
    name: str
    finished: int
    partitions: int
    entries: int
    nbytes: int
    written: str
    damaged: tuple[str, ...]
    reached: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeptSkims:
    """Skims of one content, which runs read instead of files.

    Attributes
    ----------
    key : str
        Hash of what they hold, the name of their folder.
    workflow, name : str
        Of the run that added to them last.
    partitions : int
        Of which there is one.
    nbytes : int
        Size of them all.
    written : str
        UTC time, ISO 8601, of the beginning of that run.
    urls : tuple of str
    """

    key: str
    workflow: str
    name: str
    partitions: int
    nbytes: int
    written: str
    urls: tuple[str, ...]


def questions(place: Place) -> list[Question]:
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
        return [_question(key, sizes) for key, sizes in _entries(place)]


def skims(place: Place) -> list[KeptSkims]:
    """The skims that earlier runs at a place have left; they are not read.

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
        urls: dict[str, list[str]] = defaultdict(list)
        for url in storage.files_below(_root(place, SKIMS)):
            urls[url.split("/")[-2]].append(url)
        return [_kept_skims(place, key, own) for key, own in sorted(urls.items())]


def damaged_skims(place: Place) -> list[str]:
    """URLs of skims that cannot be used: the next run that wants one replaces it.

    Raises
    ------
    SpectrumError
        The results root cannot be read.
    """
    damaged = []
    with storage.using(place.stores):
        for url in (url for one in skims(place) for url in one.urls):
            try:
                unsealed(storage.read_bytes(url))
            except (SpectrumError, OSError):
                damaged.append(url)
    return damaged


def prune(
    place: Place, keys: Iterable[str] = (), *, older_than: timedelta | None = None
) -> list[Question | KeptSkims]:
    """Remove what is kept, and say what it was.

    Parameters
    ----------
    place : Place
        It need not be connected.
    keys : iterable of str
        Hashes of questions and skims, or the beginnings of them; all, if none is given.
    older_than : timedelta, optional
        Of those, the ones to which nothing was added for so long.

    Raises
    ------
    DataNotFoundError
        There is no such question.
    SpectrumError
        The results root cannot be read or written.
    """
    beginnings = tuple(keys)
    chosen: list[Question | KeptSkims] = [*questions(place), *skims(place)]
    for beginning in beginnings:
        if not any(one.key.startswith(beginning) for one in chosen):
            raise DataNotFoundError("no such question in the ledger", beginning, _REMEDY)
    if beginnings:
        chosen = [one for one in chosen if one.key.startswith(beginnings)]
    if older_than is not None:
        limit = (datetime.now(UTC) - older_than).isoformat(timespec="seconds")
        chosen = [one for one in chosen if one.written < limit]
    with storage.using(place.stores):
        for one in chosen:
            folder = FOLDER if isinstance(one, Question) else SKIMS
            storage.remove(storage.join(_root(place, folder), one.key))
    return chosen


def _root(place: Place, folder: str = FOLDER) -> str:
    return storage.join(place.results, f"{KNOWN}/{folder}")


def _kept_skims(place: Place, key: str, urls: list[str]) -> KeptSkims:
    folder = storage.join(_root(place, SKIMS), key)
    try:
        about = json.loads(storage.read_bytes(storage.join(folder, CONTENT)))
    except (SpectrumError, OSError, ValueError):
        about = {}
    own = tuple(url for url in urls if not url.endswith(f"/{CONTENT}"))
    name, written = (str(about.get(word, "")) for word in ("name", "written"))
    return KeptSkims(
        key,
        str(about.get("workflow", "")),
        name,
        len(own),
        storage.size_below(folder),
        written,
        own,
    )


def _entries(place: Place) -> list[tuple[str, dict[str, int | None]]]:
    """URLs and sizes of entries, by the key of their question."""
    sizes: dict[str, dict[str, int | None]] = defaultdict(dict)
    for url, size in entries(_root(place)).items():
        sizes[url.split("/")[-2]][url] = size
    return sorted(sizes.items())


def _header(entry_and_size: tuple[str, int | None]) -> dict[str, Any] | None:
    """What an entry says of itself; nothing where it is damaged."""
    try:
        return entry(*entry_and_size)[1]
    except (SpectrumError, OSError, ValueError, KeyError, TypeError, BadZipFile):
        return None


def _question(key: str, sizes: Mapping[str, int | None]) -> Question:
    """Sum up the entries of a question; a node within another counts once."""
    damaged, headers, nbytes = [], [], 0
    for (url, size), header in zip(sizes.items(), at_once(_header, [*sizes.items()]), strict=True):
        nbytes += size or 0
        if header is None:
            damaged.append(url)
        else:
            headers.append(header)
    last = max(headers, key=lambda header: str(header["written"]), default={})
    spans = set()
    for header in headers:
        if "node" not in header:
            continue
        level, index, count, fan_in = header["node"]
        first = index * fan_in**level
        spans |= {(header["stage"], n) for n in range(first, first + count)}
    points = sorted((h for h in headers if "reached" in h), key=lambda header: header["time"])
    return Question(
        key,
        last.get("workflow", ""),
        last.get("name", ""),
        len(spans),
        last.get("partitions", 0),
        len(sizes),
        nbytes,
        last.get("written", ""),
        tuple(damaged),
        tuple(dict.fromkeys(header["reached"] for header in points)),
    )
