"""Memory of imaging: estimates fitted to measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.radio.deconvolution.convolution import padded_side
from spectrum_workflows.radio.deconvolution.responses import response_bytes
from spectrum_workflows.radio.types import SINGLE_EPSILON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.deconvolution.scales import Scale
    from spectrum_workflows.radio.types import Chunk, Geometry

PROCESS = 320_000_000
"""A Python process with the libraries and compiled kernels loaded, bytes."""


def task_bytes(chunks: Sequence[Chunk], geometry: Geometry) -> int:
    """Largest memory of one worker that images these chunks one after the other."""
    single = geometry.epsilon >= SINGLE_EPSILON
    visibility = 24 if single else 48
    largest = max(chunk.size for chunk in chunks)
    plane = 8 * geometry.npix**2
    gridder = int(1.7**2 * plane * (1 if single else 2))
    return PROCESS + largest * visibility + gridder + 8 * plane


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
