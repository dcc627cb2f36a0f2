"""Cuts by name: what passes them, and how many events are left after each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class EventCuts:
    """Which events pass every cut, where a spec combines cuts into regions.

    Attributes
    ----------
    passed : mapping of str to ndarray of bool, shape (n_events,)
        By the name of the cut: one true or false for every event that ``select`` was given.
    observables : mapping of str to ndarray, shape (n_events,)
        One number for every event; it may be no number where no region holds the event.
    weights : ndarray, shape (n_events,), optional
        Weight of every event; 1 if left out.
    variations : mapping of str to EventCuts
        The same under systematic variations that ``select`` computes itself.
    """

    passed: Mapping[str, NDArray[Any]]
    observables: Mapping[str, NDArray[Any]]
    weights: NDArray[Any] | None = None
    variations: Mapping[str, EventCuts] = field(default_factory=dict)


@dataclass(frozen=True)
class CutFlow:
    """Events that are left after the cuts of a region, and those that all but one leave.

    Attributes
    ----------
    cuts : tuple of str, length n_cuts
        In their order.
    entries : ndarray of int64, shape (n_cuts + 1,)
        Events that ``select`` was given, and those left after each cut and all before it.
    yields, errors : ndarray, shape (n_cuts + 1,)
        Their sums of weights, normalised as the histograms are, and statistical errors.
    n_minus_1, n_minus_1_errors : ndarray, shape (n_cuts,)
        The same of events that pass all cuts but this one, whether they pass it or not.
    """

    cuts: tuple[str, ...]
    entries: NDArray[np.int64]
    yields: NDArray[np.float64]
    errors: NDArray[np.float64]
    n_minus_1: NDArray[np.float64]
    n_minus_1_errors: NDArray[np.float64]


@dataclass(frozen=True)
class FilterFlow:
    """Events that are left of a sample after each of what comes before the selection.

    Attributes
    ----------
    rows : tuple of str, length n_rows
        In their order, the first of all that were read.
    entries : ndarray of int64, shape (n_rows,)
        Events that are left.
    yields, errors : ndarray, shape (n_rows,)
        Their generator weights, normalised as the histograms are, and statistical errors.
    """

    rows: tuple[str, ...]
    entries: NDArray[np.int64]
    yields: NDArray[np.float64]
    errors: NDArray[np.float64]
