"""What was found in files, kept beside the results: a second plan opens none of them.

One JSON object per question (tree, columns, size of partitions).  A file is
known by its size and what its store says of its content: the time it was
written and its inode, an ETag, a version.  A file whose store says no such
thing is looked into every time.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.errors import (
    AccessError,
    DataNotFoundError,
    OutputError,
    SpectrumError,
    StoreError,
)
from spectrum_workflows.hep.looking import File, Looked

FOLDER = "hep"
"""Below the folder of what is known."""

SCHEMA = 1

LISTED = 20
"""Files of one folder from which on it is listed, instead of asking for each."""

_CONTENT = (
    *("ETag", "etag", "VersionId", "version_id", "md5Hash", "checksum", "generation"),
    *("mtime", "LastModified", "last_modified", "modified", "updated"),
)
"""Words in which stores tell one content from another; the first that is there is taken."""


_BAD = (SpectrumError, OSError, ValueError, KeyError, TypeError, AttributeError)
"""What reading an object may raise that is not there or was damaged."""


def question(*asked: object) -> str:
    """A name for what was asked of the files."""
    return hashlib.sha256(repr((SCHEMA, *asked)).encode()).hexdigest()[:32]


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


def load(folder: str, name: str, now: Mapping[File, str]) -> dict[File, Looked]:
    """What is known of files that are the same now as then; a bad object is none."""
    try:
        kept = _kept(folder, name)
        found = {f: kept[key] for f in now if (key := _key(f, now)) in kept}
        known = {f: _looked(values) for f, values in found.items()}
    except _BAD:
        return {}
    return {f: looked for f, looked in known.items() if looked.form or not f.form}


def keep(folder: str, name: str, now: Mapping[File, str], found: Mapping[File, Looked]) -> None:
    """Keep what was found; where results cannot be written, the run will say so."""
    urls = {file.url for file in found}
    try:
        old = {key: v for key, v in _kept(folder, name).items() if v[0] not in urls}
    except _BAD:
        old = {}
    files = old | {
        _key(f, now): list(vars(looked).values()) for f, looked in found.items() if f in now
    }
    text = json.dumps({"files": files}, separators=(",", ":"))
    try:
        storage.write_bytes(_object(folder, name), text.encode())
    except OutputError:
        return


def _kept(folder: str, name: str) -> dict[str, list[Any]]:
    return dict(json.loads(storage.read_bytes(_object(folder, name)))["files"])


def _key(file: File, now: Mapping[File, str]) -> str:
    return f"{'data' if file.data else 'simulation'} {file.url} {now[file]}"


def _object(folder: str, name: str) -> str:
    return storage.join(folder, f"{FOLDER}/{name}.json")


def _looked(values: list[Any]) -> Looked:
    url, uuid, nbytes, entries, cut, to_read, memory, stand_ins, form = values
    ranges = tuple((start, stop) for start, stop in cut)
    return Looked(url, uuid, nbytes, entries, ranges, to_read, memory, tuple(stand_ins), form)


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
