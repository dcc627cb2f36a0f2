"""CLEAN's tasks on a block of columns or a band of frequencies, and the joins of their pieces.

A block, or a band, holds every plane: one array for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.deconvolution import scales as shapes
from spectrum_workflows.radio.deconvolution import search as searching
from spectrum_workflows.radio.deconvolution import sidelobes
from spectrum_workflows.radio.deconvolution.residual_image import Active, strength
from spectrum_workflows.radio.deconvolution.search import Search, View, sampled
from spectrum_workflows.radio.imaging.noise import square_histograms
from spectrum_workflows.radio.imaging.preview import Preview, preview

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.deconvolution.scales import Scale
    from spectrum_workflows.radio.deconvolution.sidelobes import Lines, TransformBand
    from spectrum_workflows.radio.imaging.noise import Range
    from spectrum_workflows.radio.strips.types import Coarse, Columns

    Planes = tuple[Coarse, ...]
    """A block's columns in every plane."""

    Smooth = tuple[Planes, ...]
    """A block's residual at every extended scale, where components of it may stand."""

    Scales = tuple[float, ...]
    """What normalises every plane: 1 / sum of weights."""


def subtracted(data: Planes, sidelobes: Planes | None, scales: Scales) -> Planes:
    """A block of the residual, Jy/beam: what was gridded, less the sidelobes taken from it."""
    left: Planes = tuple(
        plane * plane.dtype.type(scale) for plane, scale in zip(data, scales, strict=True)
    )
    for plane, removed in zip(left, sidelobes or (), strict=bool(sidelobes)):
        np.subtract(plane, removed, out=plane)
    return left


def peak_of(
    block: Columns,
    data: Planes,
    removed: Planes | None,
    smooth: Smooth | None,
    scales: Scales,
    search: Search,
) -> float:
    """Largest strength in a block."""
    left = subtracted(data, removed, scales)
    if search.everywhere and len(left) == 1:  # without another array of its size
        return float(np.maximum(left[0].max(), -left[0].min()))
    return searching.peak(_views(block, left, smooth, search), search)


def larger(a: float, b: float) -> float:
    """The larger peak; NaN if either is."""
    return float(np.maximum(a, b))


def active_of(
    block: Columns,
    data: Planes,
    removed: Planes | None,
    smooth: Smooth | None,
    scales: Scales,
    search: Search,
    level: float,
) -> Active:
    """Active pixels of a block, with their positions in the image."""
    views = _views(block, subtracted(data, removed, scales), smooth, search)
    return searching.active(views, search, level)


def around_of(
    block: Columns,
    data: Planes,
    removed: Planes | None,
    smooth: Smooth | None,
    scales: Scales,
    search: Search,
    model: Components,
    radius: float,
) -> Active:
    """Pixels of a block around components, with their positions in the image."""
    views = _views(block, subtracted(data, removed, scales), smooth, search)
    return searching.around(views[0], search, model, radius)


def beside_each_other(a: Active, b: Active) -> Active:
    """All pixels of two neighbours."""
    return a + b


def _views(block: Columns, left: Planes, smooth: Smooth | None, search: Search) -> tuple[View, ...]:
    """A block at the scales that are searched."""
    at_scales = (left, *(smooth or ()))
    views = []
    for planes, scale in zip(at_scales, search.scales, strict=True):
        column = block.start + sampled(block.start, block.stop, scale.step).start
        views.append(View(planes, column, scale.step, block.npix))
    return tuple(views)


def both(level: float, a: Active, b: Active) -> Active:
    """The active pixels of two neighbours."""
    return (a + b).strongest(level)


def in_plane(
    search: Callable[[Coarse, Range], NDArray[Any]],
    _block: Columns,
    data: Planes,
    removed: Planes | None,
    _smooth: Smooth | None,
    scales: Scales,
    plane: int,
    span: Range,
) -> NDArray[Any]:
    """A block's part in the search for a plane's median: `noise.counted` or `noise.collected`."""
    return search(_plane(data, removed, scales, plane), span)


def squares_of(
    block: Columns,
    data: Planes,
    removed: Planes | None,
    _smooth: Smooth | None,
    scales: Scales,
    count: int,
    rms: float,
) -> NDArray[np.int64]:
    """A block's part in the noise of squares."""
    left = strength(subtracted(data, removed, scales))
    return square_histograms(left, block.start, count, rms)


def _plane(data: Planes, removed: Planes | None, scales: Scales, plane: int) -> Coarse:
    """One plane of a block."""
    own = slice(plane, plane + 1)
    [left] = subtracted(data[own], None if removed is None else removed[own], scales[own])
    return left


