"""The merge tree as a plain loop in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from spectrum_workflows import storage
from spectrum_workflows.engine.ledger import Node, Subtrees
from spectrum_workflows.engine.observer import Sketching
from spectrum_workflows.engine.parts import Part, Parts, compute, fold, own_shared

R = TypeVar("R")


@dataclass
class Stream(Generic[R]):
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
        return self.node(Node(level, 0))

    def node(self, node: Node) -> Part[R]:
        """The value of a node."""
        part = self.subtrees.parts.get(node) if self.subtrees else None
        if part is not None:
            return self._count(part, part.metrics.resumed)
        if node.level == 0:
            return self._leaf(node.index)
        size = self.fan_in ** (node.level - 1)
        children = (c for c in node.children(self.fan_in) if c.index * size < len(self.parts.items))
        value = self.node(next(children))
        for child in children:
            value = fold(self.merge, [value, self.node(child)])
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
