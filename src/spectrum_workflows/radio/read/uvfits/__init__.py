"""UVFITS: random groups with the conventions of AIPS memo 117, in any store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.radio.read.rows.reader import row_reader
from spectrum_workflows.radio.read.uvfits.files import SUFFIXES, begins_as_uvfits

if TYPE_CHECKING:
    from spectrum_workflows.radio.read.rows.rowfile import RowFile


def _opened(url: str) -> RowFile:
    """The file; astropy is imported now: whoever reads none does not wait for it."""
    from spectrum_workflows.radio.read.uvfits import groups

    return groups.opened(url)


UVFITS = row_reader("UVFITS", suffixes=SUFFIXES, begins=begins_as_uvfits, opened=_opened)
