"""CLEAN's tasks on a block of columns or a band of frequencies, and the joins of their pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.clean import sidelobes
from spectrum_workflows.radio.clean.residual_image import Active, active

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.clean.components import Components
    from spectrum_workflows.radio.clean.sidelobes import Band, Lines
    from spectrum_workflows.radio.strips.types import Coarse, Columns


def left(data: Coarse, removed: Coarse | None, scale: float) -> Coarse:
    """A block of the residual, Jy/beam: what was gridded, less the sidelobes taken from it."""
    found: Coarse = data * data.dtype.type(scale)
    if removed is not None:
        found -= removed
    return found


def peak_of(_block: Columns, data: Coarse, removed: Coarse | None, scale: float) -> float:
    """Largest absolute value in a block."""
    found = left(data, removed, scale)
    return float(np.maximum(found.max(), -found.min()))


def larger(a: float, b: float) -> float:
    """The larger peak; NaN if either is."""
    return float(np.maximum(a, b))


def active_of(
    block: Columns, data: Coarse, removed: Coarse | None, scale: float, level: float
) -> Active:
    """Active pixels of a block, with their positions in the image."""
    return active(left(data, removed, scale), level, block.start)


def both(level: float, a: Active, b: Active) -> Active:
    """The active pixels of two neighbours."""
    return (a + b).strongest(level)


def component_pieces(
    block: Columns, model: Components, bands: Sequence[Band], kind: type
) -> tuple[Lines, ...]:
    """Components in a block, transformed along the columns, in pieces for the bands."""
    inside = model.within(block.start, block.stop)
    return sidelobes.component_lines(inside, block.start, block.npix, bands, kind)


def together(_number: int, pieces: list[Lines]) -> list[Lines]:
    """The pieces of all blocks for a band, as they are: few columns have components."""
    return pieces


def kernel_pieces(
    block: Columns, psf: Coarse, bands: Sequence[Band], scale: float
) -> tuple[Lines, ...]:
    """A block of the PSF, normalised, transformed along the columns, in pieces for the bands."""
    normalised = psf * psf.dtype.type(scale)
    return sidelobes.kernel_lines(normalised, block.start, bands)


def kernel_of(bands: Sequence[Band], number: int, pieces: list[Lines]) -> NDArray[Any]:
    """A band of the PSF's transform."""
    return sidelobes.transformed(pieces, bands[number])


def sidelobe_pieces(
    band: Band, lines: Sequence[Lines], kernel: NDArray[Any], blocks: Sequence[Columns]
) -> tuple[NDArray[Any], ...]:
    """A band of the components' sidelobes, back along the rows, in pieces for the blocks."""
    rows = sidelobes.convolved_rows(lines, kernel, band)
    return tuple(rows[:, block.start : block.stop].copy() for block in blocks)


def sidelobes_of(npix: int, side: int, _number: int, pieces: list[NDArray[Any]]) -> Coarse:
    """A block of columns of the components' sidelobes."""
    return sidelobes.columns_of(pieces, side, npix)
