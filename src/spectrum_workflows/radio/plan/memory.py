"""Memory of imaging: estimates fitted to measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.deconvolution.convolution import padded_side
from spectrum_workflows.radio.deconvolution.responses import response_bytes
from spectrum_workflows.radio.types import SINGLE_EPSILON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.deconvolution.scales import Scale
    from spectrum_workflows.radio.types import Geometry, ImagingPartition

PROCESS = 320_000_000
"""A Python process with the libraries and compiled kernels loaded, bytes."""


IMAGING = 140_000_000
"""The same, of a worker that images chunk by chunk."""


@dataclass(frozen=True)
class Products:
    """What a process needs that writes files and pictures: bytes, and images at once.

    Attributes
    ----------
    process : int
        Bytes, with the libraries and compiled kernels.
    images : float
        At once, while those of one plane are made and written.
    kept : int
        Of every further plane.
    """

    process: int
    images: float
    kept: int


DIRTY, WITH_PSF, CLEANED = (
    Products(195_000_000, 3.8, 1),
    Products(195_000_000, 5.0, 2),
    Products(335_000_000, 9.0, 4),
)

TOGETHER = 5
"""Bytes per visibility more where chunks are gridded together: their coordinates once more."""

FAN_IN = 8
"""Images that a task of the merge tree adds."""

DENSE = (0.2, 0.6, 2.4), (1.5, 2.1, 5.0)
DENSE_DOUBLE = (0.06, 0.24, 0.6, 2.4), (1.65, 2.15, 3.2, 5.0)
"""Visibilities per pixel, and cells of the gridder's plane per pixel: it prefers larger planes to
larger kernels where visibilities are many."""


def task_bytes(chunks: Sequence[ImagingPartition], geometry: Geometry, *, psf: bool = False) -> int:
    """Largest memory of one worker that images these chunks one after the other.

    One of several workers: half of what a task of the merge tree adds lies on it.  Fitted
    to what processes had in November 2026 on one machine, at 512² to 4096² pixels and 2.5e5 to 1e7
    visibilities per chunk: within 15 %.

    Parameters
    ----------
    chunks : sequence of ImagingPartition
    geometry : Geometry
    psf : bool
        Whether it is made beside the dirty image.
    """
    single = geometry.epsilon >= SINGLE_EPSILON
    plane, largest = 8 * geometry.npix**2, max(chunk.size for chunk in chunks)
    together = max((part.size for part in chunks if len(part.chunks) > 1), default=0)
    data = largest * (22 if single else 48) + together * TOGETHER
    made = (1 + psf) * max(len(chunk.planes) for chunk in chunks)
    waiting = math.ceil((min(len(chunks), FAN_IN) - 1) / 2)
    density = math.log(max(largest, 1) / geometry.npix**2)
    steps, cells = DENSE if single else DENSE_DOUBLE
    oversampled = float(np.interp(density, np.log(steps), cells))
    gridder = oversampled + 0.5 if single else 2 * oversampled
    merging = made * (waiting + 3) if waiting else 0
    return IMAGING + data + int(plane * max(gridder + made * (waiting + 1), merging))


def products_bytes(geometry: Geometry, planes: int, products: Products) -> int:
    """Memory of the process that writes files and pictures of some planes."""
    images = products.images + products.kept * (planes - 1)
    return products.process + int(8 * geometry.npix**2 * images)


def session_bytes(
    geometry: Geometry, scales: tuple[Scale, ...] = (), planes: int = 1, *, whole: bool = False
) -> int:
    """Memory of the process that holds the images and runs the minor cycles.

    Parameters
    ----------
    geometry : Geometry
    scales : tuple of Scale
        That CLEAN has; what several need between them, and where the residual is here as a
        ``whole``, that at each of them.
    planes : int
        That are cleaned together.
    whole : bool
    """
    need = PROCESS + 12 * 8 * geometry.npix**2
    if len(scales) <= 1:
        return need
    smooth = _smooth_bytes(geometry.npix, scales[1:], planes) if whole else 0
    return need + response_bytes(geometry.npix, scales, planes) + smooth


def _smooth_bytes(npix: int, extended: tuple[Scale, ...], planes: int) -> int:
    """Of a residual at extended scales: transforms of the planes, of the shapes, two for one."""
    padded = padded_side(npix) ** 2
    samples = sum(8 * npix**2 // scale.step**2 for scale in extended)
    return (8 * planes + len(extended) + 16) * padded + planes * samples
