"""The merge tree: the same bits from a plain loop and from any number of workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, starmap
from typing import TypeVar

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics, Partition
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
            root = _streamed(parts, merge, fan_in, begin, report, sketching)
    else:
        from spectrum_workflows.engine.tree_dask import submitted

        root = submitted(parts, merge, fan_in, report, sketching)
    return root.value, root.metrics


def _streamed(
    parts: Parts[R],
    merge: Callable[[R, R], R],
    fan_in: int,
    begin: Callable[[str], None],
    done: Callable[[int], None],
    sketching: Sketching[R] | None,
) -> Part[R]:
    """The tree as nested lazy streams: one unfinished node per level is alive."""
    stores, width = storage.current_stores(), len(parts.items)

    def leaf(n: int, item: Partition) -> Part[R]:
        begin(item.where)
        part = compute(parts.fn, parts.on_error, stores, item, *own_shared(parts, n - 1))
        done(n)
        if sketching is not None:
            sketching.observer.attempt(partial(sketching.add, part))
        return part

    level: Iterator[Part[R]] = starmap(leaf, enumerate(parts.items, start=1))
    while width > 1:
        level = _nodes(level, merge, fan_in)
        width = -(-width // fan_in)
    return next(level, Part(None, Metrics()))


def _nodes(
    children: Iterator[Part[R]], merge: Callable[[R, R], R], fan_in: int
) -> Iterator[Part[R]]:
    """The next level of the tree; keeps no reference to what it has handed on."""
    yield from iter(partial(_next_node, children, merge, fan_in), None)


def _next_node(
    children: Iterator[Part[R]], merge: Callable[[R, R], R], fan_in: int
) -> Part[R] | None:
    node = next(children, None)
    if node is None:
        return None
    for child in islice(children, fan_in - 1):
        node = fold(merge, [node, child])
        del child
    return node
