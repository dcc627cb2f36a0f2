"""Events as the selection sees them: columns that are read, and the events that count."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import columns
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.io.read import read
from spectrum_workflows.hep.io.rootfile import OpenTree, open_tree
from spectrum_workflows.hep.select import event_filters
from spectrum_workflows.hep.select.observables import LARGEST_WEIGHT
from spectrum_workflows.hep.select.requirements import fulfilled
from spectrum_workflows.hep.select.selection import Selection
from spectrum_workflows.hep.select.vetoing import look_up
from spectrum_workflows.hep.select.workload import Workload
from spectrum_workflows.hep.spec.event_filters import (
    GOOD_RUNS,
    OVERLAPS,
    PRESELECT,
    READ,
    SKIM,
    TRIGGERS,
)
from spectrum_workflows.hep.types import Events

if TYPE_CHECKING:
    from spectrum_workflows.hep.types.sums import Sums

FIRST, COLUMNS = 50, 3
"""Events, and columns of numbers with a fraction, by which a file written anew is recognised:
numbers of runs and events begin alike in most simulated samples."""


@dataclass(frozen=True)
class FilteredEvents:
    """Events that count.

    Attributes
    ----------
    seen : ak.Array, shape (n_events,)
        With the columns of the selection.
    left : mapping of str to ndarray or ExactSums, shape (3,)
        By row, where it is asked for: events that are left, and their sums of generator weights
        and of squared weights.
    """

    seen: ak.Array
    left: Mapping[str, Sums]


@dataclass(frozen=True)
class ChosenEvents:
    """Which events a skim keeps.

    Attributes
    ----------
    passed : ndarray of bool, shape (n_events,)
        By the file's filters.
    kept : ndarray of bool, shape (n_events,)
        Those of them that fulfil the conditions of the skim.
    left : mapping of str to ndarray or ExactSums, shape (3,)
        As of `FilteredEvents`, by the file's filters.
    """

    passed: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    left: Mapping[str, Sums]


@dataclass(frozen=True)
class _Passed:
    """Which events pass the file's filters.

    Attributes
    ----------
    mask : ndarray of bool, shape (n_events,), or None
        None if there are no filters.
    left : mapping of str to ndarray or ExactSums, shape (3,)
        As of `FilteredEvents`.
    """

    mask: NDArray[np.bool_] | None
    left: Mapping[str, Sums]


@dataclass(frozen=True)
class PreparedEvents:
    """Events as the selection sees them, and the selection with its cuts.

    Attributes
    ----------
    seen : ak.Array, shape (n_events,)
        With the columns of the selection.
    selection : Selection
    left : mapping of str to ndarray or ExactSums, shape (3,)
        As of `FilteredEvents`.
    """

    seen: ak.Array
    selection: Selection
    left: Mapping[str, Sums]


def open_events(events: Events, workload: Workload) -> OpenTree:
    """The tree that the events of a partition are in, in the format of its sample.

    Raises
    ------
    DataNotFoundError, DataError, AccessError, StoreError
        As `open_tree`.
    """
    return open_tree(events.url, events.tree, workload.requested[events.sample].format)


def prepare(tree: OpenTree, events: Events, workload: Workload) -> PreparedEvents:
    """The events of a partition as the selection sees them, and the selection with its cuts.

    Events without a trigger or a flag, of which an earlier primary data set has a copy, and data
    outside of the good runs, are left out; they count as processed all the same.

    Parameters
    ----------
    tree : OpenTree
        The tree that the events are in.
    events : Events
        The partition.
    workload : Workload

    Raises
    ------
    DataError
        The file is not the one that was planned, is damaged, lacks a column, or holds
        weights, runs or trigger bits that cannot be.
    """
    requested = workload.requested[events.sample]
    events = with_fallbacks(tree.names, events, requested)
    branches = read(tree, events, requested.read(events.fallbacks_used), requested=requested)
    check_numbers(branches, events, requested)
    filtered = filter_events(branches, events, workload)
    return PreparedEvents(filtered.seen, selection_for(events, workload), filtered.left)


def with_fallbacks(have: Collection[str], events: Events, requested: RequestedColumns) -> Events:
    """The partition with the columns and triggers that its file lacks: as the plan says.

    Of a file that nobody has looked into the plan knows what its sample's first lacks.

    Raises
    ------
    DataError
        The plan says something else.
    """
    if not (requested.fallbacks or requested.absent):
        return replace(events, fallbacks_used=())
    lacking = requested.fallbacks_used(have)
    if events.uuid and lacking != events.fallbacks_used:
        raise DataError("file has changed since the run was planned", events.where, "run again")
    if requested.alike(lacking) != requested.alike(events.fallbacks_used):
        raise DataError(
            "not all files of this sample have the same columns",
            events.url,
            "make two samples of them: what stands in may select otherwise",
        )
    return replace(events, fallbacks_used=lacking)


def beginning(seen: ak.Array) -> str:
    """Digest of some first events; empty of few, or of such as repeat themselves."""
    if len(seen) < FIRST:
        return ""
    digest, varied, left = hashlib.sha256(), False, COLUMNS
    for name in seen.fields:
        column = seen[name][:FIRST]
        if column.fields or not left:
            continue
        values = np.asarray(column if column.layout.is_numpy else ak.flatten(column, axis=None))
        if values.dtype.kind != "f":
            continue
        left -= 1
        varied = varied or len(np.unique(values)) > FIRST // 2
        digest.update(f"{name} {values.dtype} {len(values)}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest() if varied else ""


def generator_weights(seen: ak.Array) -> NDArray[np.float64]:
    """The generator weights of some events; shape (n_events,), nobody else's memory."""
    return np.array(seen[columns.GENERATED], np.float64)


