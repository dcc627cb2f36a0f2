"""Axes of histograms, and what is filled on them: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.spec.axes import AXIS_NAMES, LARGEST_INTEGER, Axis, HistogramSpec
from spectrum_workflows.hep.types import Observable


def axes_of(name: str, spec: HistogramSpec) -> list[Any]:
    """The axes of the histogram of this name, as the library has them."""
    return library_axes(spec.axes(name), name)


def library_axes(axes: Sequence[Axis], title: str) -> list[Any]:
    """Axes as the library has them, of a histogram with this title."""
    return [_axis(axis, key, title) for axis, key in zip(axes, AXIS_NAMES, strict=False)]


def _axis(axis: Axis, key: str, title: str) -> Any:
    options: dict[str, Any] = {"name": key, "label": axis.label or title}
    if axis.categories:
        kind = hist.axis.StrCategory if axis.of_text else hist.axis.IntCategory
        return kind(axis.categories, overflow=True, **options)
    if axis.edges:
        return hist.axis.Variable(axis.edges, **options)
    if axis.integer:
        return hist.axis.Integer(int(axis.start), int(axis.stop), **options)
    transform = hist.axis.transform.log if axis.log else None
    return hist.axis.Regular(axis.bins, axis.start, axis.stop, transform=transform, **options)


def coordinates(axes: Sequence[Axis], observables: Sequence[Observable]) -> list[NDArray[Any]]:
    """Values of a histogram's entries, as each of its axes takes them.

    Raises
    ------
    DataError
        An axis of numbers has text.
    """
    return [_coordinate(axis, o.values) for axis, o in zip(axes, observables, strict=False)]


def _coordinate(axis: Axis, values: NDArray[Any]) -> NDArray[Any]:
    """Values as their axis takes them."""
    if axis.of_text:
        return np.asarray(values).astype(np.str_)
    values = numbers(values, axis.observable)
    if axis.categories:
        return _codes(axis.categories, np.asarray(values, np.float64))
    if axis.integer:  # as wide as the library counts, whole, and outside where they were
        whole = np.floor(np.asarray(values, np.float64))
        return np.asarray(np.clip(whole, axis.start - 1, axis.stop), np.int32)
    if axis.log and not axis.edges:  # what has no logarithm lies below every axis
        return np.where(values > 0, values, np.nextafter(0, 1))
    return values


def numbers(values: NDArray[Any], region: str) -> NDArray[Any]:
    """Values as numbers, where another histogram of the region has text.

    Raises
    ------
    DataError
        They are no numbers.
    """
    if values.dtype.kind != "U":
        return values
    try:
        return values.astype(np.float64)
    except ValueError:
        message = f"region {region!r} holds text, which is on no axis of numbers"
        raise DataError(message, "select", "give this histogram categories, too") from None


def _codes(categories: Sequence[Any], values: NDArray[np.float64]) -> NDArray[np.int32]:
    """Whole numbers as the library counts them; of what is none one that is not listed."""
    other = next(n for n in range(len(categories) + 1) if n not in categories)
    listable = (values == np.floor(values)) & (np.abs(values) <= LARGEST_INTEGER)
    return np.where(listable, values, other).astype(np.int32)


def cells_of(axes: Sequence[Any], coordinates: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Number of the bin of every entry: flow bins count, the last axis is fastest.

    Parameters
    ----------
    axes : sequence
        As of `axes_of`.
    coordinates : sequence of ndarray, shape (n,)
        As of `coordinates`.
    """
    cells = np.zeros(len(coordinates[0]), np.int64)
    for axis, values in zip(axes, coordinates, strict=True):
        cells = cells * axis.extent + _places(axis, values)
    return cells


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
