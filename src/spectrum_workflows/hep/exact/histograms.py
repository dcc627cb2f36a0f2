"""Histograms whose contents are exact sums, until they are rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.hep.binning import cells_of
from spectrum_workflows.hep.exact import sums
from spectrum_workflows.hep.types.sums import ExactHistogram

if TYPE_CHECKING:
    import hist
    from numpy.typing import NDArray

    from spectrum_workflows.hep.types.sums import Filling


def fill(
    empty: hist.Hist,
    axes: Sequence[Any],
    coordinates: Sequence[NDArray[Any]],
    moments: Sequence[NDArray[np.float64]],
) -> ExactHistogram:
    """Fill entries.

    Parameters
    ----------
    empty : hist.Hist
    axes : sequence
        Its axes, without one that tells moments apart.
    coordinates : sequence of ndarray, shape (n,)
        One for each axis.
    moments : sequence of ndarray, shape (n,)
        What is added up.

    Raises
    ------
    DataError
        One of them is infinite.
    """
    n_bins = math.prod(axis.extent for axis in axes)
    return ExactHistogram(empty, sums.sums_in(cells_of(axes, coordinates), moments, n_bins))


def added(a: Filling, b: Filling) -> Filling:
    """The sum of two histograms: exact, since contents that are float64 are whole numbers."""
    if isinstance(a, ExactHistogram) or isinstance(b, ExactHistogram):
        one, other = _exact(a), _exact(b)
        return ExactHistogram(one.like, sums.both(one.sums, other.sums))
    return a + b


def rounded(h: Filling) -> hist.Hist:
    """The histogram, with contents of float64."""
    if not isinstance(h, ExactHistogram):
        return h
    out = h.like.copy()
    view, contents = out.view(flow=True), sums.rounded(h.sums)
    if view.dtype.names is None:
        view[...] = contents.reshape(view.shape)
    else:
        view["value"] = contents[:, 0].reshape(view.shape)
        view["variance"] = contents[:, 1].reshape(view.shape)
    return out


def shape_of(like: hist.Hist) -> tuple[int, int]:
    """Bins and moments of a histogram's sums."""
    view = like.view(flow=True)
    if view.dtype.names is None:
        return view.size // view.shape[-1], view.shape[-1]
    return view.size, len(view.dtype.names)


def _exact(h: Filling) -> ExactHistogram:
    if isinstance(h, ExactHistogram):
        return h
    view = h.view(flow=True)
    contents = view if view.dtype.names is None else np.stack([view.value, view.variance], axis=-1)
    exact = sums.reshaped(sums.exactly(np.asarray(contents)), *shape_of(h))
    return ExactHistogram(h.copy().reset(), exact)
