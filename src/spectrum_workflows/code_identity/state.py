"""State of our own package's files and imports: as long as it is the same, so is its code."""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = __name__.partition(".")[0]
"""Our package: it runs first wherever one of its modules does, and only offers names."""

SETTLED = 2_000_000_000
"""Nanoseconds after which a file that is written anew has another time."""

FRESH = 0.5
"""Seconds for which nobody looks again: a plan and its run ask several times."""


@dataclass(frozen=True)
class State:
    """Files of our package, and imports of its loaded modules.

    Attributes
    ----------
    files : tuple of (str, int, int, int)
        Path, time of the last change, size and inode.
    imports : tuple of (str, int)
        Name, and which import of it.
    """

    files: tuple[tuple[str, int, int, int], ...]
    imports: tuple[tuple[str, int], ...]

    def is_settled(self) -> bool:
        """Whether a file that is written from now on has another time."""
        return max(file[1] for file in self.files) < time.time_ns() - SETTLED


@dataclass(frozen=True)
class _Look:
    at: float
    state: State


_last_look = _Look(-math.inf, State((), ()))


def own_state() -> State:
    """The state of our package now, or half a second ago; nothing is read."""
    global _last_look  # noqa: PLW0603
    if time.monotonic() - _last_look.at > FRESH:
        _last_look = _Look(time.monotonic(), _look())
    return _last_look.state


def _look() -> State:
    places = sys.modules[OWN].__path__
    loaded = [
        (name, id(module.__spec__))
        for name, module in [*sys.modules.items()]
        if name.startswith(OWN) and is_ours(name)
    ]
    files = (file for place in places for file in _files_below(place))
    return State(tuple(sorted(files)), tuple(sorted(loaded)))


def is_ours(name: str) -> bool:
    """Whether a module is of our package."""
    return name.partition(".")[0] == OWN


def _files_below(folder: str) -> Iterator[tuple[str, int, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == "__pycache__":
                continue
            if entry.is_dir():
                yield from _files_below(entry.path)
            else:
                found = entry.stat()
                yield entry.path, found.st_mtime_ns, found.st_size, found.st_ino
