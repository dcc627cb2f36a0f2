"""Event filters: trigger bits, flags and certified luminosity blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.exact.sums import reshaped, sums_in

if TYPE_CHECKING:
    from spectrum_workflows.hep.types.sums import Sums

BLOCKS = 1 << 32
"""More luminosity blocks than a run can have: a NanoAOD number has 32 bits."""

LAST_RUN = 1 << 31
"""More than any run: its blocks have places in 64 bits."""


@dataclass(frozen=True)
class GoodRuns:
    """Certified ranges of luminosity blocks, in rising order and disjoint.

    Attributes
    ----------
    first, last : ndarray, shape (n_ranges,), int64
        ``run * 2**32 + luminosity block`` of both ends, which belong to the range.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]


def good_runs(text: bytes, *, where: str) -> GoodRuns:
    """Read a list of good runs in the format of CMS certification.

    A JSON object of run number to ranges of luminosity blocks, both ends
    included: ``{"194711": [[1, 7], [61, 182]]}``.

    Raises
    ------
    DataError
        The text is not of that form.
    """
    try:
        ranges = [
            (_run(run) * BLOCKS + _block(first), _run(run) * BLOCKS + _block(last))
            for run, blocks in json.loads(text).items()
            for first, last in blocks
        ]
    except (ValueError, TypeError, AttributeError) as error:
        remedy = 'it should look like {"194711": [[1, 7], [61, 182]]}'
        raise DataError(f"not a list of good runs ({error})", where, remedy) from None
    backwards = [(f, last) for f, last in ranges if last < f]
    if backwards or not ranges:
        fault = "holds a range that ends before it begins" if backwards else "is empty"
        raise DataError(f"the list of good runs {fault}", where, "download it again")
    first, last = np.array(sorted(ranges), np.int64).T
    return GoodRuns(first, np.maximum.accumulate(last))


def _run(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < LAST_RUN):
        raise ValueError(f"{text!r} is no run")
    return int(text)


def _block(number: Any) -> int:
    if type(number) is not int or not 0 <= number < BLOCKS:
        raise ValueError(f"{number!r} is no luminosity block")
    return number


def in_good_runs(run: Any, block: Any, good: GoodRuns) -> NDArray[np.bool_]:
    """Whether luminosity blocks are certified.

    Parameters
    ----------
    run, block : array, shape (n_events,)
        ``run`` and ``luminosityBlock``, of any integer type.
    good : GoodRuns
        The certified ranges.

    Returns
    -------
    ndarray, shape (n_events,)
    """
    place = np.asarray(run, np.int64) * BLOCKS + np.asarray(block, np.int64)
    at = np.searchsorted(good.first, place, side="right") - 1
    inside: NDArray[np.bool_] = (at >= 0) & (place <= good.last[at])
    return inside


def any_fired(events: Any, triggers: Sequence[str]) -> NDArray[np.bool_]:
    """Whether at least one of some trigger bits is set; shape (n_events,)."""
    fired = np.zeros(len(events), np.bool_)
    for trigger in triggers:
        fired |= np.asarray(events[trigger], np.bool_)
    return fired


def all_set(events: Any, flags: Sequence[str]) -> NDArray[np.bool_]:
    """Whether all of some flags are set; shape (n_events,)."""
    passed = np.ones(len(events), np.bool_)
    for flag in flags:
        passed &= np.asarray(events[flag], np.bool_)
    return passed


def left(weights: NDArray[Any] | None, passed: NDArray[np.bool_]) -> Sums:
    """Events that pass, and their sums of weights and of squared weights; shape (3,).

    Parameters
    ----------
    weights : ndarray, shape (n_events,), optional
        1 if left out.
    passed : ndarray of bool, shape (n_events,)
    """
    if weights is None:
        return np.full(3, float(np.count_nonzero(passed)))
    own = np.asarray(weights, np.float64)[passed]
    cell = np.zeros(len(own), np.int64)
    return reshaped(sums_in(cell, (np.ones(len(own)), own, own * own), 1), 3)
