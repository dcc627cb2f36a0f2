"""Identity of a Measurement Set's content: a text that changes whenever a byte of it may have.

A set is edited in place: flags and calibrated data change, and neither ``table.dat`` nor the
size of any file does.  So the content of a set of at most `SMALL_BYTES` is read, and it is the
same wherever it is copied to.  Of a larger one, the descriptions are read, and of all other
files name, size and time of change are taken: a copy that keeps times (``cp -p``, ``rsync -a``,
``tar``) is the same set, one that does not is another: that costs a computation, and never
gives a wrong answer.

What a set refers to counts as well: the tables that it selects from or joins, and subtables in
other places.  Locks (``table.lock``) do not: reading writes them.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.radio.read.msv2.tables import opened
from spectrum_workflows.radio.types.observation import CONTENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SMALL_BYTES = 256 << 20
"""Largest set whose content is read for it."""

LOCK = "table.lock"

_DESCRIPTION = "table.dat"

_SETTLED = 2e9
"""Nanoseconds after which a file's time of change tells one content from another anywhere."""

_SUBTABLE = "Table: "
"""How keywords begin that name a subtable."""


def identity(url: str) -> str:
    """A text that tells one content of a Measurement Set from another.

    Parameters
    ----------
    url : str
        A local set.

    Raises
    ------
    DataError, AccessError
        It is none, or cannot be read.
    """
    states = tuple(_state(name, path) for name, path in _all_files(url))
    total = sum(state.size for state in states)
    if total > SMALL_BYTES:
        return f"files {_sha256(map(_written, states))} {total}"
    settled = time.time_ns() - max(max(s.written, s.changed) for s in states) > _SETTLED
    contents = _contents if settled else _contents.__wrapped__
    return f"{CONTENT}{contents(states)} {total}"


def _all_files(url: str) -> Iterator[tuple[str, Path]]:
    """Every file of a set and of what it refers to, with the name that it counts by."""
    path = storage.local_path(url)
    yield from _files(path)
    for number, other in enumerate(_elsewhere(url, path)):
        yield from ((f"{number}/{name}", file) for name, file in _files(other))


def _elsewhere(url: str, path: Path) -> list[Path]:
    """Tables outside its folder that a set is made of or refers to, in a fixed order."""
    with opened(url) as table:
        keywords = [str(word) for word in table.getkeywords().values()]
        named = [word.removeprefix(_SUBTABLE) for word in keywords if word.startswith(_SUBTABLE)]
        named += table.partnames(recursive=True)
    here = path.resolve()
    places = dict.fromkeys(Path(name).resolve() for name in named)
    return [p for p in places if p != here and not {here, *places} & {*p.parents}]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """A table's files by name, without those that come and go; links are followed once."""
    seen = {folder.resolve()}
    paths = []
    for place, folders, names in os.walk(folder, followlinks=True):
        inside = [Path(place, name) for name in folders]
        folders[:] = [p.name for p in inside if not p.is_symlink() or p.resolve() not in seen]
        seen |= {p.resolve() for p in inside}
        paths += [Path(place, name) for name in names if name != LOCK]
    paths = [path for path in paths if path.is_file()]
    return iter(sorted((path.relative_to(folder).as_posix(), path) for path in paths))


@dataclass(frozen=True)
class _State:
    """A file of a set as it is now: its name in the set, where it is, bytes, and times in ns."""

    name: str
    path: Path
    size: int
    written: int
    changed: int
    number: int


def _state(name: str, path: Path) -> _State:
    try:
        with path.open("rb") as file:  # opened: a network file system then asks its server
            state = os.fstat(file.fileno())
    except PermissionError:
        state = path.stat()
    return _State(name, path, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


def _written(state: _State) -> str:
    """What tells a file of a large set from an edited one."""
    if state.path.name == _DESCRIPTION:
        return f"{state.name} {_content(state)}"
    return f"{state.name} {state.size} {state.written}"


@lru_cache(maxsize=16)
def _contents(states: tuple[_State, ...]) -> str:
    """SHA-256 of the names and contents of files."""
    return _sha256(f"{state.name} {_content(state)}" for state in states)


def _content(state: _State) -> str:
    """SHA-256 of a file; of one that may not be read, size and time of change."""
    try:
        with state.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError:
        return f"{state.size} {state.written}"


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()
