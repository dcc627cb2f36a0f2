"""Zarr sets in the MSv4 schema, in any store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.radio.read.msv4 import files
from spectrum_workflows.radio.read.reader import Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.choices import Named
    from spectrum_workflows.radio.read.inventory import Inventory
    from spectrum_workflows.radio.read.reader import Choice
    from spectrum_workflows.radio.types import Chunk, Observation, Visibilities

# zarr-python is imported when a set is read: whoever reads none does not wait for it.


def _describe(choice: Choice, url: str) -> Observation:
    from spectrum_workflows.radio.read.msv4 import observation

    return observation.describe(choice, url)


def _fields(url: str) -> list[Named]:
    from spectrum_workflows.radio.read.msv4 import observation

    return observation.fields(url)


def _coordinates(chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from spectrum_workflows.radio.read.msv4 import visibilities

    return visibilities.coordinates(chunk)


def _inventory(url: str) -> Inventory:
    from spectrum_workflows.radio.read.msv4 import listing

    return listing.inventory(url)


def _read(chunk: Chunk) -> Visibilities:
    from spectrum_workflows.radio.read.msv4 import visibilities

    return visibilities.read(chunk)


MSV4 = Reader(
    name="Zarr (MSv4 schema)",
    remote=True,
    locate=files.locate,
    recognises=files.is_zarr,
    describe=_describe,
    fields=_fields,
    coordinates=_coordinates,
    inventory=_inventory,
    read=_read,
)
