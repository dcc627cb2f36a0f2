"""Named cuts of a selection, combined into the regions of a spec: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.exact.sums import reshaped, sums_in
from spectrum_workflows.hep.spec.regions import NOT, region_key
from spectrum_workflows.hep.types import EventCuts, Observable
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.spec.axes import HistogramSpec
    from spectrum_workflows.hep.types.sums import ExactSums

FLOW = ""
"""Observable of a region that is its cut flow; see `_fate`."""


def combine(
    returned: Any,
    regions: Mapping[str, tuple[str, ...]],
    histograms: Mapping[str, HistogramSpec],
    *,
    seen: int,
) -> Any:
    """What a selection returned, as regions: cuts are combined where the spec says so.

    Parameters
    ----------
    returned : EventCuts, or mapping of region to Observable or array
        As returned by ``select``.
    regions : mapping of str to tuple of str
        Cuts of every region; none leaves what was returned as it is.
    histograms : mapping of str to HistogramSpec
        What is filled.
    seen : int
        Events that ``select`` was given.

    Returns
    -------
    mapping of str to Observable
        ``region/observable`` of all that is filled, and ``region/``: the fate of every event.

    Raises
    ------
    SpecError, DataError
        A cut or observable is not there, or not one value per event.
    """
    if not regions:
        if isinstance(returned, EventCuts):
            remedy = "add [regions.NAME] with cuts = [...]"
            raise SpecError("select returned cuts, and the spec has no regions", "select", remedy)
        return returned
    if not isinstance(returned, EventCuts):
        kind = type(returned).__name__
        message = f"select returned a {kind}, and the spec combines cuts into regions"
        remedy = "return hep.EventCuts(passed={...}, observables={...})"
        raise DataError(message, "select", remedy)
    asked: dict[str, list[str]] = {region: [] for region in regions}
    for name, described in histograms.items():
        asked[described.region] += [axis.observable for axis in described.axes(name)]
        asked[described.region] += filter(None, [described.profile])
    varied = {n: _regions(cuts, regions, asked, seen) for n, cuts in returned.variations.items()}
    return {
        name: replace(observable, variations={v: of[name] for v, of in varied.items()})
        for name, observable in _regions(returned, regions, asked, seen).items()
    }


def _regions(
    cuts: EventCuts,
    regions: Mapping[str, tuple[str, ...]],
    asked: Mapping[str, list[str]],
    seen: int,
) -> dict[str, Observable]:
    named = {cut.removeprefix(NOT) for names in regions.values() for cut in names}
    masks = {name: _mask(cuts, name, seen) for name in sorted(named)}
    filled = {observable for names in asked.values() for observable in names}
    values = {name: _values(cuts, name, seen) for name in sorted(filled)}
    weights = None if cuts.weights is None else _per_event(cuts.weights, "weights", seen)
    every, out = np.arange(seen), {}
    for region, names in regions.items():
        fate = _fate([_passes(masks, name) for name in names], seen)
        out[region_key(region, FLOW)] = Observable(fate, weights, every)
        index = np.flatnonzero(fate == PASSED * len(names))
        own = None if weights is None else weights[index]
        for observable in dict.fromkeys(asked[region]):
            out[region_key(region, observable)] = Observable(values[observable][index], own, index)
    return out


PASSED = 2
"""Step of an event's fate from cut to cut."""


def _fate(masks: list[NDArray[np.bool_]], seen: int) -> NDArray[np.int64]:
    """What becomes of every event: twice the number of cuts before the first that it fails.

    One more where it fails no other.
    """
    first, failed = np.full(seen, len(masks)), np.zeros(seen, np.int64)
    for k, mask in reversed(list(enumerate(masks))):
        first[~mask] = k
        failed += ~mask
    fate: NDArray[np.int64] = PASSED * first + (failed == 1)
    return fate


def _passes(masks: Mapping[str, NDArray[np.bool_]], name: str) -> NDArray[np.bool_]:
    mask = masks[name.removeprefix(NOT)]
    return ~mask if name.startswith(NOT) else mask


def _mask(cuts: EventCuts, name: str, seen: int) -> NDArray[np.bool_]:
    if name not in cuts.passed:
        message = f"select returns no cut {name!r}"
        raise SpecError(message, "regions", closest(name, list(cuts.passed)))
    mask = _per_event(cuts.passed[name], f"cut {name!r}", seen)
    if mask.dtype != np.bool_:
        remedy = "return one true or false per event"
        raise DataError(f"cut {name!r} is of type {mask.dtype}", "select", remedy)
    return mask


def _values(cuts: EventCuts, name: str, seen: int) -> NDArray[Any]:
    if name not in cuts.observables:
        message = f"select returns no observable {name!r}"
        raise SpecError(message, "histograms", closest(name, list(cuts.observables)))
    return _per_event(cuts.observables[name], f"observable {name!r}", seen)


def _per_event(given: Any, subject: str, seen: int) -> NDArray[Any]:
    remedy = "return one value for every event that select was given, in their order"
    try:
        array: NDArray[Any] = np.asarray(given)
    except (ValueError, TypeError) as error:
        line = str(error).splitlines()[0]
        raise DataError(f"{subject} is no array ({line})", "select", remedy) from None
    if isinstance(given, np.ma.MaskedArray) or array.shape != (seen,):
        shape = "masked" if isinstance(given, np.ma.MaskedArray) else f"of shape {array.shape}"
        raise DataError(f"{subject} is {shape}, of {seen} events", "select", remedy)
    return array


def counts_of_fates(fates: Observable, n_cuts: int) -> NDArray[np.float64] | ExactSums:
    """Entries, sums of weights and of squared weights of every fate.

    Parameters
    ----------
    fates : Observable
        Of a region, with weights.
    n_cuts : int
        Its cuts.

    Returns
    -------
    ndarray or ExactSums, shape (n_cuts + 1, 2, 3)
        Of events that fail this cut first, or none; those that fail others, too, and those that
        do not.
    """
    fate, n = fates.values.astype(np.int64), PASSED * (n_cuts + 1)
    if fates.weights is None:
        entries = np.bincount(fate, minlength=n).astype(np.float64)
        return np.stack([entries] * 3, axis=-1).reshape(n_cuts + 1, PASSED, 3)
    w = np.asarray(fates.weights, np.float64)
    return reshaped(sums_in(fate, (np.ones(len(w)), w, w * w), n), n_cuts + 1, PASSED, 3)
