"""Which site computes which subtree of the merge tree: where the bytes of its items lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spectrum_workflows.engine.ledger import Node

PIECES = 4
"""Subtrees for every site where several may compute the same items."""

Distances = Mapping[tuple[str, str], float]
"""From a store's site to a computing one; 0 within a site, and 1 where nothing is said."""


@dataclass(frozen=True)
class Wanted:
    """What an item needs of the sites.

    Attributes
    ----------
    nearest : frozenset of str
        The computing sites that are nearest to its bytes.
    nbytes : float
        How many they are.
    """

    nearest: frozenset[str]
    nbytes: float


@dataclass(frozen=True)
class Subtree:
    """A node of the merge tree, with all below it, and the site that computes it."""

    node: Node
    site: str


def distance(distances: Distances, source: str, target: str) -> float:
    """From a store's site to a computing one."""
    if source == target:
        return 0.0
    return distances.get((source, target), distances.get((target, source), 1.0))


def nearest_to(
    sources: Sequence[str], targets: Sequence[str], distances: Distances
) -> frozenset[str]:
    """The computing sites that are nearest to any of the sites that hold some bytes.

    >>> sorted(nearest_to(["a"], ["a", "b"], {}))
    ['a']
    >>> sorted(nearest_to(["c"], ["a", "b"], {("c", "a"): 5.0, ("c", "b"): 2.0}))
    ['b']
    """
    if not sources:
        return frozenset(targets)
    least = {t: min(distance(distances, s, t) for s in sources) for t in targets}
    return frozenset(t for t in targets if least[t] <= min(least.values()))


def root_of(count: int, fan_in: int) -> Node:
    """The root of the tree over so many items; a level above a single one."""
    level = 1
    while fan_in**level < count:
        level += 1
    return Node(level, 0)


def place(
    items: Sequence[Wanted],
    fan_in: int,
    capacity: Mapping[str, float],
    *,
    below: Sequence[Node] | None = None,
    is_known: Callable[[Node], bool] = lambda _: False,
) -> list[Subtree]:
    """Cut the tree into the largest subtrees that a site has all the bytes of, in item order.

    What several sites are equally near to is shared among them by their capacity, in subtrees
    small enough for that.

    Parameters
    ----------
    items : sequence of Wanted
        In the order in which their values are merged.
    fan_in : int
    capacity : mapping of str to float
        How much each site can compute: threads of its workers.
    below : sequence of Node, optional
        What is cut, if that is not the whole tree.
    is_known : callable
        Whether a node's value is there already: it, or what is below it, is not computed.

    Returns
    -------
    list of Subtree
        None within another; together they, and what is known, hold every item once.

    Examples
    --------
    >>> here, there = Wanted(frozenset("a"), 1.0), Wanted(frozenset("b"), 1.0)
    >>> place([here, here, there, there], 2, {"a": 1, "b": 1})
    [Subtree(node=Node(level=1, index=0), site='a'), Subtree(node=Node(level=1, index=1), site='b')]
    """
    levels = _levels(items, fan_in)
    known = _known(len(items), fan_in, is_known)
    most = sum(item.nbytes for item in items) / (PIECES * len(capacity))
    free: list[_Row] = []
    waiting = list(reversed(below if below is not None else [root_of(len(items), fan_in)]))
    while waiting:
        node = waiting.pop()
        if node.index >= len(levels[node.level]) or is_known(node):
            continue
        row = levels[node.level][node.index]
        shared = row.any_choice and row.nbytes > most and node.level > 1
        if node.level > 0 and (not row.nearest or shared or node in known):
            waiting += reversed(list(node.children(fan_in)))
        else:
            free.append(row)
    return _shared_out(free, capacity)


@dataclass(frozen=True)
class _Row:
    """All that is below a node: sites that are nearest to everything, bytes, any choice in it."""

    node: Node
    nearest: frozenset[str]
    nbytes: float
    any_choice: bool


def _levels(items: Sequence[Wanted], fan_in: int) -> list[list[_Row]]:
    """What is below every node, level by level."""
    levels = [
        [_Row(Node(0, n), i.nearest, i.nbytes, len(i.nearest) > 1) for n, i in enumerate(items)]
    ]
    for level in range(1, root_of(len(items), fan_in).level + 1):
        row = levels[-1]
        families = [row[n : n + fan_in] for n in range(0, len(row), fan_in)]
        levels.append(
            [
                _Row(
                    Node(level, index),
                    frozenset.intersection(*(child.nearest for child in family)),
                    sum(child.nbytes for child in family),
                    any(child.any_choice for child in family),
                )
                for index, family in enumerate(families)
            ]
        )
    return levels


def _known(count: int, fan_in: int, is_known: Callable[[Node], bool]) -> set[Node]:
    """Nodes above those whose values are there already."""
    above: set[Node] = set()
    top = root_of(count, fan_in).level
    for level in range(top):
        for index in range(-(-count // fan_in**level)):
            if is_known(Node(level, index)):
                above |= {
                    Node(level, index).above(higher, fan_in) for higher in range(level + 1, top + 1)
                }
    return above


def _shared_out(free: Sequence[_Row], capacity: Mapping[str, float]) -> list[Subtree]:
    """Give every subtree a site: the only one, or the one that has least to do for its size."""
    load = dict.fromkeys(capacity, 0.0)
    for row in free:
        if len(row.nearest) == 1:
            load[next(iter(row.nearest))] += row.nbytes
    subtrees = []
    for row in free:
        nbytes = row.nbytes if len(row.nearest) > 1 else 0.0

        def busy(site: str, nbytes: float = nbytes) -> float:
            return (load[site] + nbytes) / max(capacity[site], 1e-9)

        site = min(sorted(row.nearest), key=busy)
        load[site] += nbytes
        subtrees.append(Subtree(row.node, site))
    return subtrees
