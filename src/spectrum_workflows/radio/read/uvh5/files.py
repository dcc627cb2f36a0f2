"""UVH5 files by their URL."""

from __future__ import annotations

from spectrum_workflows import storage
from spectrum_workflows.errors import DataNotFoundError

SUFFIXES = (".uvh5", ".h5", ".hdf5", "")
"""How the names of UVH5 files end; what they hold decides."""

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""The first bytes of an HDF5 file."""


def begins_as_hdf5(url: str) -> bool:
    """Whether a file begins as HDF5 does."""
    try:
        with storage.open_read(url) as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except DataNotFoundError:
        return False