def check_numbers(branches: ak.Array, events: Events, requested: RequestedColumns) -> None:
    """Refuse events whose weight, run or trigger bits cannot be what they should be.

    Raises
    ------
    DataError
        Naming the file, and the entry in it.
    """
    if requested.generator_weighted and columns.GENERATED in branches.fields:
        weights = _flat(branches, columns.GENERATED, "iuf", events)
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(weights.astype(np.float64)) <= LARGEST_WEIGHT)
        _refuse(bad, weights, columns.GENERATED, events)
    if requested.certified:
        for name in columns.CERTIFICATION:
            numbers = _flat(branches, name, "iu", events)
            bad = (numbers < 0) | (numbers.astype(np.uint64) >= event_filters.BLOCKS)
            _refuse(bad, numbers, name, events)
    for name in requested.bits:
        if name in branches.fields:
            bits = _flat(branches, name, "biu", events)
            _refuse(bits.astype(np.uint64) > 1, bits, name, events)


def _flat(branches: ak.Array, name: str, kinds: str, events: Events) -> NDArray[Any]:
    """A branch of one number per event, of one of some kinds; shape (n_events,)."""
    column = branches[name]
    if column.ndim != 1 or column.fields or not column.layout.is_numpy:
        raise DataError(f"{name} is not one number per event", events.url, f"it is {column.type}")
    array: NDArray[Any] = np.asarray(column)
    if array.dtype.kind not in kinds:
        raise DataError(f"{name} is of type {array.dtype}", events.url, "name another branch")
    return array


def _refuse(bad: NDArray[np.bool_], numbers: NDArray[Any], name: str, events: Events) -> None:
    """Refuse impossible numbers, with the first of them."""
    count = int(np.count_nonzero(bad))
    if count:
        first = int(np.argmax(bad))
        number = f"{name} is {numbers[first]} in entry {events.start + first}"
        more = f" (and impossible in {count - 1} more)" if count > 1 else ""
        remedy = "copy the file again, or leave it out"
        raise DataError(f"{number}, which cannot be{more}", events.where, remedy)


def selection_for(events: Events, workload: Workload) -> Selection:
    """The selection with the cuts that belong to the columns of a partition."""
    requested, sample = workload.requested[events.sample], events.sample
    changed = {
        **workload.era_cuts.get(sample, {}),
        **columns.cuts(requested, events.fallbacks_used),
        **workload.cuts.get(sample, {}),
    }
    return workload.selection.with_cuts(changed) if changed else workload.selection


