"""The merge tree over several sites: each computes subtrees, the session merges what they give.

The tree, and with it the order of every sum, is that of a plain loop: only where a node is
computed differs.  A site that is lost leaves its unfinished subtrees to the others.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar

import dask

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.federation import (
    SESSION,
    Federation,
    Member,
    sent,
    travelled,
)
from spectrum_workflows.engine.ledger import Node, Subtrees
from spectrum_workflows.engine.limits import limited
from spectrum_workflows.engine.observer import Sketching
from spectrum_workflows.engine.parts import Part, Parts, fold
from spectrum_workflows.engine.patience import patient
from spectrum_workflows.engine.placement import Subtree, place, root_of
from spectrum_workflows.engine.sizes import nbytes
from spectrum_workflows.engine.stream import Stream

R = TypeVar("R")

LOOK_EVERY = 0.1
"""Seconds after which the session looks whether it was interrupted."""

LAST_WORDS = 15.0
"""Seconds that the sites have, all together, to take back what is under way when a pass ends."""


class _StoppedError(Exception):
    """The pass is over before a site has finished."""


@dataclass(frozen=True)
class _Given:
    """A subtree that a site has finished."""

    member: Member
    node: Node
    part: Part[Any]


@dataclass(frozen=True)
class _Counted:
    """Partitions that a site has finished in all."""

    member: Member
    finished: int


@dataclass(frozen=True)
class _Sketched:
    """Small values of what a site has merged and not given yet."""

    member: Member
    parts: Sequence[Part[Any]]


@dataclass(frozen=True)
class _Moved:
    """Bytes that went from a site to the session besides the subtrees."""

    member: Member
    nbytes: int


@dataclass(frozen=True)
class _Ended:
    """A site computes no more in this pass, and why."""

    member: Member
    error: BaseException


_Event = _Given | _Counted | _Sketched | _Moved | _Ended


@dataclass
class _Pass(Generic[R]):
    """One reduction over several sites; lives in the session."""

    federation: Federation
    parts: Parts[R]
    merge: Callable[[R, R], R]
    fan_in: int
    done: Callable[[int], None]
    sketching: Sketching[R] | None
    subtrees: Subtrees[R] | None
    events: queue.Queue[_Event] = field(default_factory=queue.Queue)
    over: threading.Event = field(default_factory=threading.Event)
    assigned: dict[str, queue.SimpleQueue[Node]] = field(default_factory=dict)
    unfinished: dict[Node, str] = field(default_factory=dict)
    nodes: dict[Node, Part[R]] = field(default_factory=dict)
    threads: dict[str, threading.Thread] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    settled: int = 0
    shown: int = 0
    small: dict[Node, Part[R]] = field(default_factory=dict)
    latest: dict[str, Sequence[Part[R]]] = field(default_factory=dict)
    besides: Metrics = field(default_factory=Metrics)

    @property
    def root(self) -> Node:
        return root_of(len(self.parts.items), self.fan_in)

    def width(self, level: int) -> int:
        """Nodes of a level."""
        span: int = self.fan_in**level
        return -(-len(self.parts.items) // span)

    def size(self, node: Node) -> int:
        """Items below a node."""
        return len(self.parts.items[node.span(self.fan_in)])


def merged_over_sites(
    parts: Parts[R],
    merge: Callable[[R, R], R],
    federation: Federation,
    fan_in: int,
    done: Callable[[int], None],
    sketching: Sketching[R] | None = None,
    subtrees: Subtrees[R] | None = None,
) -> Part[R]:
    """Compute the tree of `merged` at the members of a federation."""
    if not parts.items:
        return Part(None, Metrics())
    run = _Pass(federation, parts, merge, fan_in, done, sketching, subtrees)
    wanted = federation.wanted(parts.items)
    known = subtrees.parts if subtrees is not None else {}
    cut = place(wanted, fan_in, federation.capacity(), is_known=known.__contains__)
    federation.expect_reads(*_placed(parts, cut, fan_in))
    for node, part in known.items():
        _settle(run, node, part)
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "16 GiB"}):
        try:
            _assign(run, cut)
            while run.root not in run.nodes:
                _hear(run)
        finally:
            run.over.set()
            end = time.monotonic() + LAST_WORDS
            for thread in run.threads.values():
                thread.join(max(0.0, end - time.monotonic()))
    root = run.nodes[run.root]
    numbers = Counter(subtree.site for subtree in cut)
    federation.expect_values(nbytes(root.value), numbers)
    if federation.weights:
        federation.expected.subtrees = dict(numbers)
    return Part(root.value, root.metrics + run.besides)


def _placed(parts: Parts[R], cut: Sequence[Subtree], fan_in: int) -> tuple[list[Any], list[str]]:
    """Every item that is computed, and the site of its subtree."""
    pairs = [(item, s.site) for s in cut for item in parts.items[s.node.span(fan_in)]]
    return [item for item, _ in pairs], [site for _, site in pairs]


def _hear(run: _Pass[R]) -> None:
    """Take the next thing that a site says; an interrupt is heard meanwhile."""
    try:
        event = run.events.get(timeout=LOOK_EVERY)
    except queue.Empty:
        return
    name = event.member.name
    if name in run.federation.lost:
        return  # its last words: another computes that
    match event:
        case _Given(member, node, part):
            if run.unfinished.pop(node, None) is None:
                return
            run.given[name] = run.given.get(name, 0) + run.size(node)
            run.latest.pop(name, None)
            _settle(run, node, travelled(part, member))
        case _Counted(_, finished):
            run.counted[name] = finished
            _report(run)
        case _Sketched(_, parts):
            run.latest[name] = parts
            _show(run)
        case _Moved(_, moved):
            run.besides += Metrics(between={(name, SESSION): moved})
        case _Ended(member, error):
            _reassign(run, member, error)


def _assign(run: _Pass[R], cut: Sequence[Subtree]) -> None:
    """Give subtrees to their sites, and begin to compute at those that do not yet."""
    for subtree in cut:
        run.unfinished[subtree.node] = subtree.site
        run.assigned.setdefault(subtree.site, queue.SimpleQueue()).put(subtree.node)
    for name in dict.fromkeys(subtree.site for subtree in cut):
        if name not in run.threads:
            member = run.federation.member(name)
            run.federation.expect_shared(run.parts.shared, member)
            run.besides += sent(run.parts.shared, member)
            compute = partial(_compute_at, run, member)
            thread = threading.Thread(
                target=copy_context().run, args=(compute,), name=f"site {name}", daemon=True
            )
            run.threads[name] = thread
            thread.start()


def _reassign(run: _Pass[R], member: Member, error: BaseException) -> None:
    """Give what a lost site has not finished to the others; raise what is not its loss."""
    fault = member.fault(error)
    if fault is None:
        raise error
    run.federation.lose(member, fault)
    left = [node for node, site in run.unfinished.items() if site == member.name]
    again = run.federation.wanted(run.parts.items)
    cut = place(again, run.fan_in, run.federation.capacity(), below=sorted(left, key=_first(run)))
    for node in left:
        del run.unfinished[node]
    elsewhere = ", ".join(sorted({subtree.site for subtree in cut}))
    if cut:
        warning = f"site {member.name} was lost ({fault.what}): {elsewhere} took over its work"
        run.besides += Metrics(warnings=(warning,))
    run.latest.pop(member.name, None)
    run.counted.pop(member.name, None)
    run.given.pop(member.name, None)
    _assign(run, cut)


def _first(run: _Pass[R]) -> Callable[[Node], int]:
    return lambda node: node.span(run.fan_in).start


def _settle(run: _Pass[R], node: Node, part: Part[R]) -> None:
    """Put a finished subtree into its place, and merge every family that is whole."""
    run.nodes[node] = part
    run.settled += run.size(node)
    if run.sketching is not None:
        sketch = run.sketching.sketch
        run.sketching.observer.attempt(lambda: run.small.update({node: sketch.of(part)}))
    if run.subtrees is not None and node.level > 0:
        run.subtrees.offer(node, partial(_same, part))
    while node != run.root:
        above = node.above(node.level + 1, run.fan_in)
        family = [n for n in above.children(run.fan_in) if n.index < run.width(n.level)]
        if not all(child in run.nodes for child in family):
            break
        value = _merged(run, [run.nodes.pop(child) for child in family])
        run.nodes[above], node = value, above
        if run.subtrees is not None:
            run.subtrees.offer(above, partial(_same, value))
    _report(run)
    _show(run)


def _merged(run: _Pass[R], family: list[Part[R]]) -> Part[R]:
    """A family merged in the session, whose own CPU time is counted as a whole."""
    value = fold(run.merge, family)
    spent = sum(part.metrics.cpu_seconds for part in family)
    return replace(value, metrics=replace(value.metrics, cpu_seconds=spent))


def _report(run: _Pass[R]) -> None:
    """Tell how many partitions are finished; never fewer than before."""
    running = sum(run.counted.values()) - sum(run.given.values())
    finished = min(run.settled + max(0, running), len(run.parts.items))
    if finished > run.shown:
        run.shown = finished
        run.done(finished)


def _show(run: _Pass[R]) -> None:
    """Show what is there so far, when there is time for that."""
    if run.sketching is None or not run.sketching.observer.due():
        return
    parts = [*run.small.values(), *(part for parts in run.latest.values() for part in parts)]
    if parts:
        run.sketching.observer.attempt(partial(run.sketching.show, parts, picture=True))


def _same(part: Part[R]) -> Part[R]:
    return part


def _compute_at(run: _Pass[R], member: Member) -> None:
    """Compute what is given to a site, until the pass is over; in a thread of its own."""
    parts, at = replace(run.parts, client=member.client), run.assigned[member.name]

    def take() -> Sequence[Node] | None:
        if run.over.is_set():
            return None
        if (error := member.error()) is not None:
            raise error
        nodes = []
        while not at.empty():
            nodes.append(at.get())
        return nodes

    def give(node: Node, part: Part[R]) -> None:
        run.events.put(_Given(member, node, part))

    def count(finished: int) -> None:
        run.events.put(_Counted(member, finished))

    try:
        with storage.using(member.stores), limited(member.limits_now):
            if member.client is None:
                _compute_here(run, parts, take, give, count)
            else:
                from spectrum_workflows.engine.forest_dask import Supply, compute_subtrees

                supply = Supply(take, give, count)
                sketching, offer = _relayed(run, member), _offering(run, member)
                compute_subtrees(parts, run.merge, run.fan_in, supply, sketching, offer)
    except _StoppedError:
        pass
    except BaseException as error:
        run.events.put(_Ended(member, error))


def _compute_here(
    run: _Pass[R],
    parts: Parts[R],
    take: Callable[[], Sequence[Node] | None],
    give: Callable[[Node, Part[R]], None],
    count: Callable[[int], None],
) -> None:
    """The same in this process, for one site at a time."""
    with patient() as begin:

        def begin_unless_over(where: str) -> None:
            if run.over.is_set():
                raise _StoppedError
            begin(where)

        stream = Stream(parts, run.merge, run.fan_in, begin_unless_over, count, None, None)
        while (nodes := take()) is not None:
            for node in nodes:
                with run.federation.in_session:
                    part = stream.node(node)
                give(node, part)
            run.over.wait(LOOK_EVERY)


def _relayed(run: _Pass[R], member: Member) -> Sketching[R] | None:
    """Sketches of a site, which the session shows with those of the others."""
    if run.sketching is None:
        return None

    def relay(parts: Sequence[Part[R]]) -> None:
        run.events.put(_Sketched(member, parts))

    return replace(run.sketching, relay=relay)


def _offering(
    run: _Pass[R], member: Member
) -> Callable[[Node, Callable[[], Part[R]]], None] | None:
    """The ledger as a site sees it: what is fetched for it is accounted for."""
    if run.subtrees is None:
        return None
    subtrees = run.subtrees

    def offer(node: Node, value: Callable[[], Part[R]]) -> None:
        def fetch() -> Part[R]:
            part = value()
            run.events.put(_Moved(member, nbytes(part.value)))
            return part

        subtrees.offer(node, fetch)

    return offer
