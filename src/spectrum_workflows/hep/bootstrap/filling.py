"""Replicas of the histograms of some events, filled in one pass: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.binning import axes_of, cells_of, coordinates
from spectrum_workflows.hep.binning import numbers as numbers_of
from spectrum_workflows.hep.exact import kernel
from spectrum_workflows.hep.exact.sums import bits_of, carried, places_of, reshaped
from spectrum_workflows.hep.types import Observable
from spectrum_workflows.hep.types.sums import ExactSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.bootstrap.keys import Resampling
    from spectrum_workflows.hep.spec import HistogramSpec
    from spectrum_workflows.hep.types.sums import Sums

BLOCK = 1 << 24
"""Bytes of Poisson numbers that are in memory at a time."""


@dataclass(frozen=True)
class _Entries:
    """What is filled into one histogram.

    Attributes
    ----------
    events, cells : ndarray of int, shape (n_entries,)
        Event and bin of every entry; flow bins count, the last axis is fastest.
    moments : tuple of ndarray, shape (n_entries,)
        What is added up: weights, and of a profile weights times values; none of entries that
        count 1.
    """

    events: NDArray[np.int64]
    cells: NDArray[np.int64]
    moments: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class _Replicas:
    """Replicas of one histogram, which are being filled.

    Attributes
    ----------
    axes : tuple of int
        Bins of each axis.
    sums : ndarray, shape (n_bins, n_replicas), or int64 (n_moments, n_digits, n_bins, n_replicas)
        Numbers of entries, or digits of exact sums.
    lowest : int or None
        Place of the first of the digits.
    """

    axes: tuple[int, ...]
    sums: NDArray[Any]
    lowest: int | None


def replicas_of(
    regions: Mapping[str, Observable],
    histograms: Mapping[str, HistogramSpec],
    resampling: Resampling,
) -> dict[str, Sums]:
    """Fill replicas of nominal histograms: an event counts as often in all that it is in.

    Parameters
    ----------
    regions : mapping of region to Observable
        With weights, and index of the events.
    histograms : mapping of str to HistogramSpec
    resampling : Resampling
        Which of them have how many replicas, and the keys of all events.

    Returns
    -------
    dict of str to ndarray or ExactSums, shape (…, replicas)
        Sums of weights with flow bins.  Of a profile, before the last axis, sums of weights, and of
        weights times values.

    Raises
    ------
    SpecError
        A region does not say which events it holds.
    """
    from spectrum_workflows.hep.bootstrap import draws  # compiled kernels come with it

    keys, replicas = resampling.keys, resampling.replicas
    selected = np.zeros(len(keys), np.bool_)
    for name in resampling.histograms:
        selected[_events(name, histograms[name], regions)] = True
    some, row = keys[selected], np.cumsum(selected) - 1
    filling = {
        name: _empty(name, histograms[name], regions, replicas) for name in resampling.histograms
    }
    at_once = max(2, BLOCK // max(len(some), 1) // 2 * 2)
    for first in range(0, replicas, at_once):
        numbers = np.empty((len(some), min(at_once, replicas - first)), np.uint8)
        draws.draw(some, first, numbers)
        for name, own in filling.items():
            entries = _entries(name, histograms[name], regions)  # of one at a time, to save memory
            _add(own, numbers, row[entries.events], entries, first)
    return {name: _filled(own) for name, own in filling.items()}


def _empty(
    name: str, spec: HistogramSpec, regions: Mapping[str, Observable], replicas: int
) -> _Replicas:
    axes = tuple(axis.extent for axis in axes_of(name, spec))
    moments = _entries(name, spec, regions).moments
    if not moments:
        return _Replicas(axes, np.zeros((math.prod(axes), replicas)), None)
    lowest, n_digits = places_of([bits_of(moment) for moment in moments])
    shape = (len(moments), n_digits, math.prod(axes), replicas)
    return _Replicas(axes, np.zeros(shape, np.int64), lowest)


def _add(
    into: _Replicas, numbers: NDArray[Any], rows: NDArray[Any], entries: _Entries, first: int
) -> None:
    """Add entries, each as often as its event counts in the replicas from the first on."""
    from spectrum_workflows.hep.bootstrap import draws

    if into.lowest is None:
        draws.add(numbers, rows, entries.cells, first, into.sums)
        return
    for moment, sums in zip(entries.moments, into.sums, strict=True):
        bits = bits_of(moment)
        kernel.add_drawn(numbers, rows, entries.cells, bits, into.lowest, first, sums)


def _filled(into: _Replicas) -> Sums:
    """Sums by bin and replica, those of a profile before the replicas."""
    if into.lowest is None:
        return into.sums.reshape(*into.axes, -1)
    by_bin = np.moveaxis(into.sums, 1, -1).swapaxes(0, 1)  # bins, moments, replicas, digits
    sums = ExactSums(carried(by_bin), into.lowest)
    _, n_moments, replicas, _ = by_bin.shape
    by_moment = (n_moments,) if n_moments > 1 else ()
    return reshaped(sums, *into.axes, *by_moment, replicas)


def _events(name: str, spec: HistogramSpec, regions: Mapping[str, Observable]) -> NDArray[np.int64]:
    """The event of every entry of a histogram."""
    index = regions[spec.filled(name)[0]].index
    if index is None:
        raise SpecError(
            f"region {spec.filled(name)[0]!r} does not say which events it holds, which"
            f" [bootstrap] needs for {name!r}",
            "select",
            "return Observable(values, index=positions of the selected events)",
        )
    return index


def _entries(name: str, spec: HistogramSpec, regions: Mapping[str, Observable]) -> _Entries:
    observables = [regions[region] for region in spec.filled(name)]
    first, axes = observables[0], axes_of(name, spec)
    cells = cells_of(axes, coordinates(spec.axes(name), observables))
    moments: tuple[NDArray[np.float64], ...] = ()
    if first.weights is not None:
        moments = (np.asarray(first.weights, np.float64),)
    if spec.profile:
        averaged = numbers_of(observables[-1].values, spec.profile).astype(np.float64)
        weights = moments[0] if moments else np.ones(len(cells))
        moments = (weights, weights * averaged)
    return _Entries(_events(name, spec, regions), cells, moments)
