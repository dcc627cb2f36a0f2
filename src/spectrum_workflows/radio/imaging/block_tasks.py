"""CLEAN's tasks on a block of columns or a band of frequencies, and the joins of their pieces.

A block, or a band, holds every plane: one array for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.deconvolution import sidelobes
from spectrum_workflows.radio.deconvolution.residual_image import Active, active, strength
from spectrum_workflows.radio.imaging.preview import Preview, preview

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.deconvolution.sidelobes import Band, Lines
    from spectrum_workflows.radio.strips.types import Coarse, Columns

    Planes = tuple[Coarse, ...]
    """A block's columns in every plane."""

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


def peak_of(_block: Columns, data: Planes, removed: Planes | None, scales: Scales) -> float:
    """Largest strength in a block."""
    left = subtracted(data, removed, scales)
    if len(left) == 1:  # without another array of its size
        return float(np.maximum(left[0].max(), -left[0].min()))
    return float(strength(left).max())


def larger(a: float, b: float) -> float:
    """The larger peak; NaN if either is."""
    return float(np.maximum(a, b))


def active_of(
    block: Columns, data: Planes, removed: Planes | None, scales: Scales, level: float
) -> Active:
    """Active pixels of a block, with their positions in the image."""
    return active(subtracted(data, removed, scales), level, block.start)


def both(level: float, a: Active, b: Active) -> Active:
    """The active pixels of two neighbours."""
    return (a + b).strongest(level)


def preview_of(block: Columns, data: Planes, removed: Planes | None, scales: Scales) -> Preview:
    """A small view of a block of the first plane."""
    first = None if removed is None else removed[:1]
    return preview(subtracted(data[:1], first, scales[:1])[0], block.start)


def beside(a: Preview, b: Preview) -> Preview:
    """The small views of two neighbours."""
    return a + b


def component_pieces(
    block: Columns, model: Components, bands: Sequence[Band], kind: type
) -> tuple[tuple[Lines, ...], ...]:
    """Components in a block, transformed along the columns, in pieces for the bands."""
    inside = model.within(block.start, block.stop)
    planes = sidelobes.component_lines(inside, block.start, block.npix, bands, kind)
    return tuple(zip(*planes, strict=True))


def collect(_number: int, pieces: list[tuple[Lines, ...]]) -> list[tuple[Lines, ...]]:
    """The pieces of all blocks for a band, as they are: few columns have components."""
    return pieces


def kernel_pieces(
    block: Columns, psfs: Planes, bands: Sequence[Band], scales: Scales
) -> tuple[tuple[Lines, ...], ...]:
    """A block of the PSFs, normalised, transformed along the columns, in pieces for the bands."""
    planes = (
        sidelobes.kernel_lines(psf * psf.dtype.type(scale), block.start, bands)
        for psf, scale in zip(psfs, scales, strict=True)
    )
    return tuple(zip(*planes, strict=True))


def kernel_of(
    bands: Sequence[Band], number: int, pieces: list[tuple[Lines, ...]]
) -> tuple[NDArray[Any], ...]:
    """A band of the PSFs' transforms."""
    return tuple(sidelobes.transformed(plane, bands[number]) for plane in zip(*pieces, strict=True))


def sidelobe_pieces(
    band: Band,
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
