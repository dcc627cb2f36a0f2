"""Some subtrees of the merge tree on the workers of one of several sites."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar

from distributed import Future, as_completed

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.failures import as_spectrum_error
from spectrum_workflows.engine.ledger import Node
from spectrum_workflows.engine.observer import Sketching
from spectrum_workflows.engine.parts import Part, Parts
from spectrum_workflows.engine.tasks import scatter_shared
from spectrum_workflows.engine.tree_dask import (
    Offer,
    RunningTree,
    failed_part,
    grow,
    may_be_retried,
    release_shared,
    show_sketches,
    submit_groups,
    submit_parts,
    submit_sketches,
)
from spectrum_workflows.engine.window import Window
from spectrum_workflows.errors import SiteError

R = TypeVar("R")

LOOK_EVERY = 0.1
"""Seconds after which a site looks whether there is more to do, or nothing any more."""


@dataclass(frozen=True)
class Supply:
    """What there is to do for a site, as the session tells it.

    Attributes
    ----------
    take : callable
        The subtrees that were given to the site since; ``None`` where the pass is over.
    give : callable
        ``give(node, part)``: a subtree is finished.
    count : callable
        ``count(n)`` whenever n partitions in all have finished here.
    """

    take: Callable[[], Sequence[Node] | None]
    give: Callable[[Node, Part[Any]], None]
    count: Callable[[int], None]


@dataclass
class _Forest(Generic[R]):
    """Subtrees under way at one site."""

    run: RunningTree[R]
    supply: Supply
    events: as_completed
    window: Window
    tops: set[Node] = field(default_factory=set)
    groups: deque[int] = field(default_factory=deque)
    leaves: deque[int] = field(default_factory=deque)
    single: dict[int, Future] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    finished: int = 0
    retries: int = 0


def compute_subtrees(
    parts: Parts[R],
    merge: Callable[[R, R], R],
    fan_in: int,
    supply: Supply,
    sketching: Sketching[R] | None = None,
    offer: Offer[R] | None = None,
) -> None:
    """Compute what the supply gives, on the workers of ``parts.client``, until there is no more.

    The parts are those of the whole tree: its numbers and its shape are theirs.
    """
    assert parts.client is not None
    run = RunningTree(parts.client, parts, merge, fan_in, sketching, None, offer)
    events = as_completed(loop=run.client.loop)
    forest = _Forest(run, supply, events, Window(run.client))
    try:
        with run.lookout:
            while _take(forest):
                _submit(forest)
                future = run.lookout.next_within(forest.events, LOOK_EVERY, bool(run.watched))
                if future is not None:
                    _react(forest, future)
    finally:
        alive = [f for g in run.groups.values() for f in (*g.leaves, g.node)]
        single = forest.single.values()
        run.client.cancel([*alive, *run.nodes.values(), *run.sketches, *single], force=True)
        release_shared(run)


def _take(forest: _Forest[R]) -> bool:
    """Take up what was given to the site; whether the pass goes on."""
    nodes = forest.supply.take()
    if nodes is None:
        return False
    run = forest.run
    if nodes and not run.shared:
        run.shared = scatter_shared(run.client, run.parts, partial(run.key, "shared"))
    for node in nodes:
        forest.tops.add(node)
        if node.level == 0:
            forest.leaves.append(node.index)
            continue
        span = run.fan_in ** (node.level - 1)
        last = min((node.index + 1) * span, run.width(1))
        forest.groups.extend(range(node.index * span, last))
    return True


def _submit(forest: _Forest[R]) -> None:
    """Keep the window full."""
    run = forest.run
    if not forest.groups and not forest.leaves:
        return
    room = forest.window.room(len(run.groups) * run.fan_in + len(forest.single))
    if not room:
        return
    groups = [
        forest.groups.popleft() for _ in range(min(len(forest.groups), 1 + room // run.fan_in))
    ]
    forest.events.update(submit_groups(run, iter(groups)))
    leaves = [forest.leaves.popleft() for _ in range(min(len(forest.leaves), room))]
    _submit_single(forest, leaves)


def _submit_single(forest: _Forest[R], numbers: list[int], *, kind: str = "part") -> None:
    """Submit partitions whose values go to the session as they are."""
    if numbers:
        futures = submit_parts(forest.run, numbers, kind=kind)
        forest.run.watched |= {f.key: (0, n) for f, n in zip(futures, numbers, strict=True)}
        forest.single |= dict(zip(numbers, futures, strict=True))
        forest.events.update(futures)


def _react(forest: _Forest[R], future: Future) -> None:
    """Go on from what has finished."""
    run = forest.run
    level, index = run.watched.pop(future.key, (-1, -1))
    if level == 0:
        if future.status == "error" and not may_be_retried(run.parts, future.exception()):
            raise as_spectrum_error(future.exception(), run.parts.items[index])
        if index in forest.single:
            _give_single(forest, index, future)
        forest.finished += 1
        forest.supply.count(forest.finished)
        forest.events.update(submit_sketches(run))
    elif level > 0:
        node = Node(level, index)
        fresh = grow(run, level, index, future, is_top=node in forest.tops)
        if fresh is None:
            forest.tops.discard(node)
            _give(forest, node, future)
        else:
            forest.events.update(fresh)
            forest.events.update(submit_sketches(run))
    else:
        show_sketches(run)


def _give_single(forest: _Forest[R], number: int, future: Future) -> None:
    """Hand over a single partition, which is tried once more where its workers died."""
    run = forest.run
    if future.status == "cancelled":
        raise SiteError("the scheduler dropped the run's tasks", remedy="is it still running?")
    if future.status in ("pending", "lost"):  # its worker has died meanwhile
        run.watched[future.key] = (0, number)
        forest.events.update([future])
        forest.finished -= 1
        return
    is_overdue = future.key in run.lookout.overdue
    if future.status == "error" and not is_overdue and number not in forest.again:
        forest.again.add(number)
        run.again += 1
        forest.finished -= 1
        _submit_single(forest, [number], kind="again")
        return
    if future.status == "error":
        future = failed_part(run.parts, run.lookout, number, future, run.key("failed", number))
    forest.tops.discard(Node(0, number))
    del forest.single[number]
    _give(forest, Node(0, number), future)


def _give(forest: _Forest[R], node: Node, future: Future) -> None:
    """Hand over a subtree, with what it cost to look after its partitions."""
    run, part = forest.run, future.result()
    cost = run.lookout.cost + Metrics(retries=run.again)
    fresh = replace(cost, retries=cost.retries - forest.retries)
    forest.retries, cost = cost.retries, fresh
    forest.supply.give(node, Part(part.value, part.metrics + cost))
