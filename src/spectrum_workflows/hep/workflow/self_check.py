"""The self-check of corrections: some events of every run, each number compared with correctionlib.

It is a stage of its own, so that its cost stands apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.engine import Reduction
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep.select.observing import observe
from spectrum_workflows.hep.select.selection import located
from spectrum_workflows.hep.workflow.reading import read_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.engine import Run
    from spectrum_workflows.hep.select.workload import Workload
    from spectrum_workflows.hep.types import Events, Observable

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
        out += [own[k] for k in sorted(spread)]
    return out


def _events(events: Events, workload: Workload) -> int:
    """How many events were looked at."""
    few = read_some(events, workload, EVENTS)
    seen, selection = few.seen, few.selection
    try:
        observed = observe(seen, selection, workload, events.sample)
        if workload.select_varied:
            plain = observe(seen, selection, workload, events.sample, at_once=False)
            _refuse_others(observed, plain, workload.select_varied)
    except SpectrumError as error:
        raise located(error, events.where, selection) from error.__cause__
    return len(seen)


def _refuse_others(
    observed: Mapping[str, Observable], plain: Mapping[str, Observable], function: str
) -> None:
    """Refuse regions that are not, to the bit, those of the plain selection.

    Raises
    ------
    DataError
        Naming region and variation.
    """
    for region, observable in plain.items():
        for name, expected in observable.variations.items():
            other = observed[region].variations[name]
            pairs = ((expected.values, other.values), (expected.index, other.index))
            if not all(_same(a, b) for a, b in pairs):
                message = f"{function} and select differ in region {region!r} under {name}"
                raise DataError(message, "select_varied", "mend it, or leave select_varied out")


def _same(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    if a is None or b is None:
        return a is b
    return bool(np.array_equal(a, b))
