"""Stamps: what tells one version of an input from another, without reading it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from spectrum_workflows.errors import DataNotFoundError, SpectrumError
from spectrum_workflows.storage.location import to_read
from spectrum_workflows.storage.options import Stores, current_stores, using
from spectrum_workflows.storage.retry import persist
from spectrum_workflows.storage.urls import is_local, join, local_path

MANY = 20_000
"""Files of a folder that are looked at."""

_VERSIONS = ("ETag", "VersionId", "Content-MD5", "Digest", "Last-Modified", "LastModified", "mtime")
_HEADS = ("zarr.json", ".zmetadata", ".zgroup")
_NO_DATA = {"table.lock", "checksums.json"}
"""Casacore writes into its lock when it reads."""

AT_A_TIME = 32
"""Files in stores that are asked for at a time."""
SILENT = 16
"""Files that a store does not tell of, from which on it is asked for no other."""

Silence = dict[str, int]
"""Files that it did not tell of, by store."""

HASTY = 5.0
"""Seconds in which a store has to answer at a second look."""

HASTE = {"patience": 0.0, "timeout": HASTY}
"""Storage options of a second look: a store that has gone since is not waited for."""


def stamp(url: str) -> str:
    """A text that changes when a file or folder is exchanged, as far as its store tells.

    Size with ETag or time of change; of a local file also its inode, so that
    one which takes another's place is seen.  Of a local folder all files in it
    are looked at, of a remote one the file that describes it.

    Raises
    ------
    DataNotFoundError, AccessError, StoreError
        As `persist`.
    """
    place = to_read(url)
    if place.is_local:
        path = local_path(url)
        return persist(place, lambda _fs, _path: _folder(path) if path.is_dir() else _file(path))
    described: dict[str, Any] = persist(place, lambda fs, path: fs.info(path))
    if described.get("type") != "directory":
        return version_of(described)
    for head in _HEADS:
        try:
            return version_of(persist(to_read(join(url, head)), lambda fs, path: fs.info(path)))
        except DataNotFoundError:
            continue
    return "folder"


def stamps_of(urls: Iterable[str], *, hasty: bool = False) -> dict[str, str]:
    """Texts that tell the inputs' versions, by URL; without those that cannot be asked.

    Parameters
    ----------
    urls : iterable of str
    hasty : bool
        Whether a store that does not answer at once is not waited for.
    """
    urls = list(dict.fromkeys(urls))
    local = [url for url in urls if is_local(url)]
    remote = [url for url in urls if not is_local(url)]
    stores = current_stores()
    if hasty:
        for url in remote:
            stores = stores.changed(url, **HASTE)
    versions = {url: _stamp(url, stores, {}) for url in local}
    if remote:
        silent: Silence = {}
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            asked = pool.map(lambda url: _stamp(url, stores, silent), remote)
            versions |= dict(zip(remote, asked, strict=True))
    return {url: version for url, version in versions.items() if version}


def _stamp(url: str, stores: Stores, silent: Silence) -> str:
    """What a store tells of a file, or nothing; in ``silent`` is counted what it did not tell."""
    store = "/".join(url.split("/", 3)[:3])
    if silent.get(store, 0) >= SILENT:
        return ""
    try:
        with using(stores):
            return stamp(url)
    except DataNotFoundError:
        return ""
    except (OSError, SpectrumError):
        silent[store] = silent.get(store, 0) + 1
        return ""


def stamp_below(url: str) -> str:
    """A text that changes when any file in a folder does, as far as its store tells; else none.

    Name and size of every file, with its ETag or time of change.
    """
    try:
        listed: dict[str, Any] = persist(to_read(url), lambda fs, path: fs.find(path, detail=True))
    except (SpectrumError, NotImplementedError, OSError):
        return ""
    path = min(listed, key=len, default="").rpartition("/")[0]
    total = hashlib.sha256()
    for name, info in sorted(listed.items()):
        if name.rpartition("/")[2] not in _NO_DATA:
            total.update(f"{name.removeprefix(path)} {version_of(info)}\n".encode(errors="replace"))
    return total.hexdigest() if listed else ""


def version_of(info: dict[str, Any]) -> str:
    """What a store tells of a file, as a text that changes with it."""
    return " ".join([str(info.get("size")), *(f"{w} {info[w]}" for w in _VERSIONS if info.get(w))])


def _file(path: Path) -> str:
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ino}"


def _folder(folder: Path) -> str:
    total = hashlib.sha256()
    for path in islice(_below(folder), MANY):
        total.update(f"{path.relative_to(folder)} {_file(path)}\n".encode(errors="replace"))
    return total.hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(root, name) for name in sorted(files) if name not in _NO_DATA)