def filter_events(
    branches: ak.Array,
    events: Events,
    workload: Workload,
    *,
    left: Mapping[str, Sums] | None = None,
    fulfilling: bool = False,
) -> FilteredEvents:
    """The events that count, with the columns of the selection.

    Parameters
    ----------
    branches : ak.Array, shape (n_read,)
        As they were read from the file of the partition.
    events : Events
        The partition.
    workload : Workload
    left : mapping of str to ndarray or ExactSums, shape (3,), optional
        What is known of those that are left by the file's filters: all of them are.
    fulfilling : bool
        Whether all of them fulfil the conditions of the skim.
    """
    requested = workload.requested[events.sample]
    seen = columns.as_selection_sees(branches, requested, events.fallbacks_used)
    rows = workload.filter_rows.get(events.sample, ())
    counted = {row: counts for row, counts in (left or {}).items() if row in rows}
    if left is None:
        own = _apply_filters(seen, branches, events, workload)
        counted = dict(own.left)
        if own.mask is not None:
            seen, branches = seen[own.mask], branches[own.mask]
    if workload.require is not None:
        passed = _fulfilling(branches, workload, known=fulfilling)
        if rows:
            counted[SKIM] = _left(seen, passed, requested)
        if left is None or not fulfilling:
            seen = ak.to_packed(seen[passed])  # as they come from a skim
    if workload.preselect:
        passed = _preselected(seen, selection_for(events, workload), workload.preselect)
        if rows:
            counted[PRESELECT] = _left(seen, passed, requested)
        seen = seen[passed]
    declared = workload.declarations.samples.get(events.sample)
    if declared is not None and declared.vetoes:
        selection, kernels = selection_for(events, workload), workload.declarations.kernels
        vetoed = look_up(seen, selection, declared, kernels, requested.columns)
        passed = np.ones(len(seen), np.bool_)
        for row, mask in vetoed.passed.items():
            passed = passed & mask
            counted[row] = _left(seen, passed, requested)
        seen = vetoed.seen[passed]
    return FilteredEvents(seen, counted)


def _fulfilling(branches: ak.Array, workload: Workload, *, known: bool) -> NDArray[np.bool_]:
    """Which events fulfil the conditions of the skim: all, if that is known."""
    if known:
        return np.ones(len(branches), np.bool_)
    return fulfilled(branches, workload.require or {})


def choose_events(branches: ak.Array, events: Events, workload: Workload) -> ChosenEvents:
    """Choose the events that a skim keeps; what one event is, no other decides."""
    requested = workload.requested[events.sample]
    seen = columns.as_selection_sees(branches, requested, events.fallbacks_used)
    own = _apply_filters(seen, branches, events, workload)
    passed = np.ones(len(branches), np.bool_) if own.mask is None else own.mask
    return ChosenEvents(passed, passed & fulfilled(branches, workload.require or {}), own.left)


def _apply_filters(
    seen: ak.Array, branches: ak.Array, events: Events, workload: Workload
) -> _Passed:
    """Apply all of the file's filters, and count what is left by each."""
    masks = dict(_masks(branches, events, workload))
    passed = np.ones(len(seen), np.bool_)
    counted: dict[str, Sums] = {}
    rows = workload.filter_rows.get(events.sample, ())
    for row, mask in {**({READ: passed} if rows else {}), **masks}.items():
        passed = passed & mask
        if rows:
            counted[row] = _left(seen, passed, workload.requested[events.sample])
    return _Passed(passed if masks else None, counted)


def _masks(
    branches: ak.Array, events: Events, workload: Workload
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """What leaves events out by what the file has of them, each with the events that pass."""
    requested = workload.requested[events.sample]
    present = {name for name in requested.bits if name not in events.fallbacks_used}
    for bit in requested.bits:
        if bit in present:
            _flat(branches, bit, "biu", events)
    if requested.triggers:
        fired = [name for name in requested.triggers if name in present]
        yield TRIGGERS, event_filters.any_fired(branches, fired)
    if requested.vetoing:
        fired = [name for name in requested.vetoing if name in present]
        yield OVERLAPS, ~event_filters.any_fired(branches, fired)
    good_runs = workload.inputs_of(events.sample).good_runs
    if requested.certified and good_runs is not None:
        run, block = (branches[name] for name in columns.CERTIFICATION)
        yield GOOD_RUNS, event_filters.in_good_runs(run, block, good_runs)
    for name in requested.filters:
        yield name, event_filters.all_set(branches, [name] if name in present else [])


def _left(seen: ak.Array, passed: NDArray[np.bool_], requested: RequestedColumns) -> Sums:
    """Events that pass, with their generator weights where the sample has such."""
    weights = seen[columns.GENERATED] if requested.generator_weighted else None
    return event_filters.left(weights, passed)


def _preselected(seen: ak.Array, selection: Selection, name: str) -> NDArray[np.bool_]:
    """What the function that is named says of every event; shape (n_events,).

    Raises
    ------
    DataError
        It is not one true or false per event.
    """
    returned = selection.beside(name, seen)
    mask: NDArray[Any] = np.asarray(returned) if ak.Array(returned).ndim == 1 else np.empty(0)
    if mask.shape != (len(seen),) or mask.dtype != np.bool_:
        remedy = "return an array of true and false"
        raise DataError(f"{name} did not return one true or false per event", "preselect", remedy)
    return mask
