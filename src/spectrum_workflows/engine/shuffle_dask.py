"""The shuffle on Dask: pieces travel once, and the values they make stay."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import cloudpickle
import dask
from distributed import Future, as_completed

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.lookout import Lookout
from spectrum_workflows.engine.parts import Part, Parts, as_merge_error, as_spectrum_error
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.engine.shuffle import joined_part, kept, piece
from spectrum_workflows.engine.tasks import columns, loaded, scatter_shared, task_of
from spectrum_workflows.engine.tree_dask import MERGE_PRIORITY, may_be_retried, stand_in
from spectrum_workflows.errors import SiteError

if TYPE_CHECKING:
    from distributed import Client

P = TypeVar("P")
R = TypeVar("R")


@dataclass
class _Round(Generic[R]):
    """Everything that was submitted at once, and what is known of its parts."""

    turn: int
    names: dict[str, int]
    events: as_completed
    values: list[Future]
    costs: list[Future]


@dataclass
class _Shuffle(Generic[P, R]):
    """The state of one shuffle; lives on the client only.

    Attributes
    ----------
    settled : dict of int to Future
        Parts that are not computed any more: those that failed for good, and those that
        were tried once more by themselves.
    failed : dict of int to Future
        Parts that failed in this round.
    reported : int
        Parts that were said to be finished.
    """

    parts: Parts[Sequence[P]]
    join: Callable[[int, list[P]], R]
    count: int
    client: Client
    lookout: Lookout
    shared: list[Any] = field(default_factory=list)
    settled: dict[int, Future] = field(default_factory=dict)
    failed: dict[int, Future] = field(default_factory=dict)
    reported: int = 0

    def key(self, kind: str, number: int, turn: int = 0) -> str:
        """A task key that is readable on the dashboard and never used again."""
        return f"{self.parts.label}-{kind}-{self.lookout.nonce}-{turn}-{number:05d}"

    def submitted(self, numbers: list[int], kind: str, turn: int) -> list[Future]:
        """Some of the parts."""
        made: list[Future] = self.client.map(
            task_of(self.parts),
            [self.parts.items[n] for n in numbers],
            *columns(self.shared, numbers),
            key=[self.key(kind, n, turn) for n in numbers],
        )
        return made


def shuffle_on_workers(
    parts: Parts[Sequence[P]],
    join: Callable[[int, list[P]], R],
    count: int,
    done: Callable[[int], None],
) -> Persisted[R]:
    """Submit parts, pieces and joins at once; let parts go as soon as they are in pieces.

    The scheduler keeps the recipe of every value as long as the value is kept,
    and makes it again if its worker dies.  A part that hangs or takes its workers
    down fails all values, which need a piece of it: they are then made once more,
    with what became of it in its place.
    """
    client = parts.client
    assert client is not None
    lookout = Lookout(client, f"0x{secrets.token_hex(3)}")
    whole = _Shuffle(parts, join, count, client, lookout)
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "16 GiB"}):
        whole.shared = scatter_shared(client, parts, partial(whole.key, "shared"))
        turn, begun = 0, _begun(whole, 0)
        try:
            with lookout:
                while _awaited(whole, begun, done):
                    _let_go(client, begun)
                    for number in sorted(whole.failed):
                        whole.settled[number] = _settled(whole, turn, number)
                    _release(whole.failed.values())
                    whole.failed.clear()
                    turn += 1
                    begun = _begun(whole, turn)
                return kept(begun.values, client, _gathered(lookout, begun.values, begun.costs))
        except BaseException:
            _let_go(client, begun)
            _release([*whole.settled.values(), *whole.failed.values(), *whole.shared])
            raise


def _begun(whole: _Shuffle[P, R], turn: int) -> _Round[R]:
    """Submit parts that are not settled, and what all give."""
    numbers = [n for n in range(len(whole.parts.items)) if n not in whole.settled]
    fresh = dict(zip(numbers, whole.submitted(numbers, "part", turn), strict=True))
    made = [found for _, found in sorted({**whole.settled, **fresh}.items())]
    key = partial(whole.key, turn=turn)
    values = _joined(whole.client, made, whole.join, whole.count, key)
    keys = [key("metrics", k) for k in range(whole.count)]
    costs = whole.client.map(_metrics_of, values, key=keys, priority=MERGE_PRIORITY)
    events = as_completed(fresh.values(), loop=whole.client.loop)
    return _Round(turn, {future.key: n for n, future in fresh.items()}, events, values, costs)


def _awaited(whole: _Shuffle[P, R], begun: _Round[R], done: Callable[[int], None]) -> bool:
    """Wait for the parts; whether some have failed that may still be mended."""
    finished = len(whole.settled)
    for _ in range(len(begun.names)):
        future = whole.lookout.next(begun.events)
        if future.status == "cancelled":
            raise SiteError("the scheduler dropped the run's tasks", remedy="is it still running?")
        number = begun.names[future.key]
        if future.status == "error":
            whole.failed[number] = future
            item, error = whole.parts.items[number], future.exception()
            overdue = future.key in whole.lookout.overdue
            if not may_be_retried(whole.parts, error) or (
                overdue and whole.parts.on_error == "raise"
            ):
                raise as_spectrum_error(
                    whole.lookout.explained(future.key, error, item.where), item
                )
            continue
        finished += 1
        if finished > whole.reported:
            whole.reported = finished
            done(finished)
    return bool(whole.failed)


def _settled(whole: _Shuffle[P, R], turn: int, number: int) -> Future:
    """A part of which no worker came back: tried once more by itself, if it was not overdue."""
    failed = whole.failed[number]
    if failed.key not in whole.lookout.overdue:
        [again] = whole.submitted([number], "again", turn)
        whole.lookout.wait(again)
        if again.status != "error":
            return again
        failed.release()
        failed = whole.failed[number] = again
    return stand_in(whole.parts, whole.lookout, number, failed, whole.key("failed", number, turn))


def _let_go(client: Client, begun: _Round[R]) -> None:
    """Have the scheduler forget a round.

    Parts are let go, not cancelled: with them it would cancel their pieces, and stumbles
    over tasks that no client holds.
    """
    client.cancel([*begun.costs, *begun.values], force=True)
    _release(begun.events.futures)
    begun.events.clear()


def _release(futures: Iterable[Any]) -> None:
    """Let go of values even where the traceback of an error still holds on to their names."""
    for future in list(futures):
        if isinstance(future, Future):
            future.release()


def _place(addresses: Sequence[str], number: int) -> dict[str, Any]:
    """A worker for the value of a number: the same one as long as the workers stay.

    Workers are dealt to forth and back, which evens out costs that rise or fall with the number.
    """
    if not addresses:
        return {}
    turn, at = divmod(number, len(addresses))
    chosen = addresses[-1 - at if turn % 2 else at]
    return {"workers": chosen, "allow_other_workers": True}


def _joined(
    client: Client,
    made: list[Future],
    join: Callable[[int, list[P]], R],
    count: int,
    key: Callable[[str, int], str],
) -> list[Future]:
    """Pieces of every part, and the values they make, spread evenly over the workers.

    A value may be made elsewhere if its worker has gone; values of the same
    number meet on the same worker, as long as the workers stay.
    """
    pairs = list(product(range(len(made)), range(count)))
    pieces = client.map(
        piece,
        [made[n] for n, _ in pairs],
        [k for _, k in pairs],
        key=[key("piece", n * count + k) for n, k in pairs],
        priority=MERGE_PRIORITY,
    )
    task = partial(_join, cloudpickle.dumps(join))
    priority, addresses = MERGE_PRIORITY, sorted(client.nthreads())
    return [
        client.submit(
            task,
            k,
            pieces[k::count],
            key=key("value", k),
            priority=priority,
            **_place(addresses, k),
        )
        for k in range(count)
    ]


def _join(by_value: bytes, number: int, pieces: list[Part[Any]]) -> Part[Any]:
    return joined_part(loaded(by_value), number, pieces)


def _metrics_of(part: Part[Any]) -> Metrics:
    return part.metrics


def _gathered(lookout: Lookout, values: list[Future], costs: list[Future]) -> list[Metrics]:
    """Wait for the values; bring their costs here, not themselves."""
    lookout.wait(values)
    for value in values:
        if value.status == "error":
            raise as_merge_error(value.exception())
        if value.status == "cancelled":
            raise SiteError("the scheduler dropped the run's tasks", remedy="is it still running?")
    lookout.wait(costs)
    found: list[Metrics] = lookout.client.gather(costs)
    return found
