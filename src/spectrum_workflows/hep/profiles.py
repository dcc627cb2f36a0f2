"""Profiles: the mean of a quantity in bins of others, its spread and its error.

They are filled as sums, which add up in any order of signs of the weights; means come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError

Floats = NDArray[np.float64]

MOMENT = "moment"
"""Name of the last axis of sums, over `SUMS`."""

SUMS = 4
"""Sums of every bin: of weights, of their squares, of weighted values, of weighted squares."""

LARGEST_VALUE = 1e100
"""Beyond it, sums of weighted squares may overflow."""

ROUNDING = 16 * np.finfo(np.float64).eps
"""A difference of sums that is smaller, relative to them, is none."""


def empty_sums(axes: Sequence[Any], name: str) -> hist.Hist:
    """Sums of a profile with nothing in them: a bin of these axes has four."""
    moments = hist.axis.Integer(0, SUMS, flow=False, name=MOMENT)
    return hist.Hist(*axes, moments, storage=hist.storage.Double(), name=name)


def are_sums(h: hist.Hist) -> bool:
    """Whether these are sums of a profile."""
    return bool(h.axes[-1].name == MOMENT)


def is_profile(h: hist.Hist) -> bool:
    """Whether bins hold means, not events."""
    return str(getattr(h.kind, "value", h.kind)) == "MEAN"


def fill_sums(
    sums: hist.Hist,
    coordinates: Sequence[NDArray[Any]],
    values: NDArray[Any],
    weights: NDArray[Any] | None,
) -> hist.Hist:
    """Fill values into the bins of their coordinates.

    Parameters
    ----------
    sums : hist.Hist
        From `empty_sums`.
    coordinates : sequence of ndarray, shape (n,)
        One for each axis.
    values : ndarray, shape (n,)
        Of which the mean is taken.
    weights : ndarray, shape (n,), optional
        1 if left out.

    Raises
    ------
    DataError
        A value is so large that its square cannot be summed.
    """
    for k, moment in enumerate(moments_of(values, weights, sums.name)):
        sums.fill(*coordinates, np.full(len(moment), k, np.int32), weight=moment)
    return sums


def moments_of(
    values: NDArray[Any], weights: NDArray[Any] | None, name: str
) -> tuple[Floats, Floats, Floats, Floats]:
    """What is added up for every entry of the profile of this name; see `SUMS`.

    Raises
    ------
    DataError
        A value is so large that its square cannot be summed.
    """
    v = np.asarray(values, np.float64)
    if v.size and float(np.abs(v).max()) > LARGEST_VALUE:
        message = f"the profile {name!r} is of values beyond {LARGEST_VALUE:g}"
        raise DataError(message, "select", "their squares cannot be summed")
    w = np.ones(len(v)) if weights is None else np.asarray(weights, np.float64)
    return w, w * w, w * v, w * v * v


def means_of(sums: hist.Hist) -> hist.Hist:
    """The profile of its sums, as ``hist`` has it.

    Returns
    -------
    hist.Hist
        With ``WeightedMean`` storage.  A bin whose weights add up to nothing has no mean: NaN.
    """
    contents = np.moveaxis(np.asarray(sums.view(flow=True), np.float64), -1, 0)
    return _of_sums(sums.axes[:-1], contents, sums.name)


def sums_of(h: hist.Hist) -> Floats:
    """The sums of a profile; shape (4, …) with flow bins."""
    view = h.view(flow=True)
    w, mean = np.asarray(view["sum_of_weights"]), np.asarray(view["value"])
    squares = np.asarray(view["_sum_of_weighted_deltas_squared"]) + w * mean**2
    return np.stack([w, np.asarray(view["sum_of_weights_squared"]), w * mean, squares])


def scaled(h: hist.Hist, factor: float) -> hist.Hist:
    """A profile of events that count so many times as much; the means stay."""
    other = h.copy()
    view = other.view(flow=True)
    view["sum_of_weights"] *= factor
    view["sum_of_weights_squared"] *= factor**2
    view["_sum_of_weighted_deltas_squared"] *= factor
    if not np.isfinite(factor):
        view["value"] = np.nan
    return other


def added(profiles: Sequence[hist.Hist], like: hist.Hist | None = None) -> hist.Hist:
    """One profile of the events of several; those whose weights are no numbers add nothing.

    Parameters
    ----------
    profiles : sequence of hist.Hist
    like : hist.Hist, optional
        Whose axes and name it has; the first of them if left out.
    """
    each = [sums_of(h) for h in profiles]
    contents = np.sum([np.where(np.isnan(sums[0]), 0.0, sums) for sums in each], axis=0)
    like = profiles[0] if like is None else like
    return _of_sums(like.axes, contents, like.name)


def projected(h: hist.Hist, k: int) -> hist.Hist:
    """The profile on one of its axes, over all bins of the others, flow bins included."""
    others = tuple(n + 1 for n in range(len(h.axes)) if n != k)
    return _of_sums([h.axes[k]], sums_of(h).sum(axis=others), h.name)


def events_of(h: hist.Hist) -> hist.Hist:
    """The histogram of the events that are in a profile; any other as it is."""
    return with_sums(h, *sums_of(h)[:2]) if is_profile(h) else h


def with_sums(h: hist.Hist, values: Floats, variances: Floats) -> hist.Hist:
    """A histogram on the axes of another, with these contents."""
    other: hist.Hist = hist.Hist(*h.axes, storage=hist.storage.Weight(), name=h.name)
    view = other.view(flow=True)
    view["value"], view["variance"] = values, variances
    return other


def effective(h: hist.Hist, *, flow: bool = False) -> Floats:
    """Effective numbers of entries: the sum of weights squared over the sum of their squares."""
    return np.asarray(h.counts(flow=flow), np.float64)


def spread(h: hist.Hist, *, flow: bool = False) -> Floats:
    """Standard deviation of the quantity of a profile in every bin.

    It is estimated without bias, with weights that say how much an entry counts.

    Parameters
    ----------
    h : hist.Hist
        With ``WeightedMean`` storage: a profile of a result, or from `fill`.
    flow : bool
        Whether what lies outside the axes is given, too.

    Returns
    -------
    ndarray, shape of the axes
        NaN where there are no two entries; 0 below some 6e-8 of the mean, which sums cannot tell.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(2, 0, 2, name="x")
    >>> response = hep.fill([0.5, 0.5, 1.5], axis, profile=[0.9, 1.1, 1.0])
    >>> hep.spread(response).round(3).tolist()
    [0.141, nan]
    """
    view = h.view(flow=flow)
    w, w2 = np.asarray(view["sum_of_weights"]), np.asarray(view["sum_of_weights_squared"])
    deltas = np.asarray(view["_sum_of_weighted_deltas_squared"])
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = w - w2 / w
        enough = (w**2 > w2 * (1 + ROUNDING)) & (deltas / degrees >= 0)
        return np.where(enough, np.sqrt(np.abs(deltas / degrees)), np.nan)


def loses_digits(h: hist.Hist) -> bool:
    """Whether a spread is so small beside its mean that the sums have no six digits of it."""
    squares = sums_of(h)[-1]
    deltas = np.asarray(h.view(flow=True)["_sum_of_weighted_deltas_squared"])
    several = effective(h, flow=True) > 1 + ROUNDING
    with np.errstate(divide="ignore", invalid="ignore"):
        return bool(np.any(several & (deltas != 0) & (np.abs(deltas) < LEAST * np.abs(squares))))


def error_of_mean(h: hist.Hist, *, flow: bool = False) -> Floats:
    """Statistical error of the means of a profile.

    It is the `spread` over the root of the effective number of entries, (Σw)²/Σw²: ``variances()``
    of hist is its square for weights of 1 only.

    Parameters
    ----------
    h : hist.Hist
        With ``WeightedMean`` storage: a profile of a result, or from `fill`.
    flow : bool
        Whether what lies outside the axes is given, too.

    Returns
    -------
    ndarray, shape of the axes
        NaN where there are no two entries.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(2, 0, 2, name="x")
    >>> response = hep.fill([0.5, 0.5, 1.5], axis, profile=[0.9, 1.1, 1.0])
    >>> hep.error_of_mean(response).round(3).tolist()
    [0.1, nan]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(spread(h, flow=flow) / np.sqrt(effective(h, flow=flow)))


