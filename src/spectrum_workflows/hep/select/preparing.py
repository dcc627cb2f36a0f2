"""Everything a task does before the selection: read, keep the events that count, rename."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import columns
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.io.read import read
from spectrum_workflows.hep.io.rootfile import opened
from spectrum_workflows.hep.select import event_filters
from spectrum_workflows.hep.select.observables import LARGEST_WEIGHT
from spectrum_workflows.hep.select.selection import Selection
from spectrum_workflows.hep.select.workload import Workload
from spectrum_workflows.hep.types import Events

FIRST, COLUMNS = 50, 3
"""Events, and columns of numbers with a fraction, by which a file written anew is recognised:
numbers of runs and events begin alike in most simulated samples."""


def prepared(events: Events, job: Workload) -> tuple[ak.Array, Selection]:
    """The events of a partition as the selection sees them, and the selection with its cuts.

    Events without a trigger, and data outside of the good runs, are left out;
    they count as processed all the same.
    """
    wanted = job.wanted[events.sample]
    events = replace(events, fallbacks_used=_stand_ins(events, wanted))
    found = read(events, wanted.read(events.fallbacks_used), wanted=wanted)
    _check_numbers(found, events, job)
    return counted(found, events, job), selection(events, job)


def _stand_ins(events: Events, wanted: RequestedColumns) -> tuple[str, ...]:
    """What the file of a partition lacks, which must be what the plan says it lacks.

    Of a file that nobody has looked into the plan knows what its sample's first lacks.
    """
    if not (wanted.fallbacks or wanted.absent):
        return ()
    found = wanted.fallbacks_used(opened(events.url, events.tree).names)
    if events.uuid and found != events.fallbacks_used:
        raise DataError("file has changed since the run was planned", events.where, "run again")
    if wanted.alike(found) != wanted.alike(events.fallbacks_used):
        raise DataError(
            "not all files of this sample have the same columns",
            events.url,
            "make two samples of them: what stands in may select otherwise",
        )
    return found


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


def _check_numbers(found: ak.Array, events: Events, job: Workload) -> None:
    """Refuse events whose weight, run or trigger bits cannot be what they should be.

    Raises
    ------
    DataError
        Naming the file, and the entry in it.
    """
    wanted = job.wanted[events.sample]
    if wanted.generated and columns.GENERATED in found.fields:
        weights = _flat(found, columns.GENERATED, "iuf", events)
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(weights.astype(np.float64)) <= LARGEST_WEIGHT)
        _refuse(bad, weights, columns.GENERATED, events)
    if wanted.certified:
        for name in columns.CERTIFICATION:
            numbers = _flat(found, name, "iu", events)
            bad = (numbers < 0) | (numbers.astype(np.uint64) >= event_filters.BLOCKS)
            _refuse(bad, numbers, name, events)
    for name in wanted.triggers:
        if name in found.fields:
            bits = _flat(found, name, "biu", events)
            _refuse(bits.astype(np.uint64) > 1, bits, name, events)


def _flat(found: ak.Array, name: str, kinds: str, events: Events) -> NDArray[Any]:
    """A column of one number per event, of one of some kinds."""
    column = found[name]
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
        said = f"{name} is {numbers[first]} in entry {events.start + first}"
        more = f" (and impossible in {count - 1} more)" if count > 1 else ""
        remedy = "copy the file again, or leave it out"
        raise DataError(f"{said}, which cannot be{more}", events.where, remedy)


def selection(events: Events, job: Workload) -> Selection:
    """The selection with the cuts that belong to the columns of a partition."""
    own = job.cuts.get(events.sample, {})
    changed = columns.cuts(job.wanted[events.sample], events.fallbacks_used) | dict(own)
    return job.selection.with_cuts(changed) if changed else job.selection


def counted(found: Any, events: Events, job: Workload) -> ak.Array:
    """What was read, under the names the selection knows, of the events that count."""
    wanted = job.wanted[events.sample]
    seen = columns.as_selection_sees(found, wanted, events.fallbacks_used)
    if wanted.triggers:
        present = wanted.present(events.fallbacks_used)
        for trigger in present:
            _flat(found, trigger, "biu", events)
        keep = event_filters.any_fired(found, present)
        seen, found = seen[keep], found[keep]
    if wanted.certified and job.good_runs is not None:
        run, block = (found[name] for name in columns.CERTIFICATION)
        seen = seen[event_filters.in_good_runs(run, block, job.good_runs)]
    return seen
