"""Data files that code names: beside itself, or by their full path."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from spectrum_workflows.code_identity.content import SMALL_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from spectrum_workflows.code_identity.source import Source

MOST_LISTED = 10_000
"""Entries of a folder that are looked at."""


_PLACE = {"__file__", "__path__", "__spec__", "resources", "get_data", "getfile", "getsourcefile"}
"""Names by which code finds files beside itself."""


_LISTING = {"iterdir", "listdir", "scandir", "glob", "rglob", "iglob", "walk"}


_DEEP = 4
"""Folders below each other that are looked into for named files."""


def named_files(sources: Collection[Source], folders: Iterable[Path]) -> Iterator[Path]:
    """Data files that some code names: by full path, or if it asks where it is, beside itself.

    Parameters
    ----------
    sources : collection of Source
        The code of one package or analysis.
    folders : iterable of Path
        Where its files are looked for.
    """
    for text in sorted({text for source in sources for text in source.full}):
        path = Path(text)
        if path.is_file():
            yield path
    used: set[str] = set().union(*(source.names for source in sources))
    if not used & _PLACE:
        return
    patterns: set[str] = set().union(*(source.paths for source in sources))
    listing = bool(used & _LISTING)
    todo, seen = [(folder, 0, False) for folder in folders], set()
    while todo:
        folder, depth, named = todo.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for entry in entries(folder):
            fits = [p for p in patterns if fnmatchcase(entry.name, p)]
            if entry.is_dir():
                if fits and depth < _DEEP:
                    todo.append((folder / entry.name, depth + 1, True))
            elif entry.is_file() and _is_meant(entry, fits, listed=named and listing):
                yield folder / entry.name


def _is_meant(entry: os.DirEntry[str], fits: Sequence[str], *, listed: bool) -> bool:
    """Whether a file is one that the code will open."""
    if entry.name in fits:
        return True
    listed = listed and not entry.name.endswith((".py", ".pyc"))
    return bool(fits or listed) and entry.stat().st_size <= SMALL_BYTES


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Entries of a folder, as far as it can be listed and they are not hidden."""
    try:
        with os.scandir(folder) as listed:
            for number, entry in enumerate(listed):
                if number >= MOST_LISTED:
                    return
                if not entry.name.startswith(".") and entry.name != "__pycache__":
                    yield entry
    except OSError:
        return


def python_files(folder: Path) -> Iterator[Path]:
    """Files of code in and below a folder."""
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from python_files(folder / entry.name)
        elif entry.name.endswith(".py"):
            yield folder / entry.name