def added(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """The counts of two blocks."""
    return np.asarray(a + b)


def gathered(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """The pixels of two blocks."""
    return np.concatenate([a, b])


def preview_of(
    block: Columns,
    data: Planes,
    removed: Planes | None,
    _smooth: Smooth | None,
    scales: Scales,
) -> Preview:
    """A small view of a block of the first plane."""
    first = None if removed is None else removed[:1]
    return preview(subtracted(data[:1], first, scales[:1])[0], block.start)


def beside(a: Preview, b: Preview) -> Preview:
    """The small views of two neighbours."""
    return a + b


def component_pieces(
    block: Columns, model: Components, bands: Sequence[TransformBand], kind: type
) -> tuple[tuple[Lines, ...], ...]:
    """Components in a block, transformed along the columns, in pieces for the bands."""
    inside = model.within(block.start, block.stop)
    planes = sidelobes.component_lines(inside, block.start, block.npix, bands, kind)
    return tuple(zip(*planes, strict=True))


def collect(_number: int, pieces: list[tuple[Lines, ...]]) -> list[tuple[Lines, ...]]:
    """The pieces of all blocks for a band, as they are: few columns have components."""
    return pieces


def kernel_pieces(
    block: Columns, psfs: Planes, bands: Sequence[TransformBand], scales: Scales
) -> tuple[tuple[Lines, ...], ...]:
    """A block of the PSFs, normalised, transformed along the columns, in pieces for the bands."""
    planes = (
        sidelobes.kernel_lines(psf * psf.dtype.type(scale), block.start, bands)
        for psf, scale in zip(psfs, scales, strict=True)
    )
    return tuple(zip(*planes, strict=True))


def kernel_of(
    bands: Sequence[TransformBand], number: int, pieces: list[tuple[Lines, ...]]
) -> tuple[NDArray[Any], ...]:
    """A band of the PSFs' transforms."""
    return tuple(sidelobes.transformed(plane, bands[number]) for plane in zip(*pieces, strict=True))


def sidelobe_pieces(
    band: TransformBand,
    lines: Sequence[tuple[Lines, ...]],
    kernels: tuple[NDArray[Any], ...],
    blocks: Sequence[Columns],
) -> tuple[tuple[NDArray[Any], ...], ...]:
    """A band of the components' sidelobes, back along the rows, in pieces for the blocks."""
    planes = [
        sidelobes.convolved_rows(plane, kernel, band)
        for plane, kernel in zip(zip(*lines, strict=True), kernels, strict=True)
    ]
    return tuple(
        tuple(rows[:, block.start : block.stop].copy() for rows in planes) for block in blocks
    )


def sidelobes_of(
    npix: int, side: int, _number: int, pieces: list[tuple[NDArray[Any], ...]]
) -> Planes:
    """A block of columns of the components' sidelobes."""
    return tuple(sidelobes.columns_of(plane, side, npix) for plane in zip(*pieces, strict=True))


def image_pieces(
    block: Columns, data: Planes, bands: Sequence[TransformBand], scales: Scales
) -> tuple[tuple[Lines, ...], ...]:
    """A block of the residual, transformed along the columns, in pieces for the bands."""
    planes = (
        sidelobes.image_lines(plane, block.start, bands) for plane in subtracted(data, None, scales)
    )
    return tuple(zip(*planes, strict=True))


def joined_lines(
    bands: Sequence[TransformBand], number: int, pieces: list[tuple[Lines, ...]]
) -> tuple[NDArray[Any], ...]:
    """A band of the residual's transform in every plane."""
    return tuple(sidelobes.transformed(plane, bands[number]) for plane in zip(*pieces, strict=True))


def smooth_pieces(
    band: TransformBand,
    planes: tuple[NDArray[Any], ...],
    blocks: Sequence[Columns],
    extended: tuple[Scale, ...],
) -> tuple[tuple[tuple[NDArray[Any], ...], ...], ...]:
    """A band of the residual at extended scales, back along the rows, in pieces for the blocks.

    Of every block, scale and plane: the columns where components may stand.
    """
    pieces: list[list[tuple[NDArray[Any], ...]]] = [[] for _ in blocks]
    for scale in extended:
        kernel = shapes.spectrum_in(band, scale.diameter, planes[0].real.dtype.type)
        rows = [sidelobes.back_along_rows(plane * kernel) for plane in planes]
        for block, own in zip(blocks, pieces, strict=True):
            columns = sampled(block.start, block.stop, scale.step)
            own.append(tuple(line[:, block.start : block.stop][:, columns].copy() for line in rows))
    return tuple(map(tuple, pieces))


def smooth_of(
    npix: int,
    side: int,
    extended: tuple[Scale, ...],
    _number: int,
    pieces: list[tuple[tuple[NDArray[Any], ...], ...]],
) -> Smooth:
    """A block of the residual at extended scales, in the rows where components may stand."""
    smoothed = []
    for scale, bands in zip(extended, zip(*pieces, strict=True), strict=True):
        planes = (
            sidelobes.columns_of(plane, side, npix)[:: scale.step].copy()
            for plane in zip(*bands, strict=True)
        )
        smoothed.append(tuple(planes))
    return tuple(smoothed)
