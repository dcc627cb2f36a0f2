"""Forecast of an image's stages: amounts of work, bytes moved, memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.deconvolution.convolution import padded_side
from spectrum_workflows.radio.gridding import working_type
from spectrum_workflows.radio.plan.memory import PROCESS
from spectrum_workflows.radio.strips import cost
from spectrum_workflows.radio.weights import density_side
from spectrum_workflows.stages import Forecast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.deconvolution.scales import Scale
    from spectrum_workflows.radio.strips.coverage import Coverage
    from spectrum_workflows.radio.strips.types import StripLayout
    from spectrum_workflows.radio.types import Geometry, ImagingPartition

Work = tuple[tuple[str, float], ...]

COSTS = {
    "read": 1.4e-7,
    "weigh": 2.0e-8,
    "cut": 6.0e-8,
    "grid": 2.5e-7,
    "transform": 1.5e-8,
    "filter": 8.0e-11,
    "fourier": 1.0e-9,
}
"""CPU seconds on one machine where none were measured: per visibility read, weighed,
cut into strips, gridded; per sample and w plane; per multiplication of a filter; per
sample and factor of two of a one-dimensional Fourier transform.
Those of gridding are at accuracy 1e-4."""

SUBTRACTIONS = 1
"""Subtractions of all sidelobes that a minor cycle is expected to take: none where sources
are few, one or two where noise or extended emission leaves more pixels than it cleans at once."""

PACKED = 8 + 4
"""Bytes of a visibility on its way to a strip: value and weight."""

ROW = 24 + 8
"""Bytes of a row: uvw and its range of channels."""


def weights(chunks: Sequence[ImagingPartition], geometry: Geometry) -> Forecast:
    """The pass that uniform and Briggs weights need."""
    size, grid = sum(chunk.size for chunk in chunks), 4 * density_side(geometry.npix) ** 2
    largest = max(chunk.size for part in chunks for chunk in part.chunks)  # read one by one
    memory = PROCESS + largest * 24 + 2 * grid
    return Forecast(
        "weights", len(chunks), (("read", size), ("weigh", size)), _merged(chunks, grid), memory
    )


def in_chunks(
    chunks: Sequence[ImagingPartition],
    geometry: Geometry,
    coverage: Coverage,
    *,
    psf: bool,
    memory: int,
) -> tuple[Forecast, Forecast]:
    """The imaging pass and one major cycle, a call of the gridder per chunk."""
    size, plane = sum(chunk.size for chunk in chunks), 8 * geometry.npix**2
    low, high = float(coverage.w_low.min()), float(coverage.w_high.max())
    planes = cost.planes(np.array(high - low), geometry.npix * geometry.cell / 2, geometry.epsilon)
    call = _gridding(geometry.epsilon, size, len(chunks) * geometry.npix**2 * float(planes))
    moved = _merged(chunks, plane)
    image = (("read", float(size)), *_times(call, 1 + psf))
    cycle = (("read", float(size)), *_times(call, 2))
    return (
        Forecast("image", len(chunks), image, (1 + psf) * moved, memory),
        Forecast("major cycle", len(chunks), cycle, moved, memory),
    )


def in_strips(
    chunks: Sequence[ImagingPartition],
    layout: StripLayout,
    *,
    rows: int,
    weighted: bool,
    psf: bool,
    scales: tuple[Scale, ...] = (),
) -> tuple[Forecast, ...]:
    """The shuffle, the images and one major cycle in strips.

    Components are thought to lie in few columns, which costs next to nothing.

    Parameters
    ----------
    chunks : sequence of ImagingPartition
    layout : StripLayout
    rows : int
        Of all chunks; a row is in a strip for every strip that its channels touch.
    weighted : bool
        Imaging weights other than natural.
    psf : bool
    scales : tuple of Scale
        Of CLEAN; without extended ones its components are points.
    """
    size, strips, blocks = sum(s.size for s in chunks), layout.strips, len(layout.blocks)
    item = np.dtype(working_type(layout.geometry.epsilon)).itemsize
    samples = item * cost.coarse_samples(layout)
    work = sum(strip.x.count * layout.y.count * strip.planes for strip in strips)
    call = _gridding(layout.geometry.epsilon, size, work)
    filtering = ("filter", cost.filtering(layout))
    several = len({own.data_description for part in chunks for own in part.chunks}) > 1
    task = _strip_memory(layout, item, several=several)
    piece = PROCESS + max(chunk.size for chunk in chunks) * (24 + PACKED)
    shuffle: Work = (("read", size), ("cut", size), *((("weigh", size),) if weighted else ()))
    image = (*call, filtering)
    stages = [
        Forecast("strips", len(chunks) + len(strips), shuffle, size * PACKED + rows * ROW, piece),
        Forecast("image", len(strips) + blocks, image, samples, task),
        Forecast("psf", len(strips) + blocks, image, samples, task),
        *(_minor_at_scales(layout, item, scales[1:]) if scales[1:] else _minor(layout, item)),
        Forecast("major cycle", len(strips) + blocks, (*_times(call, 2), filtering), samples, task),
    ]
    return tuple(stage for stage in stages if psf or stage.name != "psf")


def _minor(layout: StripLayout, item: int) -> tuple[Forecast, Forecast]:
    """The PSF's transform, and a minor cycle: its searches, and its subtractions.

    The way to the bands costs next to nothing, the way back takes every pixel.
    """
    npix, side, blocks = layout.geometry.npix, padded_side(layout.geometry.npix), len(layout.blocks)
    lines = (side // 2 + 1) * npix
    along = lines * math.log2(side) * side / npix
    psf: Work = (("fourier", 7 * along),)  # every column, and in order around the origin
    cycle: Work = (("fourier", SUBTRACTIONS * 3 * along),)
    moved, band = 2 * item * lines, 2 * item * side * (side // 2 + 1) // blocks
    memory = PROCESS + 3 * band
    tasks = SUBTRACTIONS * 4 * blocks + (SUBTRACTIONS + 2) * blocks
    return (
        Forecast("psf transform", 2 * blocks, psf, moved, memory),
        Forecast("minor cycle", tasks, cycle, SUBTRACTIONS * moved, memory),
    )


def _minor_at_scales(
    layout: StripLayout, item: int, extended: tuple[Scale, ...]
) -> tuple[Forecast]:
    """A minor cycle with extended scales: the residual at each of them, and its searches.

    To the bands every pixel goes, and back from them as many as a scale has positions; no
    sidelobes are subtracted.
    """
    npix, side, blocks = layout.geometry.npix, padded_side(layout.geometry.npix), len(layout.blocks)
    half, inside = side // 2 + 1, npix / side
    along, parts = half * side * math.log2(side), [1 / scale.step for scale in extended]
    there, back = 1 + inside, sum(2 + inside * part for part in parts)
    work: Work = (("fourier", (there + back) * along),)
    moved = 2 * item * half * npix * (1 + sum(parts))
    band = 2 * item * half * side // blocks
    memory = PROCESS + int((5 + inside * sum(parts)) * band)
    return (Forecast("minor cycle", 6 * blocks, work, int(moved), memory),)


def _gridding(epsilon: float, visibilities: float, samples: float) -> Work:
    """One call's work in units of accuracy 1e-4."""
    (a, beta), (unit_a, unit_beta) = cost.constants(epsilon), cost.constants(1e-4)
    return (("grid", visibilities * a / unit_a), ("transform", samples * beta / unit_beta))


def _times(work: Work, factor: int) -> Work:
    return tuple((kind, factor * amount) for kind, amount in work)


def _merged(chunks: Sequence[ImagingPartition], nbytes: int) -> int:
    """Bytes that a merge tree hands on: every value but the one that stays."""
    return (len(chunks) - 1) * nbytes


def _strip_memory(layout: StripLayout, item: int, *, several: bool) -> int:
    """Of the largest task on a strip: its data twice, oversampled planes, coarse images.

    Those of several windows are put one behind the other for the gridder.
    """
    copies = 4 if several else 3
    largest = max(layout.strips, key=lambda strip: strip.size)
    coarse = max(strip.x.count for strip in layout.strips) * layout.y.count
    planes = int(1.7**2 * 2 * item * coarse)
    return PROCESS + largest.size * (PACKED + copies * 12) + planes + 4 * item * coarse
