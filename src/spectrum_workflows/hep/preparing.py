"""Everything a task does before the selection: read, keep the events that count, rename."""

from __future__ import annotations

from typing import Any

import awkward as ak

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import columns, quality
from spectrum_workflows.hep.job import Job
from spectrum_workflows.hep.read import read
from spectrum_workflows.hep.rootfile import opened
from spectrum_workflows.hep.selection import Selection
from spectrum_workflows.hep.types import Events


def prepared(events: Events, job: Job) -> tuple[ak.Array, Selection]:
    """The events of a partition as the selection sees them, and the selection with its cuts.

    Events without a trigger, and data outside of the good runs, are left out;
    they count as processed all the same.
    """
    _check_stand_ins(events, job)
    found = read(events, job.wanted.read(events.stand_ins, data=events.sample in job.data))
    return counted(found, events, job), selection(events, job)


def _check_stand_ins(events: Events, job: Job) -> None:
    """Refuse a file that nobody has looked into and that has other columns than the first."""
    if not job.wanted.fallbacks or events.uuid:
        return
    have = opened(events.url, events.tree).tree.keys()
    if job.wanted.stand_ins(have, data=events.sample in job.data) != events.stand_ins:
        raise DataError(
            "not all files of this sample have the same columns",
            events.url,
            "make two samples of them: what stands in may select otherwise",
        )


def selection(events: Events, job: Job) -> Selection:
    """The selection with the cuts that belong to the columns of a partition."""
    changed = columns.cuts(job.wanted, events.stand_ins)
    return job.selection.with_cuts(changed) if changed else job.selection


def counted(found: Any, events: Events, job: Job) -> ak.Array:
    """What was read, under the names the selection knows, of the events that count."""
    data = events.sample in job.data
    seen = columns.as_selection_sees(found, job.wanted, events.stand_ins, data=data)
    if job.wanted.triggers:
        keep = quality.any_fired(found, job.wanted.triggers)
        seen, found = seen[keep], found[keep]
    if data and job.good_runs is not None:
        run, block = (found[name] for name in columns.CERTIFICATION)
        seen = seen[quality.in_good_runs(run, block, job.good_runs)]
    return seen
