"""Cache of file inspections beside the results: a second plan opens no file.

One JSON object per question (tree, columns, size of partitions).  A file is
known by its size and what its store says of its content: the time it was
written and its inode, an ETag, a version.  A file whose store says no such
thing is looked into every time.

What was kept is not trusted.  Every finding carries a hash over itself and
what it is of; what was damaged or does not fit its file (other entries than
its ranges cover, another size, columns that were not asked for) is found
anew.  And whatever it says, workers compare the file they open with it: its
content, its entries, its columns, its sum of weights are read from the file.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import awkward as ak
from pydantic import TypeAdapter

from spectrum_workflows import storage
from spectrum_workflows.errors import (
    AccessError,
    DataNotFoundError,
    OutputError,
    SpectrumError,
    StoreError,
)
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.plan.inspection import File, FileInfo

FOLDER = "hep"
"""Below the folder of what is known."""

SCHEMA = 2

LISTED = 20
"""Files of one folder from which on it is listed, instead of asking for each."""

_CONTENT = (
    *("ETag", "etag", "VersionId", "version_id", "md5Hash", "checksum", "generation"),
    *("mtime", "LastModified", "last_modified", "modified", "updated"),
)
"""Words in which stores tell one content from another; the first that is there is taken."""


_BAD = (SpectrumError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading an object may raise that is not there or was damaged."""

_TYPES = TypeAdapter(FileInfo)


@dataclass(frozen=True)
class Question:
    """What is asked of the files.

    Attributes
    ----------
    name : str
        Of the spec.
    wanted : mapping of str to RequestedColumns
        What is read of the files of every sample.
    max_events : int
        Of a partition.
    """

    name: str
    wanted: Mapping[str, RequestedColumns]
    max_events: int

    @property
    def key(self) -> str:
        """A name for all of it."""
        code = version("spectrum-workflows")
        asked = (SCHEMA, code, self.name, sorted(map(self.of, self.wanted)), self.max_events)
        return _hash(repr(asked))[:32]

    def of(self, sample: str) -> str:
        """What is asked of the files of a sample, as a number."""
        if sample not in self._known:
            self._known[sample] = _hash(repr(self.wanted[sample]))[:16]
        return self._known[sample]

    @cached_property
    def _known(self) -> dict[str, str]:
        return {}


def identities(files: Sequence[File]) -> dict[File, str]:
    """What the store says of the content of some files; nothing is opened.

    Returns
    -------
    mapping of File to str
        Without those that are not there or have no identity.

    Raises
    ------
    StoreError
        The store does not answer.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for url in dict.fromkeys(file.url for file in files):
        folders[url.rpartition("/")[0]].append(url)
    details: dict[str, Mapping[str, Any]] = {}
    for urls in folders.values():
        details |= _listed(urls) if len(urls) >= LISTED else _asked(urls)
    named = {url: _identity(info) for url, info in details.items()}
    return {file: named[file.url] for file in files if named.get(file.url)}


def load(folder: str, asked: Question, now: Mapping[File, str]) -> dict[File, FileInfo]:
    """What is known of files that are the same now as then; a bad finding is none."""
    try:
        kept = _kept(folder, asked)
    except _BAD:
        return {}
    found = {}
    for file in now:
        key = _key(file, asked, now)
        looked = _checked(key, kept[key], file, asked, now[file]) if key in kept else None
        if looked is not None and (looked.form or not file.form or not looked.entries):
            found[file] = looked
    return found


def keep(
    folder: str, asked: Question, now: Mapping[File, str], found: Mapping[File, FileInfo]
) -> None:
    """Keep what was found; where results cannot be written, the run will say so.

    Of two runs at once that keep something, one may forget what the other found.
    """
    urls = {file.url for file in found}
    try:
        kept = _kept(folder, asked).items()
        old = {key: row for key, row in kept if _url_of(key) not in urls}
    except _BAD:
        old = {}
    files = old | {
        key: [_hash(key + text), text]
        for file, looked in found.items()
        if file in now
        for key in [_key(file, asked, now)]
        for text in [_TYPES.dump_json(looked).decode()]
    }
    text = json.dumps({"files": files}, separators=(",", ":"))
    try:
        storage.write_bytes(_object(folder, asked), text.encode())
    except OutputError:
        return


def _kept(folder: str, asked: Question) -> dict[str, Any]:
    return dict(json.loads(storage.read_bytes(_object(folder, asked)))["files"])


def _key(file: File, asked: Question, now: Mapping[File, str]) -> str:
    return f"{asked.of(file.sample)} {file.tree} {now[file]}\n{file.url}"


def _url_of(key: str) -> str:
    return key.partition("\n")[2]


def _object(folder: str, asked: Question) -> str:
    return storage.join(folder, f"{FOLDER}/{asked.key}.json")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _checked(key: str, row: Any, file: File, asked: Question, now: str) -> FileInfo | None:
    """What was kept, if it is whole and can be true of the file."""
    try:
        said, text = row
        if said != _hash(key + text):
            return None
        looked = _TYPES.validate_json(text, strict=True)
        fits = _fits(looked, file, asked.wanted[file.sample], asked.max_events)
    except _BAD:
        return None
    size = now.partition(" ")[0]
    return looked if fits and size in (str(looked.nbytes), "None") else None


def _fits(looked: FileInfo, file: File, wanted: RequestedColumns, max_events: int) -> bool:
    asked = {*wanted.columns, *wanted.triggers}
    covered = pairwise([(0, 0), *looked.cut, (looked.entries, looked.entries)])
    return (
        looked.url == file.url
        and bool(looked.uuid)
        and min(looked.nbytes, looked.entries, looked.bytes_to_read, looked.memory) >= 0
        and all(stop == start for (_, stop), (start, _) in covered)
        and all(0 < stop - start <= max_events for start, stop in looked.cut)
        and looked.fallbacks_used == wanted.fallbacks_used(asked - {*looked.fallbacks_used})
        and _form_fits(looked, wanted)
    )


def _form_fits(looked: FileInfo, wanted: RequestedColumns) -> bool:
    if not looked.form:
        return True
    try:
        return set(ak.forms.from_json(looked.form).fields) == {*wanted.read(looked.fallbacks_used)}
    except Exception:  # awkward's own, of many kinds
        return False


def _identity(info: Mapping[str, Any]) -> str:
    said = next((f"{word} {info[word]}" for word in _CONTENT if info.get(word)), "")
    if not said or info.get("type") == "directory":
        return ""
    return f"{info.get('size')} {said} {info.get('ino', '')}".strip()


def _listed(urls: list[str]) -> dict[str, Mapping[str, Any]]:
    """Details from one listing of the folder of all of them."""
    try:
        listing = storage.persist(
            urls[0], lambda fs, path: fs.ls(path.rpartition("/")[0], detail=True)
        )
    except StoreError:
        raise
    except (SpectrumError, OSError, NotImplementedError):
        return _asked(urls)
    infos = {info["name"].rpartition("/")[2]: info for info in listing}
    names = {url: url.rpartition("/")[2] for url in urls}
    return {url: infos[name] for url, name in names.items() if name in infos}


def _asked(urls: list[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for url in urls:
        try:
            found[url] = storage.info(url)
        except (DataNotFoundError, AccessError):  # opening it will say so
            continue
    return found
