"""Tasks on workers: the events of one partition, selected and filled into histograms."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import awkward as ak
import numpy as np

from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.bootstrap.keys import Resampling, event_keys
from spectrum_workflows.hep.columns import records
from spectrum_workflows.hep.io.columns_out import Share, write_columns
from spectrum_workflows.hep.io.rootfile import OpenTree
from spectrum_workflows.hep.select.columns_out import selected_columns
from spectrum_workflows.hep.select.observing import observe
from spectrum_workflows.hep.select.preparing import (
    beginning,
    generator_weights,
    open_events,
    prepare,
)
from spectrum_workflows.hep.select.selection import located
from spectrum_workflows.hep.select.workload import Workload
from spectrum_workflows.hep.spec.bootstrap import EVENT_NUMBERS
from spectrum_workflows.hep.spec.columns_out import WEIGHT
from spectrum_workflows.hep.types import ColumnFile, Events, FileRead, Filled
from spectrum_workflows.hep.workflow.reading import account, read_events
from spectrum_workflows.hep.workflow.skim_check import check_conditions


def fill(events: Events, workload: Workload) -> Filled:
    """Read one partition, select its events, and fill them into histograms.

    Raises
    ------
    DataError, SpecError, PartitionError
        As `read_events`, the selection and `histogram.filled`.
    """
    sample = events.sample
    if not events.size:
        return _fill_nothing(events, workload)
    part = read_events(events, workload)
    seen, selection, file = part.seen, part.selection, part.file
    if part.first is not None:
        file = replace(file, unchecked=check_conditions(part.first, events, workload))
    if not events.start:
        file = replace(file, beginning=beginning(seen))
    weights = None
    if workload.requested[sample].generator_weighted:
        weights = generator_weights(seen)  # before the selection can change them
    own = seen[seen.fields] if workload.columns_out else seen  # which the selection cannot change
    try:
        resampling = _resampling(seen, workload, sample)
        observed = observe(seen, selection, workload, sample)
        filled = histogram.filled(
            sample,
            observed,
            workload.histograms,
            events=events.size,
            seen=len(seen),
            variations=workload.variations[sample],
            titles=workload.titles[sample],
            cuts=workload.regions,
            generator_weights=weights,
            weightless=sample in workload.weightless,
            resampling=resampling,
            fitted=workload.fitted,
        )
        columns = None
        if workload.columns_out:
            columns = selected_columns(own, observed, workload, sample, weights)
    except SpectrumError as error:
        raise located(error, events.where, selection) from error.__cause__
    written = () if columns is None else (_written(columns, events, workload, file),)
    left = {(sample, row): counts for row, counts in part.left.items()}
    return replace(filled, files={(sample, events.url): file}, written=written, left=left)


NUMBERED = 16
"""Events of a partition, at least, that are expected to have more than one number."""


def _resampling(seen: ak.Array, workload: Workload, sample: str) -> Resampling | None:
    """Keys of events, before the selection can change what they follow from."""
    asked = workload.bootstrap
    if asked is None:
        return None
    numbers = {name: seen[name] for name in EVENT_NUMBERS}
    keys = event_keys(numbers, sample=sample, seed=asked.seed)
    if len(keys) >= NUMBERED and (keys == keys[0]).all():
        raise DataError(
            f"all {len(keys)} events have the same run, luminosityBlock and event, which"
            " [bootstrap] tells events apart by",
            remedy="say which branch numbers them: [formats.NAME.columns] event",
        )
    return Resampling(keys, asked.replicas, asked.histograms)


def _fill_nothing(events: Events, workload: Workload) -> Filled:
    """A file without events, whose identity and sum of weights count."""
    tree = open_events(events, workload)
    file = account(tree, events, workload)  # before it can be exchanged
    written = _nothing_written(tree, events, workload, file)
    sample = events.sample
    return Filled({}, {}, {sample: 0}, {(sample, events.url): file}, written=written)


def _written(columns: ak.Array, events: Events, workload: Workload, file: FileRead) -> ColumnFile:
    """The file of columns of a partition, and what its events stand for."""
    asked = workload.columns_out
    assert asked is not None
    total = float(events.size)
    if workload.requested[events.sample].generator_weighted:
        share = events.size / file.entries if file.entries else 1.0
        total = file.sum_of_weights * share
    share_of_file = Share(events.size, total)
    return write_columns(columns, events, share_of_file, asked.folder, asked.format, file.content)


def _nothing_written(
    tree: OpenTree, events: Events, workload: Workload, file: FileRead
) -> tuple[ColumnFile, ...]:
    """A file without events, of one that holds none: its sum of weights is not lost."""
    if workload.columns_out is None or not file.sum_of_weights:
        return ()
    prepared = prepare(tree, events, workload)
    seen, selection = prepared.seen, prepared.selection
    with suppress(SpectrumError):  # not every selection stands that there are no events
        observed = observe(seen, selection, workload, events.sample)
        none = selected_columns(seen, observed, workload, events.sample, None)
        return (_written(none, events, workload, file),)
    own = [
        n for n in workload.columns_out.columns if n in workload.requested[events.sample].columns
    ]
    columns = {name: seen[name][:0] for name in own} | {WEIGHT: ak.Array(np.zeros(0))}
    return (_written(records(columns), events, workload, file),)