def _of_sums(axes: Sequence[Any], sums: Floats, name: str | None) -> hist.Hist:
    w, w2, wv, wv2 = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(w != 0, wv / w, np.where((w2 == 0) & (wv == 0), 0.0, np.nan))
        deltas = wv2 - wv * mean
    size = np.abs(wv2) + np.abs(wv * mean)
    deltas = np.where(np.abs(deltas) <= ROUNDING * size, 0.0, deltas)
    h: hist.Hist = hist.Hist(*axes, storage=hist.storage.WeightedMean(), name=name)
    view = h.view(flow=True)
    for field, numbers in zip(FIELDS, (w, w2, mean, deltas), strict=True):
        view[field] = numbers
    return h


LEAST = 1e-10
"""Squared deviations over squares: of less, fewer than six digits are left."""

FIELDS = ("sum_of_weights", "sum_of_weights_squared", "value", "_sum_of_weighted_deltas_squared")
"""Of ``WeightedMean`` storage, in its order."""

ARRAYS = ("sums_of_weights", "sums_of_squared_weights", "means", "sums_of_squared_deviations")
"""What the arrays of a result call them."""


def arrays(h: hist.Hist) -> dict[str, Floats]:
    """A profile as arrays with flow bins, by the names of `ARRAYS`."""
    view = h.view(flow=True)
    return {
        name: np.array(view[field], np.float64) for name, field in zip(ARRAYS, FIELDS, strict=True)
    }


def of_arrays(sums: hist.Hist, saved: dict[str, Floats]) -> hist.Hist:
    """The profile of such arrays, on the axes of empty sums."""
    h: hist.Hist = means_of(sums)
    view = h.view(flow=True)
    for name, field in zip(ARRAYS, FIELDS, strict=True):
        view[field] = saved[name].reshape(view.shape)
    return h
