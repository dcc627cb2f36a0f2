"""Columns of selected events, with their weights: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.columns import records
from spectrum_workflows.hep.select.combining import FLOW
from spectrum_workflows.hep.select.combining import PASSED as STEP
from spectrum_workflows.hep.select.observables import check_regions, weighted
from spectrum_workflows.hep.spec.columns_out import PASSED, WEIGHT
from spectrum_workflows.hep.spec.regions import region_key
from spectrum_workflows.hep.types import Observable
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.select.workload import Workload
    from spectrum_workflows.hep.spec.columns_out import ColumnsOutSpec


def selected_columns(
    seen: ak.Array,
    observed: Any,
    workload: Workload,
    sample: str,
    generated: NDArray[np.float64] | None,
) -> ak.Array:
    """Chosen columns of the events that are in some region, in their order.

    Parameters
    ----------
    seen : ak.Array, shape (n_events,)
        As `preparing.prepare` gives them, before the selection can change them.
    observed : mapping of str to Observable
        As `observe` gives it.
    workload : Workload
    sample : str
    generated : ndarray, shape (n_events,), optional
        Generator weights.

    Returns
    -------
    ak.Array, shape (n_selected,)
        The columns; ``weight``, that of the first region that holds the event, not normalised;
        and ``passed_REGION`` for each region.  The same with ``_VARIATION`` for each that is asked.

    Raises
    ------
    SpecError
        A region is not there, or does not say which events it holds.
    """
    asked = workload.columns_out
    assert asked is not None
    regions = _regions(observed, workload, len(seen))
    for name in asked.regions:
        if name not in regions:
            message = f"select returns no region {name!r}"
            raise SpecError(message, "columns_out.regions", closest(name, list(regions)))
    chosen = {name: o for name, o in regions.items() if not asked.regions or name in asked.regions}
    own = [name for name in asked.variations if name in workload.variations[sample]]
    nominal = _passing(chosen, "", len(seen), generated)
    varied = {name: _passing(chosen, name, len(seen), generated) for name in own}
    every = [nominal, *varied.values()]
    index = np.flatnonzero(np.any([some.any for some in every], axis=0))
    views = _views(seen, index, workload, sample, own)
    out = dict(views.nominal)
    out[WEIGHT] = ak.Array(nominal.weight[index])
    out |= {f"{PASSED}{name}": ak.Array(mask[index]) for name, mask in nominal.masks.items()}
    for variation, some in varied.items():
        out |= {f"{name}_{variation}": c for name, c in views.varied.get(variation, {}).items()}
        out[f"{WEIGHT}_{variation}"] = ak.Array(some.weight[index])
        for name, mask in some.masks.items():
            out[f"{PASSED}{name}_{variation}"] = ak.Array(mask[index])
    return records(out)


@dataclass(frozen=True)
class _Passing:
    """Which events pass, region by region, and what they weigh; 0 where they are in none."""

    masks: Mapping[str, NDArray[np.bool_]]
    weight: NDArray[np.float64]

    @property
    def any(self) -> NDArray[np.bool_]:
        out: NDArray[np.bool_] = np.zeros(len(self.weight), np.bool_)
        for mask in self.masks.values():
            out |= mask
        return out


def _passing(
    regions: Mapping[str, Observable],
    variation: str,
    seen: int,
    generated: NDArray[np.float64] | None,
) -> _Passing:
    """Events of the regions under a variation, nominally without a name."""
    masks = {name: np.zeros(seen, np.bool_) for name in regions}
    weight = np.zeros(seen)
    for name, nominal in reversed([*regions.items()]):
        observable = nominal.variations[variation] if variation else nominal
        if observable.index is None:
            remedy = "return Observable(values, index=positions of the selected events)"
            message = f"region {name!r} does not say which events it holds"
            raise SpecError(message, "columns_out", remedy)
        own = weighted(name, replace(observable, variations={}), generated)
        weight[observable.index] = 1.0 if own.weights is None else own.weights
        masks[name][observable.index] = True
    return _Passing(masks, weight)


def _regions(observed: Any, workload: Workload, seen: int) -> dict[str, Observable]:
    """The events of every region, under variations too."""
    if not workload.regions:
        return check_regions(observed, seen=seen, text=_any_text(observed))
    out = {}
    for region, cuts in workload.regions.items():
        fates = observed[region_key(region, FLOW)]
        varied = {name: _of_fates(o, len(cuts)) for name, o in fates.variations.items()}
        out[region] = replace(_of_fates(fates, len(cuts)), variations=varied)
    return out


def _of_fates(fates: Observable, n_cuts: int) -> Observable:
    """Events that pass all cuts."""
    index = np.flatnonzero(fates.values == STEP * n_cuts)
    weights = None if fates.weights is None else fates.weights[index]
    return Observable(np.zeros(len(index)), weights, index)


def _any_text(observed: Mapping[str, Any]) -> set[str]:
    """Regions of text, whose values do not matter here."""
    values = {name: getattr(o, "values", o) for name, o in observed.items()}
    return {name for name, v in values.items() if np.asarray(v).dtype.kind not in "iuf"}


@dataclass(frozen=True)
class _Views:
    """Columns of some events, and under each variation those that it changes."""

    nominal: Mapping[str, ak.Array]
    varied: Mapping[str, Mapping[str, ak.Array]]


def _views(
    seen: ak.Array,
    index: NDArray[np.int64],
    workload: Workload,
    sample: str,
    variations: Sequence[str],
) -> _Views:
    """The columns that the files of the sample have, of corrected objects."""
    asked = workload.columns_out
    assert asked is not None
    names = [n for n in asked.columns if n in workload.requested[sample].columns]
    declared, some = workload.declarations.samples.get(sample), seen[index]
    if declared is None:
        return _Views({name: ak.to_packed(some[name]) for name in names}, {})
    from spectrum_workflows.hep.objects import views

    kernels = workload.declarations.kernels
    nominal = views.nominal(some, declared, kernels)
    changed = {n: [c for c in names if c in declared.changed_by(n)] for n in variations}
    varied: dict[str, Mapping[str, ak.Array]] = {}
    if any(changed.values()):
        for name, events in views.varied(nominal, declared, kernels):
            own = changed.get(name, ())
            varied[name] = {column: ak.to_packed(events[column]) for column in own}
    return _Views({name: ak.to_packed(nominal.events[name]) for name in names}, varied)


def check_variations(asked: ColumnsOutSpec, variations: Iterable[Iterable[str]]) -> None:
    """Refuse variations that no sample has, or that have no weight for every event.

    Parameters
    ----------
    asked : ColumnsOutSpec
    variations : iterable of iterable of str
        What is filled of every sample besides the nominal.

    Raises
    ------
    SpecError
        Naming the closest.
    """
    declared = list(dict.fromkeys(name for names in variations for name in names))
    for k, name in enumerate(asked.variations):
        if name not in declared:
            message = f"no variation {name!r} of events"
            remedy = closest(name, declared) if declared else "nothing varies; leave it out"
            raise SpecError(message, "columns_out.variations", remedy)
        if name in asked.variations[:k]:
            raise SpecError(f"{name!r} is there twice", "columns_out.variations", "name it once")
        clash = next((c for c in asked.columns if c.endswith(f"_{name}")), "")
        if clash:
            message = f"{clash!r} has the name of a column that is added for {name!r}"
            raise SpecError(message, "columns_out.columns", "leave it out")


def check_columns(asked: tuple[str, ...], columns: list[str], *, root: bool) -> None:
    """Refuse columns that are not read, or have the name of what is added.

    Raises
    ------
    SpecError
        Naming the closest.
    """
    added = {WEIGHT, *(["genWeight"] if root else [])}
    for name in asked:
        if name not in columns:
            message = f"{name!r} is not among the columns that are read"
            raise SpecError(message, "columns_out.columns", closest(name, columns))
        if name in added or name.startswith(PASSED):
            message = f"{name!r} is a column that is added: the weight with everything in it"
            raise SpecError(message, "columns_out.columns", "leave it out")
    twice = next((name for k, name in enumerate(asked) if name in asked[:k]), "")
    if twice:
        raise SpecError(f"{twice!r} is there twice", "columns_out.columns", "name it once")
