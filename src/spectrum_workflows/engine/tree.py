"""The merge tree: the same bits from a plain loop and from any number of workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.ledger import Node, Subtrees
from spectrum_workflows.engine.observer import Sketching
from spectrum_workflows.engine.parts import Part, Parts, compute, fold, own_shared
from spectrum_workflows.engine.patience import patient

R = TypeVar("R")


def merged(
    parts: Parts[R],
    merge: Callable[[R, R], R],
    *,
    fan_in: int = 8,
    done: Callable[[int], None] | None = None,
    sketching: Sketching[R] | None = None,
    subtrees: Subtrees[R] | None = None,
) -> tuple[R | None, Metrics]:
    """Compute the parts and merge them in a fixed tree, in item order.

    Every node of the tree folds ``fan_in`` neighbours from left to right, so
    the order of floating-point operations depends on the number of items and
    on ``fan_in`` alone.

    Parameters
    ----------
    parts : Parts
        From `each`; its client says where.
    merge : callable
        ``merge(a, b)``, associative up to rounding; must not change its
        arguments.
    fan_in : int
        Children per node, at least 2.
    done : callable, optional
        ``done(n)`` whenever n partitions in all have finished.
    sketching : Sketching, optional
        Shows somebody what is merged so far; the value does not depend on it.
    subtrees : Subtrees, optional
        Those that are known already, and a place for those that are finished.

    Returns
    -------
    value
        The merged value; ``None`` for no items or where all failed.
    metrics : Metrics
        CPU seconds, bytes read and failures of all partitions.

    Raises
    ------
    SpectrumError
        A partition failed and ``on_error`` is ``"raise"``.
    """
    if fan_in < 2:
        raise ValueError(f"fan_in must be at least 2, not {fan_in}")
    report = done or (lambda _: None)
    if parts.client is None:
        with patient() as begin:
            stream = _Stream(parts, merge, fan_in, begin, report, sketching, subtrees)
            root = stream.root() if parts.items else Part(None, Metrics())
    else:
        from spectrum_workflows.engine.tree_dask import submitted

        root = submitted(parts, merge, fan_in, report, sketching, subtrees)
    return root.value, root.metrics


@dataclass
class _Stream(Generic[R]):
    """The tree in this process, from left to right: one unfinished node per level is alive."""

    parts: Parts[R]
    merge: Callable[[R, R], R]
    fan_in: int
    begin: Callable[[str], None]
    done: Callable[[int], None]
    sketching: Sketching[R] | None
    subtrees: Subtrees[R] | None
    finished: int = 0

    def root(self) -> Part[R]:
        """The value of the whole tree."""
        level, width = 0, len(self.parts.items)
        while width > 1:
            level, width = level + 1, -(-width // self.fan_in)
        return self._node(Node(level, 0))

    def _node(self, node: Node) -> Part[R]:
        part = self.subtrees.parts.get(node) if self.subtrees else None
        if part is not None:
            return self._count(part, part.metrics.resumed)
        if node.level == 0:
            return self._leaf(node.index)
        size = self.fan_in ** (node.level - 1)
        children = (c for c in node.children(self.fan_in) if c.index * size < len(self.parts.items))
        value = self._node(next(children))
        for child in children:
            value = fold(self.merge, [value, self._node(child)])
        if self.subtrees is not None:
            self.subtrees.offer(node, partial(_same, value))
        return value

    def _leaf(self, number: int) -> Part[R]:
        item, stores = self.parts.items[number], storage.current_stores()
        self.begin(item.where)
        shared = own_shared(self.parts, number)
        part = compute(self.parts.fn, self.parts.on_error, stores, item, *shared)
        return self._count(part, 1)

    def _count(self, part: Part[R], number: int) -> Part[R]:
        self.finished += number
        self.done(self.finished)
        if self.sketching is not None:
            self.sketching.observer.attempt(partial(self.sketching.add, part))
        return part


def _same(part: Part[R]) -> Part[R]:
    return part
