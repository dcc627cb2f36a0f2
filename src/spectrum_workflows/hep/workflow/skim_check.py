"""The check of a skim's conditions: what they leave out, the selection would leave out too.

Of the first partition of every sample some events that do not fulfil the conditions are selected
all the same, under all variations.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import awkward as ak

from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.select.observables import check_regions
from spectrum_workflows.hep.select.observing import observe
from spectrum_workflows.hep.types.skims import first_entry

if TYPE_CHECKING:
    from spectrum_workflows.hep.select.selection import Selection
    from spectrum_workflows.hep.select.workload import Workload
    from spectrum_workflows.hep.types import Events


def to_check(partitions: Iterable[Any]) -> frozenset[str]:
    """The first partition of every sample that holds events, by its `first_entry`."""
    first: dict[str, Events] = {}
    for events in partitions:
        if events.size:
            first.setdefault(events.sample, events)
    return frozenset(map(first_entry, first.values()))


def refuse_selected(
    rejected: ak.Array, selection: Selection, workload: Workload, sample: str
) -> None:
    """Refuse conditions if the selection takes an event that does not fulfil them.

    Parameters
    ----------
    rejected : ak.Array, shape (n_events,)
        As the selection sees them.
    selection : Selection
    workload : Workload
    sample : str

    Raises
    ------
    DataError
        Naming the histogram that such an event is in.
    """
    filled: dict[str, int] = {}
    variations = workload.variations[sample]
    with suppress(SpectrumError):  # such events need not have what corrections ask for
        observed = observe(rejected, selection, workload, sample)
        text = histogram.texts(workload.histograms)
        regions = check_regions(observed, seen=len(rejected), text=text)
        titles = workload.titles[sample]
        for title, _, axes in histogram.to_fill(regions, workload.histograms, variations, titles):
            filled[title] = len(axes[0].values)
    title = max(filled, key=lambda name: filled[name], default="")
    if title and filled[title]:
        raise DataError(
            f"{filled[title]} of {len(rejected)} events that do not fulfil skim.require are in "
            f"histogram {title!r} of {sample}: the conditions are tighter than the selection",
            "skim.require",
            "loosen the conditions, or ask for as much in the selection",
        )
