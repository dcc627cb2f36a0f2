"""Does a selection give the same answer again?  A few events are selected in two processes.

In one, twice; in the other, in the reverse order.  What depends on a draw without a
seed, the clock, the process, or on what was selected before, gives itself away.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows import storage
from spectrum_workflows.engine.elsewhere import in_two
from spectrum_workflows.hep.select.observables import regions
from spectrum_workflows.hep.select.preparing import prepared
from spectrum_workflows.hep.select.workload import Workload
from spectrum_workflows.hep.types import Events, Observable

if TYPE_CHECKING:
    from distributed import Client

EVENTS = 500
"""Events of each piece; there are two per sample."""

TOLERANCE = 1e-5
"""Relative difference up to which numbers are the same: processors may round differently."""

_asked: set[Any] = set()
"""What gave the same answer already in this session: it is not asked again."""

Answer = dict[str, NDArray[Any]] | None
"""Values, weights and positions by region; nothing where the selection failed."""


@contextmanager
def watched(
    task: Workload, partitions: Sequence[Any], *, client: Client | None
) -> Iterator[Callable[[], tuple[str, ...]]]:
    """Begin to select some events in two processes, beside a run.

    Parameters
    ----------
    task : Workload
        Whose selection.
    partitions : sequence of Events
        Of the run: the first of the first simulated sample and of the first data are taken.
    client : distributed.Client, optional
        Where the run computes.

    Yields
    ------
    callable
        Gives a warning if the answers are not the same; waits for them.
    """
    sampled = _sampled(task, partitions)
    question = (task.selection.digest, task.selection.cuts, tuple(sampled))
    if question in _asked:
        yield lambda: ()
        return
    stores = storage.current_stores()
    twice = partial(answers, sampled, task, stores, backwards=False)
    once = partial(answers, sampled, task, stores, backwards=True)
    with in_two(twice, once, client=client) as both:

        def found() -> tuple[str, ...]:
            given = both()
            if given is None:
                return ()
            different = tuple(_differences(*given, task))
            if not different:
                _asked.add(question)
            return different

        yield found


def answers(
    sampled: Sequence[Events], task: Workload, stores: storage.Stores, *, backwards: bool
) -> list[Answer]:
    """What the selection returns for every piece: forwards and again, or once backwards."""
    with storage.using(stores), contextlib.redirect_stdout(io.StringIO()):
        pieces = [piece for events in sampled for piece in _pieces(events, task)]
        order = pieces[::-1] if backwards else pieces + pieces
        return [_answer(task, *piece) for piece in order]


def _sampled(task: Workload, partitions: Sequence[Any]) -> list[Events]:
    found: dict[bool, Events] = {}
    for events in partitions:
        if events.size:
            found.setdefault(events.sample in task.data, events)
    few = 2 * EVENTS
    return [replace(e, stop=e.start + min(few, e.size)) for e in found.values()]


def _pieces(events: Events, task: Workload) -> list[tuple[str, ak.Array, Any]]:
    arrays, selection = prepared(events, task)
    half = (len(arrays) + 1) // 2
    return [(events.sample, part, selection) for part in (arrays[:half], arrays[half:])]


def _answer(task: Workload, sample: str, events: ak.Array, selection: Any) -> Answer:
    try:
        mine = ak.copy(events)  # so that nothing is changed for the next
        found = regions(selection(mine, **task.options(sample)), seen=len(events))
    except Exception:  # the run itself says so
        return None
    return {f"{sample}: {name}": array for name, array in _flat(found)}


def _flat(found: Mapping[str, Observable]) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, observable in found.items():
        yield name, observable.values
        if observable.weights is not None:
            yield f"weights of {name}", observable.weights
        if observable.index is not None:
            yield f"index of {name}", observable.index
        for inner, array in _flat(observable.variations):
            yield f"{inner} of {name}", array


def _differences(twice: list[Answer], once: list[Answer], task: Workload) -> Iterator[str]:
    number = len(once)
    rows = zip(twice[:number], twice[number:], reversed(once), strict=True)
    names = [name for a, b, c in rows for name in (_differs(a, b) or _differs(a, c),) if name]
    if names:
        yield (
            f"{task.selection.where} does not give the same answer again ({names[0]}): it depends "
            "on a draw without a seed, the clock, the process, or on what was selected before; "
            "this result cannot be repeated"
        )


def _differs(a: Answer, b: Answer) -> str:
    """What is not the same in two answers."""
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
