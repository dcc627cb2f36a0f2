"""The strip operator: visibilities of all strips to an image, and its adjoint.

image:    a strip's visibilities -> coarse samples -> slices, one per block of
          columns -> interpolated, added up in order of the strips -> block
predict:  components -> a strip's coarse samples of them -> its visibilities
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.gridding import dirty2windows, windows2dirty, working_type
from spectrum_workflows.radio.strips.interpolation import interpolated, span, transposed
from spectrum_workflows.radio.types import Pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.strips.types import Coarse, Columns, Strip, StripLayout
    from spectrum_workflows.radio.types import Visibilities


def sampled(
    data: Sequence[Visibilities],
    vis: Sequence[NDArray[np.complex64]],
    strip: Strip,
    layout: StripLayout,
) -> Coarse:
    """Coarse samples of a strip's weighted dirty image, not normalised.

    Parameters
    ----------
    data : sequence of Visibilities
        Of this strip only, with imaging weights; those of each list of frequencies.
    vis : sequence of ndarray of complex64, shape (nrow, nchan)
        What to grid at their coordinates.
    strip : Strip
    layout : StripLayout

    Returns
    -------
    ndarray, shape (strip.x.count, layout.y.count)
        Exact samples of the strip's image, the w term included.
    """
    pixels = pixels_of(strip, layout)
    filled = [n for n, own in enumerate(data) if own.weight.size]
    if not filled:
        return np.zeros((pixels.columns, pixels.rows), working_type(pixels.epsilon))
    return windows2dirty([data[n] for n in filled], [vis[n] for n in filled], pixels)


def slices(samples: Coarse, strip: Strip, layout: StripLayout) -> tuple[Coarse, ...]:
    """Those samples that each block of columns needs."""
    spans = (span(strip.x, block.start, block.stop) for block in layout.blocks)
    return tuple(samples[first:last] for first, last in spans)


def column_block(parts: Sequence[Coarse], block: Columns, layout: StripLayout) -> Coarse:
    """Columns of the image from the slices of all strips.

    Parameters
    ----------
    parts : sequence of ndarray
        In order of the strips.
    block : Columns
    layout : StripLayout

    Returns
    -------
    ndarray, shape (npix, block.stop - block.start)
        In FITS orientation.
    """
    total = np.zeros((block.stop - block.start, layout.y.count), parts[0].dtype)
    for part, strip in zip(parts, layout.strips, strict=True):
        total += interpolated(part, strip.x, block.start, block.stop)
    first, last = span(layout.y, 0, layout.y.npix)
    lines = np.ascontiguousarray(total.T[first:last])
    return interpolated(lines, layout.y, 0, layout.y.npix)


def model_samples(model: Components, strip: Strip, layout: StripLayout) -> Coarse:
    """A strip's coarse model of one plane: the transpose of what `column_block` makes of samples.

    Only columns with components are worked on, one block of the image after the other.

    Parameters
    ----------
    model : Components
        Of this plane only.
    strip : Strip
    layout : StripLayout

    Returns
    -------
    ndarray, shape (strip.x.count, layout.y.count)
        Jy/pixel.
    """
    npix, kind = layout.geometry.npix, working_type(layout.geometry.epsilon)
    total = np.zeros((strip.x.count, layout.y.count), kind)
    top, bottom = span(layout.y, 0, npix)
    for block in layout.blocks:
        used, [lines] = model.within(block.start, block.stop).lines(npix, kind)
        if len(used):
            rows = np.ascontiguousarray(transposed(lines, layout.y, 0, npix).T)
            first, last = span(strip.x, block.start, block.stop)
            samples = transposed(rows, strip.x, block.start, block.stop, where=used)
            total[first:last, top:bottom] += samples
    return total


def visible(
    samples: Coarse, data: Sequence[Visibilities], strip: Strip, layout: StripLayout
) -> tuple[NDArray[np.complex64], ...]:
    """Visibilities of a coarse model at a strip's coordinates: `sampled`'s adjoint.

    Returns
    -------
    tuple of ndarray of complex64, shape (nrow, nchan)
        Of each list of frequencies, Jy; 0 where the weight is 0.
    """
    of_lists = {n: own.visibility for n, own in enumerate(data)}  # of nothing where it is empty
    if filled := [n for n, own in enumerate(data) if own.weight.size]:
        seen = dirty2windows(samples, [data[n] for n in filled], pixels_of(strip, layout))
        of_lists |= dict(zip(filled, seen, strict=True))
    return tuple(of_lists.values())


def pixels_of(strip: Strip, layout: StripLayout) -> Pixels:
    """The coarse samples as the gridder's pixels."""
    cell = layout.geometry.cell
    return Pixels(
        columns=strip.x.count,
        rows=layout.y.count,
        width=cell / strip.x.ratio,
        height=cell / layout.y.ratio,
        epsilon=layout.geometry.epsilon,
    )
