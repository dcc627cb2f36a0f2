"""What runs on workers: the events of one partition, selected and filled into histograms."""

from __future__ import annotations

from dataclasses import replace

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.io import runs
from spectrum_workflows.hep.io.read import check_unchanged, entries
from spectrum_workflows.hep.io.rootfile import opened
from spectrum_workflows.hep.select.preparing import beginning, generator_weights, prepared
from spectrum_workflows.hep.select.selection import located
from spectrum_workflows.hep.select.workload import Workload
from spectrum_workflows.hep.types import Events, FileRead, Filled


def process(events: Events, task: Workload) -> Filled:
    """Read one partition, select, fill: what runs on workers.

    Raises
    ------
    DataError, SpecError, PartitionError
        As `preparing.prepared`, the selection and `histogram.filled`.
    """
    sample, weighted = events.sample, task.weighted(events.sample)
    files = {(sample, events.url): _file_read(events, task)}  # before it can be exchanged
    if not events.size:
        return Filled({}, {}, {sample: 0}, files)
    arrays, selection = prepared(events, task)
    if not events.start:
        key = (sample, events.url)
        files[key] = replace(files[key], beginning=beginning(arrays))
    generated = generator_weights(arrays) if weighted else None  # before anybody can change them
    try:
        filled = histogram.filled(
            sample,
            selection(arrays, **task.options(sample)),
            task.histograms,
            events=events.size,
            seen=len(arrays),
            variations=task.variations[sample],
            titles=task.titles,
            generated=generated,
            weightless=sample in task.weightless,
        )
    except SpectrumError as error:
        raise located(error, events.where, selection) from error.__cause__
    return replace(filled, files=files)


def _file_read(events: Events, task: Workload) -> FileRead:
    """What was read of a file, and what the file says of itself."""
    found = opened(events.url, events.tree)
    check_unchanged(found, events)
    wanted = task.wanted[events.sample]
    return FileRead(
        events.size,
        entries(events),
        runs.weights(events.url, events.tree) if wanted.generated else 0.0,
        f"{found.uuid} {found.nbytes}",
        wanted.fallbacks_used(found.names) if events.size else (),
    )
