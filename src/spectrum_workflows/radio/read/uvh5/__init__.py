"""UVH5: HDF5 files with the conventions of pyuvdata's memo, in any store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.radio.read.reader import Reader
from spectrum_workflows.radio.read.uvh5 import files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.inventory import Inventory
    from spectrum_workflows.radio.read.reader import Choice
    from spectrum_workflows.radio.types import Chunk, Observation, Visibilities

# h5py is imported when a file is read: whoever reads none does not wait for it.


def _describe(choice: Choice, url: str) -> Observation:
    from spectrum_workflows.radio.read.rows import imaging
    from spectrum_workflows.radio.read.uvh5 import content

    return imaging.describe(content.opened, choice, url)


def _coordinates(chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from spectrum_workflows.radio.read.rows import imaging
    from spectrum_workflows.radio.read.uvh5 import content

    return imaging.coordinates(content.opened, chunk)


def _inventory(url: str) -> Inventory:
    from spectrum_workflows.radio.read.rows import listing
    from spectrum_workflows.radio.read.uvh5 import content

    return listing.inventory(content.opened(url))


def _read(chunk: Chunk) -> Visibilities:
    from spectrum_workflows.radio.read.rows import imaging
    from spectrum_workflows.radio.read.uvh5 import content

    return imaging.read(content.opened, chunk)


UVH5 = Reader(
    name="UVH5",
    remote=True,
    locate=files.locate,
    recognises=files.is_uvh5,
    describe=_describe,
    coordinates=_coordinates,
    inventory=_inventory,
    read=_read,
)
