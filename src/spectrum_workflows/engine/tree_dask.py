"""The merge tree on Dask: explicit futures, and only a window of them at a time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import cloudpickle
import dask
from distributed import Future, KilledWorker, as_completed

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.failures import as_merge_error, as_spectrum_error, failure
from spectrum_workflows.engine.ledger import Node, Subtrees
from spectrum_workflows.engine.lookout import Lookout
from spectrum_workflows.engine.nearness import shares
from spectrum_workflows.engine.observer import Sketching
from spectrum_workflows.engine.parts import Part, Parts, fold
from spectrum_workflows.engine.tasks import (
    columns,
    loaded,
    scatter,
    scatter_shared,
    task_of,
    travelling,
)
from spectrum_workflows.engine.window import Window
from spectrum_workflows.errors import OtherCodeError, SiteError

if TYPE_CHECKING:
    from distributed import Client

R = TypeVar("R")

MERGE_PRIORITY = 10
BROUGHT_WITHIN = 20.0
"""Seconds for a node that is kept to come here: nobody brings it once the session has ended."""
HISTORY = 512  # partitions that the scheduler remembers below a finished merge, at most


SKETCH = -2
"""Level of a sketch of what is merged so far: beside the tree."""

MOST_SINGLE = 32
"""Partitions that are sketched one by one, before they are merged."""


Offer = Callable[[Node, Callable[[], Part[R]]], None]
"""``offer(node, value)``: has a finished node kept; see `Subtrees`."""


@dataclass
class Group:
    """Neighbouring partitions under way, and the merge submitted with them."""

    leaves: list[Future]
    node: Future


@dataclass
class RunningTree(Generic[R]):
    """The state of one running tree; lives on the client only."""

    client: Client
    parts: Parts[R]
    merge: Callable[[R, R], R]
    fan_in: int
    sketching: Sketching[R] | None = None
    subtrees: Subtrees[R] | None = None
    offer: Offer[R] | None = None
    nonce: str = field(default_factory=lambda: f"0x{secrets.token_hex(3)}")
    merges: Iterator[int] = field(default_factory=count)
    shared: list[Any] = field(default_factory=list)
    groups: dict[int, Group] = field(default_factory=dict)
    nodes: dict[tuple[int, int], Future] = field(default_factory=dict)  # done, not yet merged
    watched: dict[str, tuple[int, int]] = field(default_factory=dict)  # key -> level, index
    sketches: list[Future] = field(default_factory=list)  # under way
    again: int = 0  # tries of partitions whose workers had died
    lookout: Lookout = field(init=False)

    def __post_init__(self) -> None:
        self.lookout = Lookout(self.client, self.nonce)

    def key(self, kind: str, number: int) -> str:
        """A task key that is readable on the dashboard and never used again.

        Every kind of task is a group of its own to the scheduler, which then
        holds back partitions that no worker is free for.
        """
        return f"{self.parts.label}-{kind}-{self.nonce}-{number:05d}"

    @property
    def top(self) -> Node:
        """The root."""
        level = 1
        while self.width(level) > 1:
            level += 1
        return Node(level, 0)

    def width(self, level: int) -> int:
        """Number of nodes on a level; level 0 holds the partitions."""
        n = len(self.parts.items)
        for _ in range(level):
            n = -(-n // self.fan_in)
        return n


def submitted(
    parts: Parts[R],
    merge: Callable[[R, R], R],
    fan_in: int,
    done: Callable[[int], None],
    sketching: Sketching[R] | None = None,
    subtrees: Subtrees[R] | None = None,
) -> Part[R]:
    """Compute the tree of `merged` on the workers of ``parts.client``."""
    assert parts.client is not None
    if not parts.items:
        return Part(None, Metrics())
    offer = subtrees.offer if subtrees is not None else None
    run = RunningTree(parts.client, parts, merge, fan_in, sketching, subtrees, offer)
    if subtrees is not None and run.top in subtrees.parts:
        done(len(parts.items))
        return subtrees.parts[run.top]
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "16 GiB"}):
        run.shared = scatter_shared(run.client, parts, partial(run.key, "shared"))
        try:
            with run.lookout as lookout:
                root = _drive(run, done)
                lookout.wait(root)
            if root.status == "error":
                raise as_merge_error(root.exception())
            value: Part[R] = root.result()
            root.release()
            if subtrees is not None:
                subtrees.offer(run.top, partial(_same, value))
            cost = run.lookout.cost + Metrics(retries=run.again)
            value = Part(value.value, value.metrics + cost)
        finally:
            alive = [f for g in run.groups.values() for f in (*g.leaves, g.node)]
            run.client.cancel([*alive, *run.nodes.values(), *run.sketches], force=True)
            release_shared(run)
    return value


def release_shared(run: RunningTree[R]) -> None:
    """Let go of what was sent, even where the traceback of an error holds on to its names."""
    _release(run.shared)


def _release(values: Iterable[Any]) -> None:
    """Let go of values on the workers.

    An error that a library has dealt with and keeps holds all functions that were running then,
    with their local names, until the garbage collector finds it.
    """
    for value in values:
        if isinstance(value, Future):
            value.release()


def _drive(run: RunningTree[R], done: Callable[[int], None]) -> Future:
    """Keep the window full and the tree growing until its root is there."""
    events = as_completed(loop=run.client.loop)
    finished, window = _resume(run, events), Window(run.client)
    todo = iter([g for g in range(run.width(1)) if not _is_known(run, g)])
    if finished:
        done(finished)
    while True:
        room = window.room(len(run.groups) * run.fan_in)
        if room:
            events.update(submit_groups(run, islice(todo, 1 + room // run.fan_in)))
        future = run.lookout.next(events)
        level, index = run.watched.pop(future.key, (-1, -1))
        if level == 0:
            if future.status == "error" and not may_be_retried(run.parts, future.exception()):
                raise as_spectrum_error(future.exception(), run.parts.items[index])
            finished += 1
            done(finished)
            events.update(submit_sketches(run))
        elif level > 0:
            fresh = grow(run, level, index, future)
            if fresh is None:
                return future
            events.update(fresh)
            events.update(submit_sketches(run))
        elif level == SKETCH:
            show_sketches(run)


def may_be_retried(parts: Parts[Any], error: BaseException) -> bool:
    """Whether it is tried once more: workers also die of what is not the partition's.

    Another version of the code is not the partition's either, and ends the run: a worker that
    has it fails at once, and would take all the others.
    """
    if isinstance(error, OtherCodeError):
        return False
    return parts.on_error == "keep" or isinstance(error, KilledWorker)


def _fold(by_value: bytes, children: list[Part[Any]]) -> Part[Any]:
    return fold(loaded(by_value), children)


def submit_groups(run: RunningTree[R], indices: Iterator[int]) -> list[Future]:
    """Submit the partitions of some groups, each group with its merge."""
    groups = [(g, range(g * run.fan_in, min((g + 1) * run.fan_in, run.width(0)))) for g in indices]
    numbers = [n for _, members in groups for n in members]
    if not numbers:
        return []
    leaves = submit_parts(run, numbers)
    run.watched |= {f.key: (0, n) for f, n in zip(leaves, numbers, strict=True)}
    stream = iter(leaves)
    children = [list(islice(stream, len(members))) for _, members in groups]
    nodes = _submit_merges(run, 1, [g for g, _ in groups], children)
    for (g, _), own, node in zip(groups, children, nodes, strict=True):
        run.groups[g] = Group(own, node)
    return [*leaves, *nodes]


def submit_parts(run: RunningTree[R], numbers: list[int], *, kind: str = "part") -> list[Future]:
    """Submit some partitions, neighbours to one worker; another may take them when it is idle.

    Not if they wait for nothing else: the scheduler forgets them when all workers have gone.
    """
    task, futures = task_of(run.parts), []
    items = [run.parts.items[n] for n in numbers]
    waits = any(isinstance(value, Future) for value in run.shared)
    for address, share in shares(items, run.client.nthreads()):
        near = {"workers": [address], "allow_other_workers": True} if address and waits else {}
        mine = [numbers[k] for k in share]
        futures += run.client.map(
            task,
            travelling(items[k] for k in share),
            *columns(run.shared, mine),
            key=[run.key(kind, n) for n in mine],
            **near,
        )
    return futures


def _submit_merges(
    run: RunningTree[R], level: int, indices: list[int], children: list[list[Future]]
) -> list[Future]:
    keys = [run.key("merge", next(run.merges)) for _ in indices]
    task = partial(_fold, cloudpickle.dumps(run.merge))
    nodes: list[Future] = run.client.map(task, children, key=keys, priority=MERGE_PRIORITY)
    run.watched |= {k: (level, i) for k, i in zip(keys, indices, strict=True)}
    return nodes


def grow(
    run: RunningTree[R], level: int, index: int, node: Future, *, is_top: bool = False
) -> list[Future] | None:
    """React to a finished merge; ``None`` when it was the root, or the top of what is done here."""
    if node.status == "error":
        return _retry_lost(run, level, index, node)
    if node.status in ("pending", "lost"):  # its worker has died meanwhile; it is computed again
        run.watched[node.key] = (level, index)
        return [node]
    if node.status == "cancelled":
        raise SiteError("the scheduler dropped the run's tasks", remedy="is it still running?")
    if level == 1:
        del run.groups[index]
    if run.width(level) == 1 or is_top:
        return None
    if run.offer is not None:
        run.offer(Node(level, index), partial(node.result, timeout=BROUGHT_WITHIN))
    return _place(run, level, index, _without_history(run, level, node))


def _place(run: RunningTree[R], level: int, index: int, node: Future) -> list[Future]:
    """Note a finished node; submit the merge of its family if it is the last of it."""
    run.nodes[level, index] = node
    first = index // run.fan_in * run.fan_in
    family = [(level, i) for i in range(first, min(first + run.fan_in, run.width(level)))]
    if not all(member in run.nodes for member in family):
        return []
    children = [run.nodes.pop(member) for member in family]
    return _submit_merges(run, level + 1, [index // run.fan_in], [children])


def _resume(run: RunningTree[R], events: as_completed) -> int:
    """Put the subtrees of earlier runs in their places; number of their partitions."""
    if run.subtrees is None:
        return 0
    for node, part in run.subtrees.parts.items():
        future = scatter(run.client, part, run.key("known", next(run.merges)))
        events.update(_place(run, node.level, node.index, future))
    return run.subtrees.resumed


def _is_known(run: RunningTree[R], group: int) -> bool:
    return run.subtrees is not None and run.subtrees.covers(Node(1, group))


def _same(part: Part[R]) -> Part[R]:
    return part


def _without_history(run: RunningTree[R], level: int, node: Future) -> Future:
    """Hold a merge of many partitions by its value, that the scheduler may forget them.

    It keeps a task until everything made of it is done, to compute it again if
    need be: without this, every partition until the end of the run.
    """
    if run.fan_in**level < HISTORY:
        return node
    return scatter(run.client, node.result(), run.key("scattered", next(run.merges)))


def _sketched(by_value: bytes, part: Part[Any]) -> Part[Any]:
    return loaded(by_value).of(part)  # type: ignore[no-any-return]


def submit_sketches(run: RunningTree[R]) -> list[Future]:
    """Ask for small values of all that is done so far, if it is time to show them."""
    if run.sketching is None or run.sketches or not run.sketching.observer.due():
        return []
    done = _done_so_far(run)
    keys = [run.key("sketch", next(run.merges)) for _ in done]
    task = partial(_sketched, cloudpickle.dumps(run.sketching.sketch))
    run.sketches = run.client.map(task, done, key=keys, priority=MERGE_PRIORITY) if done else []
    run.watched |= {key: (SKETCH, n) for n, key in enumerate(keys)}
    return run.sketches


def _done_so_far(run: RunningTree[R]) -> list[Future]:
    """Merges that are done, and single partitions that are in none of them, in item order."""
    at = {index * run.fan_in**level: node for (level, index), node in run.nodes.items()}
    waiting = (
        (group * run.fan_in + n, leaf)
        for group, members in run.groups.items()
        for n, leaf in enumerate(members.leaves)
        if leaf.status == "finished"
    )
    at |= dict(islice(waiting, MOST_SINGLE))
    return [at[number] for number in sorted(at)]


def show_sketches(run: RunningTree[R]) -> None:
    """Show them when all are there; if some are lost with a worker, others come later."""
    states = {sketch.status for sketch in run.sketches}
    lost = bool(states & {"lost", "cancelled"})
    if run.sketching is None or ("pending" in states and not lost):
        return
    parts, sketching, run.sketches = run.sketches, run.sketching, []
    if parts and not lost:
        sketching.observer.attempt(partial(_show, sketching, parts))
    _release(parts)


def _show(sketching: Sketching[R], parts: list[Future]) -> None:
    sketching.show([part.result() for part in parts], picture=True)


def _failed_leaf(run: RunningTree[R], number: int, failed: Future) -> Future:
    return failed_part(run.parts, run.lookout, number, failed, run.key("failed", number))


def _retry_lost(run: RunningTree[R], level: int, index: int, node: Future) -> list[Future]:
    """Find out which partitions take their workers down; raise, or put failures in their place.

    Here come those whose workers died more often than the scheduler allows: of memory
    or a segmentation fault, or beside the guilty one, or because the site took one worker
    after the other away.  So each is tried once more, one at a time.
    """
    group = run.groups.get(index) if level == 1 else None
    lost = [n for n, leaf in enumerate(group.leaves) if leaf.status == "error"] if group else []
    if group is None or not lost:
        raise as_merge_error(node.exception())
    for n in lost:
        number, leaf = index * run.fan_in + n, group.leaves[n]
        if leaf.key in run.lookout.overdue:
            group.leaves[n] = _failed_leaf(run, number, leaf)
            continue
        run.again += 1
        [again] = submit_parts(run, [number], kind="again")
        run.lookout.wait(again)
        group.leaves[n] = again if again.status != "error" else _failed_leaf(run, number, again)
    [group.node] = _submit_merges(run, 1, [index], [group.leaves])
    return [group.node]


def failed_part(
    parts: Parts[Any], lookout: Lookout, number: int, failed: Future, key: str
) -> Future:
    """A finished partition that holds nothing but its failure, where failures are kept.

    Raises
    ------
    SpectrumError
        They are not kept.
    """
    item, cause = parts.items[number], failed.exception()
    error = lookout.explained(failed.key, cause, item.where)
    if parts.on_error == "raise":
        raise as_spectrum_error(error, item)
    tries = 2 if error is not cause else 2 * (getattr(cause, "allowed_failures", 0) + 1)
    part: Part[Any] = Part(None, Metrics(failures=(failure(item, error, tries),)))
    return scatter(lookout.client, part, key)
