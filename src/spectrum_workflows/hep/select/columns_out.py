"""Columns of selected events, with their weights: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
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
        and ``passed_REGION`` for each region.

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
    passed = {name: np.zeros(len(seen), np.bool_) for name in chosen}
    weight = np.ones(len(seen))
    for name, observable in reversed(chosen.items()):
        if observable.index is None:
            remedy = "return Observable(values, index=positions of the selected events)"
            message = f"region {name!r} does not say which events it holds"
            raise SpecError(message, "columns_out", remedy)
        own = weighted(name, observable, generated)
        weight[observable.index] = 1.0 if own.weights is None else own.weights
        passed[name][observable.index] = True
    index = np.flatnonzero(np.any([*passed.values(), np.zeros(len(seen), np.bool_)], axis=0))
    out = dict(_columns(seen[index], workload, sample))
    out[WEIGHT] = ak.Array(weight[index])
    out |= {f"{PASSED}{name}": ak.Array(mask[index]) for name, mask in passed.items()}
    return records(out)


def _regions(observed: Any, workload: Workload, seen: int) -> dict[str, Observable]:
    """The events of every region."""
    if not workload.regions:
        return check_regions(observed, seen=seen, text=_any_text(observed))
    out = {}
    for region, cuts in workload.regions.items():
        fates = observed[region_key(region, FLOW)]
        index = np.flatnonzero(fates.values == STEP * len(cuts))
        weights = None if fates.weights is None else fates.weights[index]
        out[region] = Observable(np.zeros(len(index)), weights, index)
    return out


def _any_text(observed: Mapping[str, Any]) -> set[str]:
    """Regions of text, whose values do not matter here."""
    values = {name: getattr(o, "values", o) for name, o in observed.items()}
    return {name for name, v in values.items() if np.asarray(v).dtype.kind not in "iuf"}


def _columns(some: ak.Array, workload: Workload, sample: str) -> list[tuple[str, Any]]:
    """The columns that the files of the sample have, of corrected objects."""
    asked = workload.columns_out
    assert asked is not None
    declared = workload.declarations.samples.get(sample)
    if declared is not None:
        from spectrum_workflows.hep.objects import views

        some = views.nominal(some, declared, workload.declarations.kernels).events
    own = workload.requested[sample].columns
    return [(name, ak.to_packed(some[name])) for name in asked.columns if name in own]


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
