"""The list of input files, from spec, lists, patterns and catalogue; none is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from spectrum_workflows import catalogue, storage
from spectrum_workflows.domain import Failure, OnError
from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    SpecError,
    StoreError,
)
from spectrum_workflows.hep.plan.inspection import File
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.samples import LIST, SEVERAL

CANNOT_LIST = ("http://", "https://")


@dataclass(frozen=True)
class Listing:
    """What the names in a spec stand for.

    Attributes
    ----------
    files : tuple of (File, int or None)
        Every file, and how many events it is said to have.
    failures : tuple of Failure
        Names for which there is no file, where a run goes on without them.
    inputs : tuple of (str, str)
        Name and content of the lists that were read.
    """

    files: tuple[tuple[File, int | None], ...]
    failures: tuple[Failure, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()


def inputs(spec: HepSpec, data: str) -> list[str]:
    """URLs of all files the spec names, whether they exist or not; patterns as they are."""
    return [
        url
        for sample in spec.samples
        for name in names(spec, sample)
        for url in catalogue.places(name, data)
    ]


def names(spec: HepSpec, sample: str) -> list[str]:
    """What a sample's files are called, with the names from lists in the place of these.

    Raises
    ------
    SpecError
        A list is none.
    DataNotFoundError
        There is no such list.
    """
    found: list[str] = []
    for name in spec.samples[sample].files:
        found += _listed(spec, sample, name)[0] if name.startswith(LIST) else [name]
    return found


def to_make(spec: HepSpec, sample: str) -> list[str]:
    """Names of files that can be made: no patterns, no entries of the catalogue.

    Raises
    ------
    SpecError
        A name is another.
    """
    found = names(spec, sample)
    for name in found:
        if name.startswith(catalogue.PREFIX) or _is_pattern(name):
            what = f"{name!r} names no file that could be made"
            raise SpecError(what, f"samples.{sample}.files", "give the files' own names")
    return found


def listing(
    spec: HepSpec, data: str, *, first: bool = False, on_error: OnError = "raise"
) -> Listing:
    """Every file of a run, or the first of each sample.

    Raises
    ------
    SpecError
        A list is none, or the catalogue has no such entry, or the events are
        counted of another number of files than there are.
    DataNotFoundError, AccessError, StoreError
        Nothing fits a pattern, or no replica answers; unless ``on_error`` is
        ``"keep"``.
    """
    files: list[tuple[File, int | None]] = []
    failures: list[Failure] = []
    lists: dict[str, str] = {}
    for sample, described in spec.samples.items():
        places: list[catalogue.Located] = []
        lost = False
        for name in _names(spec, sample, lists):
            if first and places and not described.events:
                break
            try:
                places += _located(name, data)
            except (AccessError, DataNotFoundError, StoreError) as error:
                if on_error == "raise":
                    raise
                lost = True
                failures.append(Failure(name, 0, str(error), 1))
        counts = _counts(sample, described.events, places, lost=lost)
        pairs = list(zip(places, counts, strict=True))
        for place, count in pairs[:1] if first else pairs:
            data_file = File(sample, place.url, spec.tree, described.data, place.checksum)
            files.append((data_file, count))
    return Listing(tuple(files), tuple(failures), tuple(lists.items()))


def _counts(
    sample: str, events: Sequence[int], places: Sequence[catalogue.Located], *, lost: bool
) -> Sequence[int | None]:
    if not events:
        return [place.events for place in places]
    if lost:  # nobody knows which number belongs to which file
        return [None] * len(places)
    if len(events) != len(places):
        raise SpecError(
            f"events has {len(events)} numbers for {len(places)} files",
            f"samples.{sample}",
            "give one number per file in the order of the files, or leave events out",
        )
    return events


def _names(spec: HepSpec, sample: str, lists: dict[str, str]) -> Iterator[str]:
    """Names of a sample; notes the content of the lists."""
    for name in spec.samples[sample].files:
        if not name.startswith(LIST):
            yield name
            continue
        found, content = _listed(spec, sample, name)
        lists[name.removeprefix(LIST)] = content
        yield from found


def _listed(spec: HepSpec, sample: str, name: str) -> tuple[list[str], str]:
    """The names in a list beside the spec, and which content it has."""
    url = storage.join(spec.folder, name.removeprefix(LIST))
    where = f"samples.{sample}.files: {url}"
    content = storage.read_bytes(url)
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise SpecError("is not a list of names", where, "one name per line, in UTF-8") from None
    found = [line.split(" #")[0].strip() for line in lines]
    found = [line for line in found if line and not line.startswith("#")]
    if not found:
        raise SpecError("this list names no file", where, "one name per line")
    for line in found:
        if line[0] in "{[" and line[-1] in "{[]}":
            said = "is JSON, not a list of names"
            raise SpecError(said, where, "write the names into a text file, one per line")
        if line.startswith(LIST):
            raise SpecError(f"a list cannot name another ({line})", where, "name both in files")
        if not line.isprintable():
            raise SpecError("is not a list of names", where, "one name per line, in UTF-8")
    return found, f"sha256 {hashlib.sha256(content).hexdigest()}"


def _located(name: str, data: str) -> list[catalogue.Located]:
    """Where a name, a pattern or an entry of the catalogue is read."""
    found = catalogue.located(name, data)
    if name.startswith(catalogue.PREFIX) or not _is_pattern(name):
        return found
    [pattern] = found
    try:
        if storage.exists(pattern.url):  # a file of that very name
            return found
    except (AccessError, StoreError):
        pass
    return [catalogue.Located(url) for url in fitting(pattern.url, _root_of(pattern.url, name))]


def _is_pattern(name: str) -> bool:
    path = name.removeprefix(_host(name))
    if name.lower().startswith(CANNOT_LIST):
        return "*" in path.partition("?")[0]
    return any(mark in path for mark in SEVERAL)


def _host(url: str) -> str:
    """Scheme and host of a URL, whose brackets are no pattern; empty for a path."""
    return "/".join([*url.split("/", 3)[:3], ""]) if "://" in url else ""


def _root_of(url: str, name: str) -> str:
    """The part of a URL that is no pattern, whatever is in it: the data root's, the host."""
    own = name.lstrip("/")
    return url.removesuffix(own) if "://" not in name and url.endswith(own) else _host(url)


