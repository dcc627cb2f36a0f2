"""The repeatability of a selection: a few events are selected in two processes.

In one, twice; in the other, in the reverse order.  What depends on a draw without a
seed, the clock, the process, or on what was selected before, gives itself away.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.elsewhere import in_two
from spectrum_workflows.hep.select.observing import observe
from spectrum_workflows.hep.select.workload import Workload
from spectrum_workflows.hep.types import Events, Observable
from spectrum_workflows.hep.workflow.reading import read_some
from spectrum_workflows.stages import together

if TYPE_CHECKING:
    from distributed import Client

EVENTS = 500
"""Events of each piece; there are two per sample."""

TOLERANCE = 1e-5
"""Relative difference up to which numbers are the same: processors may round differently."""

_repeated: set[Any] = set()
"""Selections, with their events, that gave the same answer already in this session."""

Answer = dict[str, NDArray[Any]] | None
"""Values, weights and positions by region; nothing where the selection failed."""


@dataclass(frozen=True)
class Answers:
    """Answers of one process, and the bytes that it read for them."""

    values: list[Answer]
    stores: tuple[tuple[str, int], ...]


@contextmanager
def watched(
    workload: Workload, partitions: Sequence[Any], *, client: Client | None
) -> Iterator[Callable[[], Metrics]]:
    """Select some events in two processes, beside a run, to see whether they agree.

    Parameters
    ----------
    workload : Workload
        Whose selection.
    partitions : sequence of Events
        Of the run: the first of the first simulated sample and of the first data are taken.
    client : distributed.Client, optional
        Where the run computes.

    Yields
    ------
    callable
        Gives what was read for it, and a warning if the answers are not the same; waits for them.
    """
    sampled = _sampled(workload, partitions)
    question = (workload.selection.digest, workload.selection.cuts, tuple(sampled))
    if question in _repeated:
        yield Metrics
        return
    stores = storage.current_stores()
    twice = partial(answers_of, sampled, workload, stores, backwards=False)
    once = partial(answers_of, sampled, workload, stores, backwards=True)
    with in_two(twice, once, client=client) as both:

        def compared() -> Metrics:
            answers = both()
            if answers is None:
                return Metrics()
            forwards, backwards = answers
            differences = tuple(_differences(forwards.values, backwards.values, workload))
            if not differences:
                _repeated.add(question)
            stores = together(forwards.stores, backwards.stores)
            nbytes = sum(read for _, read in stores)
            return Metrics(bytes_read=nbytes, stores=stores, warnings=differences)

        yield compared


def answers_of(
    sampled: Sequence[Events], workload: Workload, stores: storage.Stores, *, backwards: bool
) -> Answers:
    """Answers of the selection for every piece: forwards and again, or once backwards."""
    quiet = contextlib.redirect_stdout(io.StringIO())
    with storage.using(stores), storage.metering() as counter, quiet:
        pieces = [piece for events in sampled for piece in _pieces(events, workload)]
        order = pieces[::-1] if backwards else pieces + pieces
        values = [_answer(workload, *piece) for piece in order]
    return Answers(values, tuple(sorted(counter.by_store.items())))


def _sampled(workload: Workload, partitions: Sequence[Any]) -> list[Events]:
    """The first partition of simulation, and of data."""
    first: dict[bool, Events] = {}
    for events in partitions:
        if events.size:
            first.setdefault(events.sample in workload.data, events)
    return [*first.values()]


def _pieces(events: Events, workload: Workload) -> list[tuple[str, ak.Array, Any]]:
    few = read_some(events, workload, 2 * EVENTS)
    seen, half = few.seen, (len(few.seen) + 1) // 2
    return [(events.sample, part, few.selection) for part in (seen[:half], seen[half:])]


def _answer(workload: Workload, sample: str, events: ak.Array, selection: Any) -> Answer:
    try:
        mine = ak.copy(events)  # so that nothing is changed for the next
        observables = observe(mine, selection, workload, sample)
    except Exception:  # the run itself says so
        return None
    return {f"{sample}: {name}": array for name, array in _arrays(observables)}


def _arrays(observables: Mapping[str, Observable]) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, observable in observables.items():
        yield name, observable.values
        if observable.weights is not None:
            yield f"weights of {name}", observable.weights
        if observable.index is not None:
            yield f"index of {name}", observable.index
        for inner, array in _arrays(observable.variations):
            yield f"{inner} of {name}", array


def _differences(twice: list[Answer], once: list[Answer], workload: Workload) -> Iterator[str]:
    number = len(once)
    rows = zip(twice[:number], twice[number:], reversed(once), strict=True)
    names = [name for a, b, c in rows for name in (_differs(a, b) or _differs(a, c),) if name]
    if names:
        yield (
            f"{workload.selection.where} does not give the same answer again ({names[0]}): it "
            "depends on a draw without a seed, the clock, the process, or on what was selected "
            "before; this result cannot be repeated"
        )


def _differs(a: Answer, b: Answer) -> str:
    """Name of the first array that is not the same in two answers."""
    if a is None or b is None:
        return "" if a is b else "an error"
    if a.keys() != b.keys():
        return min(a.keys() ^ b.keys())
    return next((name for name in a if not _same(a[name], b[name])), "")


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    if a.shape != b.shape:
        return False
    scale = float(np.max(np.abs(a), initial=0.0))
    return bool(np.allclose(a, b, rtol=TOLERANCE, atol=0.1 * TOLERANCE * scale))
