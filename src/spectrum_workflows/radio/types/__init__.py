"""The words of radio imaging: small frozen values with their units."""

from typing import TYPE_CHECKING

from spectrum_workflows.radio.types.chunks import Chunk, ChunkGroup, ImagingPartition, grouped
from spectrum_workflows.radio.types.geometry import (
    ARCSEC,
    SINGLE_EPSILON,
    SPEED_OF_LIGHT,
    Beam,
    Geometry,
    Pixels,
    SkyPosition,
    sky_position,
)
from spectrum_workflows.radio.types.model import ComponentList
from spectrum_workflows.radio.types.observation import (
    SIMULATED,
    Antennas,
    Observation,
    Responsible,
    Window,
    folders,
)
from spectrum_workflows.radio.types.planes import Channels, Plane
from spectrum_workflows.radio.types.progress import MajorCycle
from spectrum_workflows.radio.types.result import (
    FieldResults,
    GroupImages,
    ImagingResult,
    PlaneImages,
    SelfCheck,
    Stop,
    Use,
)
from spectrum_workflows.radio.types.selection import EVERYTHING, Hands, Interval, Selection
from spectrum_workflows.radio.types.sources import Agreement, Planted, Source
from spectrum_workflows.radio.types.visibilities import Rows, Visibilities

if TYPE_CHECKING:
    from spectrum_workflows.radio.types.geometry import Image as Image

__all__ = [
    "ARCSEC",
    "EVERYTHING",
    "SIMULATED",
    "SINGLE_EPSILON",
    "SPEED_OF_LIGHT",
    "Agreement",
    "Antennas",
    "Beam",
    "Channels",
    "Chunk",
    "ChunkGroup",
    "ComponentList",
    "FieldResults",
    "Geometry",
    "GroupImages",
    "Hands",
    "ImagingPartition",
    "ImagingResult",
    "Interval",
    "MajorCycle",
    "Observation",
    "Pixels",
    "Plane",
    "PlaneImages",
    "Planted",
    "Responsible",
    "Rows",
    "Selection",
    "SelfCheck",
    "SkyPosition",
    "Source",
    "Stop",
    "Use",
    "Visibilities",
    "Window",
    "folders",
    "grouped",
    "sky_position",
]
