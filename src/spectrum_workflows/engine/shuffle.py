"""The shuffle: every part gives a piece to each of some values, which are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.federation import computing_at, is_federation, sent
from spectrum_workflows.engine.parts import Parts, compute, own_shared
from spectrum_workflows.engine.patience import patient
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.engine.pieces import join_pieces, piece

P = TypeVar("P")
R = TypeVar("R")


def shuffle(
    parts: Parts[Sequence[P]],
    join: Callable[[int, list[P]], R],
    count: int,
    *,
    done: Callable[[int], None] | None = None,
) -> Persisted[R]:
    """Every part gives a piece to each of ``count`` values that stay on the workers.

    Value ``k`` is ``join(k, pieces)`` with the k-th piece of every part, in item
    order; so neither the values nor their order depend on the workers.  A value
    whose worker dies is made again from its parts.

    Parameters
    ----------
    parts : Parts
        From `each`; every call gives a sequence of ``count`` pieces.
    join : callable
        Must not change the pieces.
    count : int
        Number of values.
    done : callable, optional
        ``done(n)`` whenever n parts in all have finished.

    Raises
    ------
    SpectrumError
        A part failed and ``on_error`` is ``"raise"``, or pieces cannot be joined.
        A part that takes too long or its workers down has failed.
    """
    report = done or (lambda _: None)
    if is_federation(parts.client):
        sites = parts.client
        member = sites.of_values(parts.shared) or sites.single(parts.items)
        sites.expect_reads(parts.items, [member.name] * len(parts.items))
        sites.expect_shared(parts.shared, member)
        with computing_at(sites, member):
            values = shuffle(replace(parts, client=member.client), join, count, done=done)
        return replace(values, metrics=values.metrics + sent(parts.shared, member))
    if parts.client is not None:
        from spectrum_workflows.engine.shuffle_dask import shuffle_on_workers

        return shuffle_on_workers(parts, join, count, report)
    stores, made = storage.current_stores(), []
    with patient() as begin:
        for n, item in enumerate(parts.items):
            begin(item.where)
            made.append(compute(parts.fn, parts.on_error, stores, item, *own_shared(parts, n)))
            report(n + 1)
    joined = [join_pieces(join, k, [piece(part, k) for part in made]) for k in range(count)]
    return Persisted(tuple(joined), None, sum((value.metrics for value in joined), Metrics()))
