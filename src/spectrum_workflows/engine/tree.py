"""The merge tree: the same bits from a plain loop and from any number of workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.federation import (
    computing_at,
    is_federation,
    sent,
    travelled,
)
from spectrum_workflows.engine.ledger import Subtrees
from spectrum_workflows.engine.observer import Sketching
from spectrum_workflows.engine.parts import Part, Parts
from spectrum_workflows.engine.patience import patient
from spectrum_workflows.engine.sizes import nbytes
from spectrum_workflows.engine.stream import Stream

R = TypeVar("R")

FAN_IN = 8
"""Parts that are merged in one task, unless another number is asked for."""


def merged(
    parts: Parts[R],
    merge: Callable[[R, R], R],
    *,
    fan_in: int = FAN_IN,
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
    root = _root(parts, merge, fan_in, done or (lambda _: None), sketching, subtrees)
    return root.value, root.metrics


def _root(
    parts: Parts[R],
    merge: Callable[[R, R], R],
    fan_in: int,
    done: Callable[[int], None],
    sketching: Sketching[R] | None,
    subtrees: Subtrees[R] | None,
) -> Part[R]:
    """The value of the whole tree: in this process, on workers, or at several sites."""
    if is_federation(parts.client):
        from spectrum_workflows.engine.federated import merged_over_sites

        sites = parts.client
        member = sites.of_values(parts.shared)
        if member is None:
            return merged_over_sites(parts, merge, sites, fan_in, done, sketching, subtrees)
        at_site = replace(parts, client=member.client)
        with computing_at(sites, member):
            root = _root(at_site, merge, fan_in, done, sketching, subtrees)
        sites.expect_shared(parts.shared, member)
        sites.expect_values(nbytes(root.value), {member.name: 1})
        root = Part(root.value, root.metrics + sent(parts.shared, member))
        return travelled(root, member)
    if parts.client is None:
        with patient() as begin:
            stream = Stream(parts, merge, fan_in, begin, done, sketching, subtrees)
            return stream.root() if parts.items else Part(None, Metrics())
    from spectrum_workflows.engine.tree_dask import submitted

    return submitted(parts, merge, fan_in, done, sketching, subtrees)
