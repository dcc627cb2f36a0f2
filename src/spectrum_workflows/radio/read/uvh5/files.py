"""UVH5 files by their URL."""

from __future__ import annotations

from spectrum_workflows import storage
from spectrum_workflows.errors import DataNotFoundError

SUFFIXES = (".uvh5", ".h5", ".hdf5", "")
"""How the names of UVH5 files end; what they hold decides."""

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""The first bytes of an HDF5 file."""


def locate(stem: str) -> str | None:
    """A UVH5 file of that name."""
    return next((f"{stem}{end}" for end in SUFFIXES if is_uvh5(f"{stem}{end}")), None)


def is_uvh5(url: str) -> bool:
    """Whether a file begins as HDF5 does."""
    name = url.rstrip("/")
    if not storage.is_local(url) and not name.lower().endswith(SUFFIXES[:-1]):
        return False  # a store is not asked about every name
    if storage.is_local(url) and not storage.local_path(url).is_file():
        return False
    try:
        with storage.open_read(url) as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except DataNotFoundError:
        return False
