"""The shuffle on Dask: parts in a window, pieces that travel once, and values that stay."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import cloudpickle
import dask
from distributed import Future, as_completed

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.bundles import take_groups
from spectrum_workflows.engine.failures import as_merge_error, as_spectrum_error
from spectrum_workflows.engine.lookout import Lookout
from spectrum_workflows.engine.parts import Part, Parts
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.engine.pieces import join_pieces, piece
from spectrum_workflows.engine.tasks import columns, loaded, scatter_shared, task_of, travelling
from spectrum_workflows.engine.tree_dask import MERGE_PRIORITY, failed_part, may_be_retried
from spectrum_workflows.engine.window import Window
from spectrum_workflows.errors import SiteError

if TYPE_CHECKING:
    from distributed import Client

P = TypeVar("P")
R = TypeVar("R")

BUNDLES = 4096
"""Tasks that pieces may make, about: the scheduler keeps them as long as the values."""


@dataclass
class _Attempt:
    """One try to make all values; lives on the client only.

    Attributes
    ----------
    turn : int
        In the names of its tasks.
    events : distributed.as_completed
        The parts, as they are done.
    under_way : dict of str to int
        Number of every part that is being computed, by the name of its task.
    done : int
        Parts that are computed.
    uncut : dict of int to Future
        Parts that are computed and not yet in pieces.
    lying : dict of str to list of int
        Numbers of those, by the address of the worker that has them.
    bundles : list of list of Future
        Of every group of parts, their pieces for each value.
    failed : dict of int to Future
        Parts that failed: this attempt makes no values.
    values, costs : list of Future
    """

    turn: int
    events: as_completed
    under_way: dict[str, int] = field(default_factory=dict)
    done: int = 0
    uncut: dict[int, Future] = field(default_factory=dict)
    lying: dict[str, list[int]] = field(default_factory=dict)
    bundles: list[list[Future]] = field(default_factory=list)
    failed: dict[int, Future] = field(default_factory=dict)
    values: list[Future] = field(default_factory=list)
    costs: list[Future] = field(default_factory=list)


@dataclass
class _Shuffle(Generic[P, R]):
    """What all attempts at one shuffle share; lives on the client only.

    Attributes
    ----------
    settled : dict of int to Future
        Parts that are not computed any more: those that failed for good, and those that
        were tried once more by themselves.
    reported : int
        Parts that were said to be finished.
    """

    parts: Parts[Sequence[P]]
    join: Callable[[int, list[P]], R]
    count: int
    client: Client
    lookout: Lookout
    window: Window
    shared: list[Any] = field(default_factory=list)
    settled: dict[int, Future] = field(default_factory=dict)
    reported: int = 0

    @property
    def group_size(self) -> int:
        """Parts that are cut together: one, unless there would be too many pieces."""
        return max(1, -(-len(self.parts.items) * self.count // BUNDLES))

    def key(self, kind: str, number: int, turn: int = 0) -> str:
        """A task key that is readable on the dashboard and never used again."""
        return f"{self.parts.label}-{kind}-{self.lookout.nonce}-{turn}-{number:05d}"

    def submit(self, numbers: list[int], kind: str, turn: int) -> list[Future]:
        """Submit some of the parts."""
        futures: list[Future] = self.client.map(
            task_of(self.parts),
            travelling(self.parts.items[n] for n in numbers),
            *columns(self.shared, numbers),
            key=[self.key(kind, n, turn) for n in numbers],
        )
        return futures


def shuffle_on_workers(
    parts: Parts[Sequence[P]],
    join: Callable[[int, list[P]], R],
    count: int,
    done: Callable[[int], None],
) -> Persisted[R]:
    """Submit parts in a window, their pieces as they are done, and at the end what these make.

    The scheduler keeps the recipe of every value as long as the value is kept,
    and makes it again if its worker dies.  For that it remembers every piece, so
    the pieces of many parts for one value are one task, a bundle.  After a part
    that hangs or takes its workers down, all that were not to blame are computed
    once more, with what became of it in its place.
    """
    client = parts.client
    assert client is not None
    lookout = Lookout(client, f"0x{secrets.token_hex(3)}")
    whole = _Shuffle(parts, join, count, client, lookout, Window(client))
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "16 GiB"}):
        whole.shared = scatter_shared(client, parts, partial(whole.key, "shared"))
        attempt = _Attempt(0, as_completed(loop=client.loop))
        try:
            with lookout:
                while _failed_parts(whole, attempt, done):
                    _let_go(client, attempt)
                    for number in sorted(attempt.failed):
                        whole.settled[number] = _settle(whole, attempt, number)
                    _release(attempt.failed.values())
                    attempt = _Attempt(attempt.turn + 1, as_completed(loop=client.loop))
                _join_bundles(whole, attempt)
                costs = sum(_gather_costs(lookout, attempt), lookout.cost)
                return Persisted(tuple(attempt.values), client, costs)
        except BaseException:
            _let_go(client, attempt)
            raise
        finally:
            _release([*attempt.failed.values(), *attempt.costs])
            _release([*whole.settled.values(), *whole.shared])


def _failed_parts(
    whole: _Shuffle[P, R], attempt: _Attempt, done: Callable[[int], None]
) -> dict[int, Future]:
    """Compute the parts and have them cut; those that failed and may be tried again."""
    attempt.done, attempt.uncut = len(whole.settled), dict(whole.settled)
    todo = iter([n for n in range(len(whole.parts.items)) if n not in whole.settled])
    while True:
        _submit_parts(whole, attempt, todo)
        if not attempt.under_way:
            break
        _take(whole, attempt, whole.lookout.next(attempt.events))
        if attempt.done > whole.reported:
            whole.reported = attempt.done
            done(attempt.done)
        if not attempt.events.has_ready():
            _cut(whole, attempt, last=False)
    _cut(whole, attempt, last=True)
    return attempt.failed


def _submit_parts(whole: _Shuffle[P, R], attempt: _Attempt, todo: Iterator[int]) -> None:
    numbers = list(islice(todo, whole.window.room(len(attempt.under_way))))
    if numbers:
        futures = whole.submit(numbers, "part", attempt.turn)
        attempt.under_way |= {f.key: n for f, n in zip(futures, numbers, strict=True)}
        attempt.events.update(futures)


def _take(whole: _Shuffle[P, R], attempt: _Attempt, part: Future) -> None:
    """Note that a part is done, or has failed and may be tried again; raise if it may not."""
    if part.status == "cancelled":
        raise SiteError("the scheduler dropped the run's tasks", remedy="is it still running?")
    number = attempt.under_way.pop(part.key)
    if part.status != "error":
        attempt.done += 1
        attempt.uncut[number] = part
        return
    attempt.failed[number] = part
    item, error = whole.parts.items[number], part.exception()
    given_up = part.key in whole.lookout.overdue and whole.parts.on_error == "raise"
    if given_up or not may_be_retried(whole.parts, error):
        raise as_spectrum_error(whole.lookout.explained(part.key, error, item.where), item)


def _settle(whole: _Shuffle[P, R], attempt: _Attempt, number: int) -> Future:
    """A part of which no worker came back: tried once more by itself, if it was not overdue."""
    failed = attempt.failed[number]
    if failed.key not in whole.lookout.overdue:
        [again] = whole.submit([number], "again", attempt.turn)
        whole.lookout.wait(again)
        if again.status != "error":
            return again
        failed.release()
        failed = attempt.failed[number] = again
    key = whole.key("failed", number, attempt.turn)
    return failed_part(whole.parts, whole.lookout, number, failed, key)


def _cut(whole: _Shuffle[P, R], attempt: _Attempt, *, last: bool) -> None:
    """Have the parts that are done cut into bundles, and let go of them; the last ones as well."""
    if attempt.failed:
        attempt.uncut.clear()
    _locate(whole, attempt)
    for address, groups in take_groups(attempt.lying, whole.group_size, last=last).items():
        pairs = [(numbers, k) for numbers in groups for k in range(whole.count)]
        first = len(attempt.bundles) * whole.count
        bundles = whole.client.map(
            _bundle,
            [numbers for numbers, _ in pairs],
            [k for _, k in pairs],
            [[attempt.uncut[n] for n in numbers] for numbers, _ in pairs],
            key=[whole.key("pieces", first + at, attempt.turn) for at in range(len(pairs))],
            priority=MERGE_PRIORITY,
            **_near(address),
        )
        stream = iter(bundles)
        attempt.bundles += [list(islice(stream, whole.count)) for _ in groups]
        cut = [attempt.uncut.pop(n) for n in chain.from_iterable(groups)]
        _release(part for part in cut if part not in whole.settled.values())


def _locate(whole: _Shuffle[P, R], attempt: _Attempt) -> None:
    """Ask where parts lie that are done, if they are to be cut together."""
    known = set(chain.from_iterable(attempt.lying.values()))
    fresh = {part.key: n for n, part in sorted(attempt.uncut.items()) if n not in known}
    if whole.group_size == 1:
        attempt.lying.setdefault("", []).extend(fresh.values())
    elif fresh:
        holders = whole.client.who_has([attempt.uncut[n] for n in fresh.values()])
        for key, n in fresh.items():
            address = min(holders.get(key, ()), default="")
            attempt.lying.setdefault(address, []).append(n)


def _near(address: str) -> dict[str, Any]:
    """A worker that a task should go to; another takes it when that one has gone."""
    return {"workers": [address], "allow_other_workers": True} if address else {}


def _join_bundles(whole: _Shuffle[P, R], attempt: _Attempt) -> None:
    """Make the values, spread evenly over the workers.

    A value may be made elsewhere if its worker has gone; values of the same
    number meet on the same worker, as long as the workers stay.
    """
    task = partial(_join, cloudpickle.dumps(whole.join))
    addresses, key = sorted(whole.client.nthreads()), partial(whole.key, turn=attempt.turn)
    attempt.values = [
        whole.client.submit(
            task,
            k,
            [bundles[k] for bundles in attempt.bundles],
            key=key("value", k),
            priority=MERGE_PRIORITY,
            **_near(_place(addresses, k)),
        )
        for k in range(whole.count)
    ]
    keys = [key("metrics", k) for k in range(whole.count)]
    attempt.costs = whole.client.map(_metrics_of, attempt.values, key=keys, priority=MERGE_PRIORITY)
    _release(chain.from_iterable(attempt.bundles))
    attempt.bundles.clear()


def _place(addresses: Sequence[str], number: int) -> str:
    """A worker for the value of a number: the same one as long as the workers stay.

    Workers are dealt to forth and back, which evens out costs that rise or fall with the number.
    """
    if not addresses:
        return ""
    turn, at = divmod(number, len(addresses))
    return addresses[-1 - at if turn % 2 else at]


def _bundle(numbers: list[int], k: int, parts: list[Part[Sequence[P]]]) -> dict[int, Part[P]]:
    """Pieces of some parts for value ``k``, by the numbers of the parts."""
    return {n: piece(part, k) for n, part in zip(numbers, parts, strict=True)}


def _join(by_value: bytes, k: int, bundles: list[dict[int, Part[Any]]]) -> Part[Any]:
    """Value ``k`` of its pieces, in item order."""
    pieces = {n: part for bundle in bundles for n, part in bundle.items()}
    return join_pieces(loaded(by_value), k, [pieces[n] for n in sorted(pieces)])


def _metrics_of(part: Part[Any]) -> Metrics:
    return part.metrics


def _gather_costs(lookout: Lookout, attempt: _Attempt) -> list[Metrics]:
    """Wait for the values; bring their costs here, not themselves."""
    lookout.wait(attempt.values)
    for value in attempt.values:
        if value.status == "error":
            raise as_merge_error(value.exception())
        if value.status == "cancelled":
            raise SiteError("the scheduler dropped the run's tasks", remedy="is it still running?")
    lookout.wait(attempt.costs)
    costs: list[Metrics] = lookout.client.gather(attempt.costs)
    return costs


def _let_go(client: Client, attempt: _Attempt) -> None:
    """Have the scheduler forget an attempt.

    Parts and bundles are let go, not cancelled: it would cancel with them what is made of
    them, and stumbles over tasks that no client holds.
    """
    client.cancel([*attempt.costs, *attempt.values], force=True)
    _release(chain(attempt.events.futures, chain.from_iterable(attempt.bundles)))
    attempt.events.clear()
    attempt.bundles.clear()
    attempt.uncut.clear()


def _release(futures: Iterable[Any]) -> None:
    """Let go of values even where the traceback of an error still holds on to their names."""
    for future in list(futures):
        if isinstance(future, Future):
            future.release()
