"""Coarse samples to pixels along one axis, and the transpose of that.

The filter is a band matrix.  It is applied as small dense blocks, `STEP` pixels
at a time, so that the work is done by matrix products.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.strips.bandpass import response

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.strips.types import Coarse, CoarseAxis

STEP = 64


def span(axis: CoarseAxis, start: int, stop: int) -> tuple[int, int]:
    """The range of samples that pixels ``start:stop`` are made of."""
    if not axis.taps:
        return start, stop
    first, _ = response(axis, start, start + 1)
    last, _ = response(axis, stop - 1, stop)
    return int(first[0]), int(last[0]) + axis.taps


def interpolated(samples: Coarse, axis: CoarseAxis, start: int, stop: int) -> Coarse:
    """Pixels ``start:stop`` from the samples in their `span`.

    Parameters
    ----------
    samples : ndarray, shape (last - first, m)
        The samples ``first:last = span(axis, start, stop)`` of m lines.
    axis : CoarseAxis
    start, stop : int

    Returns
    -------
    ndarray, shape (stop - start, m)
        In the precision of ``samples``.
    """
    if not axis.taps:
        return samples
    out = np.empty((stop - start, samples.shape[1]), samples.dtype)
    begin, _ = span(axis, start, stop)
    for pixels, first, matrix in filter_blocks(axis, start, stop, samples.dtype.char):
        used = samples[first - begin : first - begin + matrix.shape[1]]
        np.matmul(matrix, used, out=out[pixels])
    return out


def transposed(
    pixels: Coarse,
    axis: CoarseAxis,
    start: int,
    stop: int,
    *,
    where: NDArray[np.int64] | None = None,
) -> Coarse:
    """Contribution of pixels ``start:stop`` to the samples in their `span`.

    The transpose of `interpolated`: shape (stop - start, m) to (last - first, m).
    Where most pixels are 0, ``where`` counts the others from ``start``, rising, and
    ``pixels`` holds only these.
    """
    begin, end = span(axis, start, stop)
    out = np.zeros((end - begin, pixels.shape[1]), pixels.dtype)
    if where is None:
        where = np.arange(stop - start)
    if not axis.taps:
        out[where] = pixels
        return out
    for part, first, matrix in filter_blocks(axis, start, stop, pixels.dtype.char):
        low, high = np.searchsorted(where, (part.start, part.stop))
        if low < high:
            used = matrix[where[low:high] - part.start]
            out[first - begin : first - begin + matrix.shape[1]] += used.T @ pixels[low:high]
    return out


@lru_cache(maxsize=256)
def filter_blocks(
    axis: CoarseAxis, start: int, stop: int, kind: str
) -> tuple[tuple[slice, int, NDArray[Any]], ...]:
    """Blocks of the filter: which pixels, the first sample, and the weights."""
    first, weight = response(axis, start, stop)
    blocks = []
    for begin in range(0, stop - start, STEP):
        rows = slice(begin, min(begin + STEP, stop - start))
        own = first[rows] - first[begin]
        matrix = np.zeros((len(own), int(own[-1]) + axis.taps), kind)
        place = own[:, None] + np.arange(axis.taps)
        matrix[np.arange(len(own))[:, None], place] = weight[rows]
        blocks.append((rows, int(first[begin]), matrix))
    return tuple(blocks)
