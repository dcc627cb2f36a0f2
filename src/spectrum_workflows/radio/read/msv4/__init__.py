"""Zarr sets in the MSv4 schema, in any store."""

from __future__ import annotations

from spectrum_workflows.radio.read.msv4 import files, observation, visibilities
from spectrum_workflows.radio.read.reader import Reader

MSV4 = Reader(
    name="Zarr (MSv4 schema)",
    remote=True,
    locate=files.locate,
    recognises=files.is_zarr,
    describe=observation.describe,
    coordinates=visibilities.coordinates,
    read=visibilities.read,
)
