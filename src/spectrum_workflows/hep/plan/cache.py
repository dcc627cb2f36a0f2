"""Cache of what was found in files, beside the results: a second plan opens none.

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
from spectrum_workflows.hep.plan.files import InputFile
from spectrum_workflows.hep.plan.inspection import FileInfo

FOLDER = "hep"
"""Below the folder of what is known."""

SCHEMA = 3

LISTED = 20
"""Files of one folder from which on it is listed, instead of asking for each."""

_CONTENT = (
    *("ETag", "etag", "VersionId", "version_id", "md5Hash", "checksum", "generation"),
    *("mtime", "LastModified", "last_modified", "modified", "updated"),
)
"""Words in which stores tell one content from another; the first that a store knows is taken."""


_BAD = (SpectrumError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""Raised by reading an object that is not there or was damaged."""

_INFO = TypeAdapter(FileInfo)


@dataclass(frozen=True)
class Question:
    """A question about files: what is read of them, and how they are cut.

    Attributes
    ----------
    name : str
        Of the spec.
    requested : mapping of str to RequestedColumns
        What is read of the files of every sample.
    max_events : int
        Of a partition.
    """

    name: str
    requested: Mapping[str, RequestedColumns]
    max_events: int

    @property
    def key(self) -> str:
        """Name of the object in which the answers are kept."""
        code, requested = version("spectrum-workflows"), sorted(map(self.of, self.requested))
        return _hash(repr((SCHEMA, code, self.name, requested, self.max_events)))[:32]

    def of(self, sample: str) -> str:
        """Hash of what is read of the files of a sample."""
        if sample not in self._hashes:
            self._hashes[sample] = _hash(repr(self.requested[sample]))[:16]
        return self._hashes[sample]

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return {}


def identities(files: Sequence[InputFile]) -> dict[InputFile, str]:
    """Identities of the content of some files, as the store tells them; nothing is opened.

    Returns
    -------
    mapping of InputFile to str
        Without those that are not there or have no identity.

    Raises
    ------
    StoreError
        The store does not answer.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for url in dict.fromkeys(file.url for file in files):
        folders[url.rpartition("/")[0]].append(url)
    states: dict[str, Mapping[str, Any]] = {}
    for urls in folders.values():
        states |= _listed_states(urls) if len(urls) >= LISTED else _states(urls)
    known = {url: _identity(state) for url, state in states.items()}
    return {file: known[file.url] for file in files if known.get(file.url)}


def load(
    folder: str, question: Question, identities: Mapping[InputFile, str]
) -> dict[InputFile, FileInfo]:
    """Infos of an earlier plan about files that are the same now as then; a bad entry is none."""
    try:
        entries = _entries(folder, question)
    except _BAD:
        return {}
    infos = {}
    for file, identity in identities.items():
        key = _key(file, question, identity)
        info = _valid(key, entries[key], file, question, identity) if key in entries else None
        if info is not None and (info.form or not file.typed or not info.entries):
            infos[file] = info
    return infos


def save(
    folder: str,
    question: Question,
    identities: Mapping[InputFile, str],
    infos: Mapping[InputFile, FileInfo],
) -> None:
    """Keep what is known of files; where results cannot be written, the run will say so.

    Of two runs at once that keep something, one may forget what the other knew.
    """
    urls = {file.url for file in infos}
    try:
        earlier = _entries(folder, question).items()
        entries = {key: entry for key, entry in earlier if _url_of(key) not in urls}
    except _BAD:
        entries = {}
    for file, info in infos.items():
        if file in identities:
            key = _key(file, question, identities[file])
            text = _INFO.dump_json(info).decode()
            entries[key] = [_hash(key + text), text]
    text = json.dumps({"files": entries}, separators=(",", ":"))
    try:
        storage.write_bytes(_object(folder, question), text.encode())
    except OutputError:
        return


def _entries(folder: str, question: Question) -> dict[str, Any]:
    return dict(json.loads(storage.read_bytes(_object(folder, question)))["files"])


def _key(file: InputFile, question: Question, identity: str) -> str:
    return f"{question.of(file.sample)} {file.tree} {identity}\n{file.url}"


def _url_of(key: str) -> str:
    return key.partition("\n")[2]


def _object(folder: str, question: Question) -> str:
    return storage.join(folder, f"{FOLDER}/{question.key}.json")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _valid(
    key: str, entry: Any, file: InputFile, question: Question, identity: str
) -> FileInfo | None:
    """An entry, if it is whole and can be true of the file."""
    try:
        checksum, text = entry
        if checksum != _hash(key + text):
            return None
        info = _INFO.validate_json(text, strict=True)
        possible = _possible(info, file, question.requested[file.sample], question.max_events)
    except _BAD:
        return None
    size = identity.partition(" ")[0]
    return info if possible and size in (str(info.nbytes), "None") else None


def _possible(
    info: FileInfo, file: InputFile, requested: RequestedColumns, max_events: int
) -> bool:
    """Whether an entry fits its file, and what is read of it."""
    names = {*requested.columns, *requested.bits}
    covered = pairwise([(0, 0), *info.cut, (info.entries, info.entries)])
    return (
        info.url == file.url
        and bool(info.uuid)
        and min(info.nbytes, info.entries, info.bytes_to_read, info.memory) >= 0
        and min(info.opening, info.record) >= 0
        and all(stop == start for (_, stop), (start, _) in covered)
        and all(0 < stop - start <= max_events for start, stop in info.cut)
        and info.fallbacks_used == requested.fallbacks_used(names - {*info.fallbacks_used})
        and _form_fits(info, requested)
    )


def _form_fits(info: FileInfo, requested: RequestedColumns) -> bool:
    if not info.form:
        return True
    try:
        fields = set(ak.forms.from_json(info.form).fields)
    except Exception:  # awkward's own, of many kinds
        return False
    return fields == {*requested.read(info.fallbacks_used)}


def _identity(state: Mapping[str, Any]) -> str:
    """Size and content of a file in its store's words; empty where it has none."""
    content = next((f"{word} {state[word]}" for word in _CONTENT if state.get(word)), "")
    if not content or state.get("type") == "directory":
        return ""
    return f"{state.get('size')} {content} {state.get('ino', '')}".strip()


def _listed_states(urls: list[str]) -> dict[str, Mapping[str, Any]]:
    """States of files from one listing of the folder of all of them."""
    try:
        listing = storage.persist(
            urls[0], lambda fs, path: fs.ls(path.rpartition("/")[0], detail=True)
        )
    except StoreError:
        raise
    except (SpectrumError, OSError, NotImplementedError):
        return _states(urls)
    states = {state["name"].rpartition("/")[2]: state for state in listing}
    names = {url: url.rpartition("/")[2] for url in urls}
    return {url: states[name] for url, name in names.items() if name in states}


def _states(urls: list[str]) -> dict[str, Mapping[str, Any]]:
    """States of files, each asked for; without those that are not there."""
    states: dict[str, Mapping[str, Any]] = {}
    for url in urls:
        try:
            states[url] = storage.info(url)
        except (DataNotFoundError, AccessError):  # opening it will say so
            continue
    return states