def fitting(pattern: str, root: str = "") -> list[str]:
    """Files that fit a pattern, sorted: ``*``, ``?`` and ``[...]`` within one folder's names.

    Names that begin with a dot fit only a pattern that does.

    Parameters
    ----------
    pattern : str
        A URL.
    root : str
        The beginning of it that is no pattern.

    Raises
    ------
    DataError
        The store cannot list, or there is a ``**``.
    DataNotFoundError
        No file fits.
    """
    shown = storage.shown(pattern)
    if pattern.lower().startswith(CANNOT_LIST):
        remedy = 'name the files, or a list of names: files = ["@LIST"]'
        raise DataError("a pattern needs a store that can list its folders", shown, remedy)
    rest = pattern[len(root) :].split("/")
    if "**" in rest:
        raise DataError("a pattern cannot hold **", shown, "write one * per folder")
    level = next(n for n, part in enumerate(rest) if any(mark in part for mark in SEVERAL))
    folders = [root + "/".join([*rest[:level], ""])]
    for part in rest[level:-1]:
        folders = [f"{f}{name}/" for f in folders for name in _inside(f, part, folders=True)]
    found = sorted(f"{f}{name}" for f in folders for name in _inside(f, rest[-1], folders=False))
    if not found:
        remedy = "check the pattern, or say where the data is with --data"
        raise DataNotFoundError("no file fits this pattern", shown, remedy)
    return found


def _inside(folder: str, pattern: str, *, folders: bool) -> list[str]:
    """Names of the files, or of the folders, in a folder that fit a pattern."""
    try:
        rows = storage.persist(folder or ".", lambda fs, path: fs.ls(path, detail=True))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except NotImplementedError:
        remedy = 'name the files, or a list of names: files = ["@LIST"]'
        what = "a pattern needs a store that can list its folders"
        raise DataError(what, storage.shown(folder), remedy) from None
    fits = [
        row["name"].rstrip("/").rpartition("/")[2] for row in rows if _is_folder(row) == folders
    ]
    hidden = pattern.startswith(".")
    return [n for n in fits if n and fnmatchcase(n, pattern) and n.startswith(".") <= hidden]


def _is_folder(row: dict[str, Any]) -> bool:
    followed = bool(row.get("islink")) and Path(row["name"]).is_dir()
    return row["type"] == "directory" or followed
