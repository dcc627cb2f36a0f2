"""Replicas of the histograms of some events, filled in one pass: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.binning import axes_of, coordinates
from spectrum_workflows.hep.binning import numbers as numbers_of
from spectrum_workflows.hep.types import Observable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.bootstrap.keys import Resampling
    from spectrum_workflows.hep.spec import HistogramSpec

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
        What is added up: weights, and of a profile weights times values.
    """

    events: NDArray[np.int64]
    cells: NDArray[np.int64]
    moments: tuple[NDArray[np.float64], ...]


def replicas_of(
    regions: Mapping[str, Observable],
    histograms: Mapping[str, HistogramSpec],
    resampling: Resampling,
) -> dict[str, NDArray[np.float64]]:
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
    dict of str to ndarray, shape (…, replicas)
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
    shapes = {
        name: tuple(axis.extent for axis in axes_of(name, histograms[name]))
        for name in resampling.histograms
    }
    sums = {
        name: np.zeros((2 if histograms[name].profile else 1, math.prod(shape), replicas))
        for name, shape in shapes.items()
    }
    at_once = max(2, BLOCK // max(len(some), 1) // 2 * 2)
    for first in range(0, replicas, at_once):
        numbers = np.empty((len(some), min(at_once, replicas - first)), np.uint8)
        draws.draw(some, first, numbers)
        for name in resampling.histograms:
            own = _entries(name, histograms[name], regions)  # of one at a time, to save memory
            rows = row[own.events]
            for moment, out in zip(own.moments, sums[name], strict=True):
                draws.add(numbers, rows, own.cells, moment, first, out)
    return {name: _shaped(sums[name], shape) for name, shape in shapes.items()}


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
    cells = np.zeros(len(first.values), np.int64)
    for axis, values in zip(axes, coordinates(spec.axes(name), observables), strict=True):
        cells = cells * axis.extent + _places(axis, values)
    weights = np.ones(len(cells)) if first.weights is None else first.weights.astype(np.float64)
    moments: tuple[NDArray[np.float64], ...] = (weights,)
    if spec.profile:
        averaged = numbers_of(observables[-1].values, spec.profile)
        moments = (weights, weights * averaged.astype(np.float64))
    return _Entries(_events(name, spec, regions), cells, moments)


def _places(axis: Any, values: NDArray[Any]) -> NDArray[np.int64]:
    """Where values are on an axis; 0 is the underflow, where there is one."""
    places: NDArray[np.int64]
    if axis.traits.ordered:
        places = np.asarray(axis.index(values), np.int64) + int(axis.traits.underflow)
        return places
    listed = np.asarray(list(axis))
    order = np.argsort(listed)
    near = order[np.minimum(np.searchsorted(listed, values, sorter=order), len(listed) - 1)]
    places = np.where(listed[near] == values, near, len(listed))
    return places


def _shaped(sums: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Sums by bin and replica, those of a profile before the replicas."""
    every = [of.reshape(*shape, -1) for of in sums]
    return every[0] if len(every) == 1 else np.stack(every, axis=-2)
