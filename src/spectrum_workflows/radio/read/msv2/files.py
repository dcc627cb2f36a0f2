"""Measurement Sets as folders of files, told from others, and one state from another."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from spectrum_workflows import storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MADE = ".ms"
"""How the names of sets end that are made here."""

SUFFIXES = (MADE, ".MS", "")
"""How the names of Measurement Sets end; what it is decides, whatever it is called."""


def locate(stem: str) -> str | None:
    """A local Measurement Set of that name, or what is called like one."""
    if not storage.is_local(stem):
        return None
    if storage.exists(f"{stem}{MADE}"):
        return f"{stem}{MADE}"
    urls = (f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((url for url in urls if storage.exists(f"{url}/table.dat")), None)


def is_measurement_set(source: str) -> bool:
    """Whether a local folder holds a casacore table."""
    return storage.is_local(source) and storage.exists(f"{source.rstrip('/')}/table.dat")


def beside(url: str) -> tuple[str, ...]:
    """A warning where a Measurement Set is imaged because the Zarr set beside it is not whole."""
    path = storage.local_path(url)
    other = path.with_name(f"{path.name.removesuffix(MADE).removesuffix('.MS')}.zarr")
    if other == path or not other.exists() or (other / "zarr.json").exists():
        return ()
    return (
        f"{other.name} is there without its zarr.json, which is written last: {path.name} is "
        "imaged",
    )


def structure(path: Path) -> str:
    """Digest of a set's table description and of its files' names and sizes."""
    sizes = [(str(file.relative_to(path)), file.stat().st_size) for file in _files(path)]
    described = (path / "table.dat").read_bytes() + json.dumps(sorted(sizes)).encode()
    return f"{hashlib.sha256(described).hexdigest()} {sum(size for _, size in sizes)}"


def stamp(source: str) -> str:
    """Structure of a set's files and the time of their last change."""
    path = storage.local_path(source)
    return f"{structure(path)} {changed(path)}"


def changed(path: Path) -> int:
    """Time at which a file of a set was last written, ns."""
    return max(file.stat().st_mtime_ns for file in _files(path))


def _files(path: Path) -> Iterator[Path]:
    """A set's files, without those that come and go."""
    return (file for file in path.rglob("*") if file.is_file() and file.name != "table.lock")
