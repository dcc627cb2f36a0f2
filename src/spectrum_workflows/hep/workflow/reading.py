"""Events of a partition as the selection sees them: from its skim, or else from its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import awkward as ak
import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.columns import CERTIFICATION, sources
from spectrum_workflows.hep.io import runs
from spectrum_workflows.hep.io.blocks import read_blocks
from spectrum_workflows.hep.io.read import check_unchanged, read, refuse
from spectrum_workflows.hep.io.rootfile import OpenTree
from spectrum_workflows.hep.io.skim_file import SkimmedPartition, packed, unpacked
from spectrum_workflows.hep.normalisation import sum_of_weights
from spectrum_workflows.hep.select.preparing import (
    PreparedEvents,
    check_numbers,
    choose_events,
    filter_events,
    open_events,
    prepare,
    selection_for,
    with_fallbacks,
)
from spectrum_workflows.hep.types import FileRead
from spectrum_workflows.hep.types.skims import first_entry

if TYPE_CHECKING:
    from spectrum_workflows.hep.columns import RequestedColumns
    from spectrum_workflows.hep.select.selection import Selection
    from spectrum_workflows.hep.select.workload import Workload
    from spectrum_workflows.hep.types import Events
    from spectrum_workflows.hep.types.skims import Skims
    from spectrum_workflows.hep.types.sums import Sums

FIRST = 1000
"""Events of a sample's first partition that a skim has whatever they fulfil, if they pass the
file's filters."""

_DAMAGED = (SpectrumError, OSError, ValueError, KeyError, TypeError, RuntimeError, IndexError)
"""Raised by a skim that is damaged, or not there any more."""


@dataclass(frozen=True)
class EventsRead:
    """Some events, ready to be selected.

    Attributes
    ----------
    seen : ak.Array, shape (n_events,)
        As the selection sees them.
    selection : Selection
        With the cuts that belong to them.
    file : FileRead
        Account of the file, as for the whole partition.
    left : mapping of str to ndarray or ExactSums, shape (3,)
        As of `FilteredEvents`.
    first : ak.Array or None
        As of `SkimmedPartition`, where the conditions of a skim are to be checked.
    """

    seen: ak.Array
    selection: Selection
    file: FileRead
    left: Mapping[str, Sums]
    first: ak.Array | None = None


def read_events(events: Events, workload: Workload) -> EventsRead:
    """The events of a partition; where one is to be kept, its skim is written.

    The store is asked once for the state of the file: everything below is given the open tree.

    Raises
    ------
    DataError, SpecError, PartitionError
        As `preparing.prepare`.
    """
    skims = workload.skims.get(events.sample)
    if skims is not None:
        skim = _skim(skims, events, workload)
        if skim is not None and skim.stop == events.stop:
            file = replace(skim.file, read=events.size, skimmed=events.size)
            known = skim.left if skims.filtered else None
            return _as_seen(skim, events, workload, file, known, fulfilling=skims.fulfilling)
    tree = open_events(events, workload)
    file = account(tree, events, workload)  # before it can be exchanged
    if workload.require is None:
        own = prepare(tree, events, workload)
        return EventsRead(own.seen, own.selection, file, own.left)
    skim = _skimmed(tree, events, workload, file)
    url = skims.url(events) if skims is not None else ""
    if skims is not None and url:
        _keep(skim, url, skims, events)
    return _as_seen(skim, events, workload, file, skim.left, fulfilling=True)


def read_some(events: Events, workload: Workload, most: int) -> PreparedEvents:
    """Some events of a partition: of its skim, or else of its first entries.

    Raises
    ------
    DataError, SpecError, PartitionError
        As `preparing.prepare`.
    """
    skims = workload.skims.get(events.sample)
    skim = _skim(skims, events, workload) if skims is not None else None
    if skim is not None:
        few = replace(skim, branches=skim.branches[:most])
        some = _as_seen(few, events, workload, skim.file, None, fulfilling=False)
        return PreparedEvents(some.seen, some.selection, {})
    few_entries = replace(events, stop=min(events.stop, events.start + most))
    return prepare(open_events(events, workload), few_entries, workload)


def account(tree: OpenTree, events: Events, workload: Workload) -> FileRead:
    """Account of the file of a partition: events read here, identity, sum of weights."""
    check_unchanged(tree, events)
    requested = workload.requested[events.sample]
    total = 0.0
    if requested.generator_weighted:
        total = sum_of_weights(runs.read_generated(tree), tree.url, entries=tree.entries)
    return FileRead(
        read=events.size,
        entries=tree.entries,
        sum_of_weights=total,
        content=f"{tree.uuid} {tree.nbytes}",
        fallbacks_used=requested.fallbacks_used(tree.names) if events.size else (),
        synthetic=tree.synthetic,
        blocks=read_blocks(tree, events) if counts_blocks(events.sample, workload) else None,
    )


