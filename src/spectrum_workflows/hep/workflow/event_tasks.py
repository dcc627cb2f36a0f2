"""Tasks on workers: the events of one partition, selected and filled into histograms."""

from __future__ import annotations

from dataclasses import replace

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.io import runs
from spectrum_workflows.hep.io.blocks import read_blocks
from spectrum_workflows.hep.io.read import check_unchanged
from spectrum_workflows.hep.io.rootfile import OpenTree, open_tree
from spectrum_workflows.hep.normalisation import sum_of_weights
from spectrum_workflows.hep.select.observing import observe
from spectrum_workflows.hep.select.preparing import beginning, generator_weights, prepare
from spectrum_workflows.hep.select.selection import located
from spectrum_workflows.hep.select.workload import Workload
from spectrum_workflows.hep.types import Events, FileRead, Filled


def fill(events: Events, workload: Workload) -> Filled:
    """Read one partition, select its events, and fill them into histograms.

    The store is asked once for the state of the file: everything below is given the open tree.

    Raises
    ------
    DataError, SpecError, PartitionError
        As `preparing.prepare`, the selection and `histogram.filled`.
    """
    sample = events.sample
    tree = open_tree(events.url, events.tree)
    file = _file_read(tree, events, workload)  # before it can be exchanged
    if not events.size:
        return Filled({}, {}, {sample: 0}, {(sample, events.url): file})
    seen, selection = prepare(tree, events, workload)
    if not events.start:
        file = replace(file, beginning=beginning(seen))
    weights = None
    if workload.requested[sample].generator_weighted:
        weights = generator_weights(seen)  # before the selection can change them
    try:
        filled = histogram.filled(
            sample,
            observe(seen, selection, workload, sample),
            workload.histograms,
            events=events.size,
            seen=len(seen),
            variations=workload.variations[sample],
            titles=workload.titles,
            cuts=workload.regions,
            generator_weights=weights,
            weightless=sample in workload.weightless,
        )
    except SpectrumError as error:
        raise located(error, events.where, selection) from error.__cause__
    return replace(filled, files={(sample, events.url): file})


def _file_read(tree: OpenTree, events: Events, workload: Workload) -> FileRead:
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
        blocks=read_blocks(tree, events) if _counts_blocks(events, workload) else None,
    )


def _counts_blocks(events: Events, workload: Workload) -> bool:
    """Whether the luminosity of a sample is asked for."""
    return workload.luminosity_table is not None and events.sample in workload.data
