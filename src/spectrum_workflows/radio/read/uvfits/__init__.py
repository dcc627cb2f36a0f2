"""UVFITS: random groups with the conventions of AIPS memo 117, in any store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.radio.read.reader import Reader
from spectrum_workflows.radio.read.uvfits import files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.inventory import Inventory
    from spectrum_workflows.radio.read.reader import Choice
    from spectrum_workflows.radio.types import Chunk, Observation, Visibilities

# astropy is imported when a file is read: whoever reads none does not wait for it.


def _describe(choice: Choice, url: str) -> Observation:
    from spectrum_workflows.radio.read.rows import imaging
    from spectrum_workflows.radio.read.uvfits import groups

    return imaging.describe(groups.opened, choice, url)


def _coordinates(chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from spectrum_workflows.radio.read.rows import imaging
    from spectrum_workflows.radio.read.uvfits import groups

    return imaging.coordinates(groups.opened, chunk)


def _inventory(url: str) -> Inventory:
    from spectrum_workflows.radio.read.rows import listing
    from spectrum_workflows.radio.read.uvfits import groups

    return listing.inventory(groups.opened(url))


def _read(chunk: Chunk) -> Visibilities:
    from spectrum_workflows.radio.read.rows import imaging
    from spectrum_workflows.radio.read.uvfits import groups

    return imaging.read(groups.opened, chunk)


UVFITS = Reader(
    name="UVFITS",
    remote=True,
    locate=files.locate,
    recognises=files.is_uvfits,
    describe=_describe,
    coordinates=_coordinates,
    inventory=_inventory,
    read=_read,
)
