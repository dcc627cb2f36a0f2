"""The check of a skim's conditions: what they leave out, the selection would leave out too.

Of the first partition of every sample some events that do not fulfil the conditions are selected
all the same, under all variations.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import awkward as ak

from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.select.observing import observe
from spectrum_workflows.hep.select.preparing import (
    choose_events,
    filter_events,
    selection_for,
    with_fallbacks,
)
from spectrum_workflows.hep.types.skims import first_entry

if TYPE_CHECKING:
    from spectrum_workflows.hep.select.workload import Workload
    from spectrum_workflows.hep.types import Events, FileRead

HALVINGS, SINGLE = 32, 32
"""How often events of which the selection raises an error are selected in halves; and how many of
those that are left then are selected one by one."""


@dataclass(frozen=True)
class _Selected:
    """What became of some events that do not fulfil the conditions.

    Attributes
    ----------
    checked : int
        Those of which the selection raises no error.
    filled : Counter of str
        Those in every histogram.
    error : str
        The first that it raises of others.
    """

    checked: int = 0
    filled: Counter[str] = field(default_factory=Counter)
    error: str = ""

    def __add__(self, other: _Selected) -> _Selected:
        both = self.filled + other.filled
        return _Selected(self.checked + other.checked, both, self.error or other.error)


def to_check(partitions: Iterable[Any]) -> frozenset[str]:
    """The first partition of every sample that holds events, by its `first_entry`."""
    first: dict[str, Events] = {}
    for events in partitions:
        if events.size:
            first.setdefault(events.sample, events)
    return frozenset(map(first_entry, first.values()))


def check_conditions(first: ak.Array, events: Events, workload: Workload) -> str:
    """Refuse conditions if the selection takes an event that does not fulfil them.

    Such events need not have what the selection and corrections ask for: where these raise an
    error, fewer are selected at once.

    Parameters
    ----------
    first : ak.Array, shape (n_events,)
        Some first events of the partition, with the branches of the file.
    events : Events
        The partition.
    workload : Workload

    Returns
    -------
    str
        Why not one such event could be selected; empty if some were, or if all fulfil them.

    Raises
    ------
    DataError
        Naming the histogram that such an event is in.
    """
    own = with_fallbacks(first.fields, events, workload.requested[events.sample])
    chosen = choose_events(first, own, workload)
    if not chosen.passed.any():
        return "no event of its first partition passes triggers, flags and good runs"
    rejected = first[chosen.passed & ~chosen.kept]
    free = replace(workload, require=None)
    selected = _select_all(rejected, lambda some: _select(some, own, free))
    if selected.filled:
        [(title, number)] = selected.filled.most_common(1)
        raise DataError(
            f"{number} of {len(rejected)} events that do not fulfil skim.require are in histogram"
            f" {title!r} of {events.sample}: the conditions are tighter than the selection",
            "skim.require",
            "loosen the conditions, or ask for as much in the selection",
        )
    if selected.checked or not len(rejected):
        return ""
    return f"select raises an error of all events that do not fulfil it ({selected.error})"


def not_checked(files: Mapping[tuple[str, str], FileRead]) -> Iterator[str]:
    """Warnings of samples whose conditions could not be compared with the selection."""
    for (sample, _), file in files.items():
        if file.unchecked:
            remedy = "compare once with a run without [skim]"
            yield f"{sample}: skim.require could not be checked: {file.unchecked}; {remedy}"


def _select_all(rejected: ak.Array, select: Callable[[ak.Array], _Selected]) -> _Selected:
    """Select as many of some events as can be, in few calls: at once, in halves, one by one."""
    total, pieces = _Selected(), deque([rejected] if len(rejected) else [])
    for _ in range(HALVINGS):
        if not pieces:
            return total
        piece = pieces.popleft()
        selected = select(piece)
        total += selected
        if selected.error and len(piece) > 1:
            half = len(piece) // 2
            pieces += [piece[:half], piece[half:]]
    places = [(piece, k) for piece in pieces for k in range(len(piece))]
    spread = places[:: max(1, -(-len(places) // SINGLE))]
    return reduce(add, (select(piece[k : k + 1]) for piece, k in spread), total)


def _select(some: ak.Array, events: Events, workload: Workload) -> _Selected:
    """Some events, selected and counted by histogram under all variations."""
    sample = events.sample
    filled: Counter[str] = Counter()
    try:
        seen = filter_events(ak.to_packed(some), events, workload).seen
        regions = observe(seen, selection_for(events, workload), workload, sample)
        own = workload.variations[sample], workload.titles[sample]
        for title, _, axes in histogram.to_fill(regions, workload.histograms, *own):
            filled[title] = len(axes[0].values)
    except SpectrumError as error:
        return _Selected(error=error.what)
    return _Selected(len(some), +filled)
