"""UVH5: HDF5 files with the conventions of pyuvdata's memo, in any store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.radio.read.rows.reader import row_reader
from spectrum_workflows.radio.read.uvh5.files import SUFFIXES, begins_as_hdf5

if TYPE_CHECKING:
    from spectrum_workflows.radio.read.rows.rowfile import RowFile


def _opened(url: str) -> RowFile:
    """The file; h5py is imported now: whoever reads none does not wait for it."""
    from spectrum_workflows.radio.read.uvh5 import content

    return content.opened(url)


UVH5 = row_reader("UVH5", suffixes=SUFFIXES, begins=begins_as_hdf5, opened=_opened)
