"""Measurement Sets, version 2 (CASA memo 229): local tables, read with python-casacore."""

from __future__ import annotations

from spectrum_workflows.radio.read.msv2 import files, listing, observation, visibilities
from spectrum_workflows.radio.read.reader import Reader

MSV2 = Reader(
    name="Measurement Set (version 2)",
    remote=False,
    locate=files.locate,
    recognises=files.is_measurement_set,
    describe=observation.describe,
    fields=observation.fields,
    coordinates=visibilities.coordinates,
    inventory=listing.inventory,
    read=visibilities.read,
)