def counts_blocks(sample: str, workload: Workload) -> bool:
    """Whether the luminosity of a sample is asked for."""
    table = workload.inputs_of(sample).luminosity_table
    return table is not None and sample in workload.data


def branches_to_keep(requested: RequestedColumns, more: Sequence[str]) -> tuple[str, ...]:
    """Branches that a skim is to hold, as far as the file has them: fallbacks come besides."""
    names = (*requested.every, *requested.bits, *requested.conditions, *more)
    certified = CERTIFICATION if requested.certified else ()
    return tuple(dict.fromkeys((*names, *certified)))


def _keep(skim: SkimmedPartition, url: str, skims: Skims, events: Events) -> None:
    """Write a skim, if it is of what was planned; no run is ended where it cannot be."""
    doubt = _doubt(skims, events)
    if not doubt:
        about = {"name": events.sample, "file": storage.shown(events.url)}
        try:
            storage.write_bytes(url, packed(skim, about))
        except SpectrumError as error:
            doubt = error.what
        except OSError as error:
            doubt = str(error.strerror or error)
    if doubt:
        storage.remark(f"not all skims were kept: {doubt}")


def _doubt(skims: Skims, events: Events) -> str:
    """Why what was read may not be the file that was planned, as far as its store tells."""
    planned, store = skims.stamps.get(events.url, ""), storage.store_of(events.url)
    if storage.replicas_of(events.url):
        return f"copies of files in {store} were read"
    if not planned:
        return ""
    now = storage.stamps_of([events.url], hasty=True)
    if events.url not in now:
        return f"{store} has a file no more, refused, or was silent for {storage.HASTY:.0f} s"
    if now[events.url] != planned:
        return f"a file in {store} is not what it was when the run began"
    return ""


def _skim(skims: Skims, events: Events, workload: Workload) -> SkimmedPartition | None:
    """The skim of a partition, or of one that begins where it does; None where none serves."""
    url = skims.find(events)
    if not url:
        return None
    requested = workload.requested[events.sample]
    names = {*branches_to_keep(requested, ()), *_sources(requested)}
    checked = first_entry(events) in workload.checked
    try:
        skim = unpacked(storage.read_bytes(url), names, with_first=checked)
    except _DAMAGED:
        return None
    if checked and skim.first is None:
        return None
    needed = requested.read(requested.fallbacks_used(skim.branches.fields))
    return skim if {*needed} <= {*skim.branches.fields} else None


def _sources(requested: RequestedColumns) -> set[str]:
    """Branches from which columns may be taken that a file does not have."""
    return {name for f in (requested.fallbacks or {}).values() for name in sources(f)}


def _as_seen(
    skim: SkimmedPartition,
    events: Events,
    workload: Workload,
    file: FileRead,
    left: Mapping[str, Sums] | None,
    *,
    fulfilling: bool,
) -> EventsRead:
    requested = workload.requested[events.sample]
    events = with_fallbacks(skim.branches.fields, events, requested)
    filtered = filter_events(skim.branches, events, workload, left=left, fulfilling=fulfilling)
    asked = replace(
        file,
        sum_of_weights=file.sum_of_weights if requested.generator_weighted else 0.0,
        fallbacks_used=requested.fallbacks_used(skim.branches.fields),
        blocks=file.blocks if counts_blocks(events.sample, workload) else None,
    )
    checked = workload.require and first_entry(events) in workload.checked
    first = skim.first if checked else None
    selection = selection_for(events, workload)
    return EventsRead(filtered.seen, selection, asked, filtered.left, first)


def _skimmed(
    tree: OpenTree, events: Events, workload: Workload, file: FileRead
) -> SkimmedPartition:
    """Read a partition, and keep of it the events that count, with all that is to be kept.

    Raises
    ------
    DataError
        As `preparing.prepare`, or simulation lacks a column that is to be kept.
    """
    requested, skims = workload.requested[events.sample], workload.skims.get(events.sample)
    own = with_fallbacks(tree.names, events, requested)
    have = {*tree.names}
    if skims is not None and events.sample not in workload.data:
        refuse(tree, skims.columns)
    more = skims.columns if skims is not None and skims.url(events) else ()
    keep = branches_to_keep(requested, more)
    besides = [name for name in keep if name in have]
    names = dict.fromkeys((*requested.read(own.fallbacks_used), *besides))
    branches = read(tree, own, tuple(names), requested=requested)
    check_numbers(branches, own, requested)
    chosen = choose_events(branches, own, workload)
    first = None
    if first_entry(events) in workload.checked:
        first = ak.to_packed(branches[np.flatnonzero(chosen.passed)[:FIRST]])
    absent = tuple(name for name in keep if name not in have)
    some = ak.to_packed(branches[chosen.kept])
    return SkimmedPartition(some, first, absent, events.start, events.stop, file, chosen.left)
