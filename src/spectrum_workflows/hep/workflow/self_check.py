"""The self-check of corrections: some events of every run, each number compared with correctionlib.

It is a stage of its own, so that its cost stands apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import add
from typing import TYPE_CHECKING, Any

from spectrum_workflows.engine import Reduction
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.select.observing import observe
from spectrum_workflows.hep.select.preparing import prepare
from spectrum_workflows.hep.select.selection import located

if TYPE_CHECKING:
    from spectrum_workflows.engine import Run
    from spectrum_workflows.hep.select.workload import Workload
    from spectrum_workflows.hep.types import Events

STAGE = "self-check of corrections"

EVENTS, PIECES = 200, 3
"""Events of a piece, and pieces of every sample, spread over its partitions."""

EVERY = 1 << 62
"""More elements than there are: all are compared."""


def check_corrections(run: Run[Any], workload: Workload) -> None:
    """Compare all corrections of some events with correctionlib; nothing if none are declared.

    Raises
    ------
    DataError
        A compiled correction has another value.
    """
    items = _sampled(run.partitions, workload)
    if items:
        checking = replace(workload.declarations, check=EVERY)
        run.reduce(STAGE, Reduction(_events, add), items, replace(workload, declarations=checking))


def _sampled(partitions: Sequence[Events], workload: Workload) -> list[Events]:
    out = []
    for sample in workload.declarations.samples:
        own = [p for p in partitions if p.sample == sample and p.size]
        spread = {len(own) * k // PIECES for k in range(PIECES)} if own else set()
        out += [
            replace(own[k], stop=min(own[k].stop, own[k].start + EVENTS)) for k in sorted(spread)
        ]
    return out


def _events(events: Events, workload: Workload) -> int:
    """How many events were looked at."""
    seen, selection = prepare(open_tree(events.url, events.tree), events, workload)
    try:
        observe(seen, selection, workload, events.sample)
    except SpectrumError as error:
        raise located(error, events.where, selection) from error.__cause__
    return len(seen)
