"""Conditions of a skim: which events fulfil them, and which conditions follow from which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.spec.objects import column_of
from spectrum_workflows.hep.spec.skim import LimitsSpec, RequirementSpec


def fulfilled(branches: ak.Array, require: Mapping[str, RequirementSpec]) -> NDArray[np.bool_]:
    """Whether events fulfil all conditions; shape (n_events,).

    Numbers are compared in double precision.

    Parameters
    ----------
    branches : ak.Array, shape (n_events,)
        With the columns that the conditions look at, as in the file.
    require : mapping of str to RequirementSpec

    Raises
    ------
    DataError
        A column is not of numbers, one or a list of them per event.
    """
    mask = np.ones(len(branches), np.bool_)
    for name, requirement in require.items():
        where = f"skim.require.{name}"
        if requirement.limited:
            numbers = {c: _numbers(branches, column_of(c), where) for c in requirement.limited}
            mask &= _within(numbers, requirement)
        else:
            mask &= _counted(branches, requirement, where) >= requirement.at_least
    return mask


def _counted(branches: ak.Array, requirement: RequirementSpec, where: str) -> NDArray[np.int64]:
    """How many items of every event are within their limits."""
    total = np.zeros(len(branches), np.int64)
    for collection, limits in requirement.items.items():
        known: NDArray[np.int64] | None = None
        numbers = {}
        for column in limits.limited:
            branch = f"{collection}_{column_of(column)}"
            numbers[column], offsets = _items(branches, branch, where)
            if known is not None and not np.array_equal(offsets, known):
                message = f"{branch} has other numbers of items than {collection}'s other columns"
                raise DataError(message, where, "name columns of one collection")
            known = offsets
        assert known is not None
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(_within(numbers, limits))])
        total += before[known[1:]] - before[known[:-1]]
    return total


def _within(numbers: Mapping[str, NDArray[Any]], limits: LimitsSpec) -> NDArray[np.bool_]:
    """Whether numbers are within limits; what is no number is not."""
    values = {
        column: np.abs(array.astype(np.float64))
        if column_of(column) != column
        else array.astype(np.float64)
        for column, array in numbers.items()
    }
    mask: NDArray[np.bool_] = np.ones(len(next(iter(values.values()))), np.bool_)
    for column, least in limits.minimum.items():
        mask &= values[column] >= least
    for column, largest in limits.maximum.items():
        mask &= values[column] <= largest
    return mask


def _numbers(branches: ak.Array, name: str, where: str) -> NDArray[Any]:
    layout = ak.to_layout(ak.to_packed(branches[name]))
    if not isinstance(layout, ak.contents.NumpyArray) or layout.data.ndim != 1:
        raise _other(branches, name, where, "one number per event")
    return np.asarray(layout.data)


def _items(branches: ak.Array, name: str, where: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Numbers of all items, and where those of each event begin."""
    layout = ak.to_layout(ak.to_packed(branches[name]))
    lists = isinstance(layout, ak.contents.ListOffsetArray)
    if not lists or not isinstance(layout.content, ak.contents.NumpyArray):
        raise _other(branches, name, where, "a list of numbers per event")
    if layout.content.data.ndim != 1:
        raise _other(branches, name, where, "a list of numbers per event")
    return np.asarray(layout.content.data), np.asarray(layout.offsets).astype(np.int64)


def _other(branches: ak.Array, name: str, where: str, expected: str) -> DataError:
    remedy = "limits of items stand in items.COLLECTION, those of numbers per event do not"
    return DataError(f"{name} is {branches[name].type}, not {expected}", where, remedy)


def not_implied(asked: Mapping[str, RequirementSpec], kept: Mapping[str, RequirementSpec]) -> str:
    """Name of a condition that was kept by and does not follow from what is asked; else empty.

    It follows if one condition that is asked is the same or tighter, limit by limit: what
    would follow from several together is taken for what does not.
    """
    for name, loose in kept.items():
        if not any(_implies(tight, loose) for tight in asked.values()):
            return name
    return ""


def _implies(tight: RequirementSpec, loose: RequirementSpec) -> bool:
    """Whether whatever fulfils one condition fulfils another."""
    if loose.limited:
        return _inside(tight, loose)
    if not tight.items or tight.at_least < loose.at_least:
        return False
    return all(
        name in loose.items and _inside(limits, loose.items[name])
        for name, limits in tight.items.items()
    )


def _inside(tight: LimitsSpec, loose: LimitsSpec) -> bool:
    """Whether all that is within some limits is within others."""
    lower = all(c in tight.minimum and tight.minimum[c] >= v for c, v in loose.minimum.items())
    upper = all(c in tight.maximum and tight.maximum[c] <= v for c, v in loose.maximum.items())
    return lower and upper
