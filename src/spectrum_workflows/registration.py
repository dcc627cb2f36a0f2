"""Which sciences are registered, by their entry points: nothing of theirs is imported."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

GROUP = "spectrum_workflows.domains"


class LeftOutWarning(UserWarning):
    """A registered science cannot be used here, and the others go on without it."""


def points() -> tuple[EntryPoint, ...]:
    """Entry points of the registered sciences, by name; looked for again if folders change."""
    return _points(tuple((folder, _changed(folder)) for folder in sys.path))


def names() -> list[str]:
    """Names of the registered sciences, sorted, whether they can be loaded or not."""
    return sorted({point.name for point in points()})


@lru_cache(maxsize=4)
def _points(_state: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: point.name))


def _changed(folder: str) -> int:
    """When something was last put into a folder, or taken out of it; ns."""
    try:
        return Path(folder or ".").stat().st_mtime_ns
    except OSError:
        return 0
