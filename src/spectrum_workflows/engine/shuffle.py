"""The shuffle: every part gives a piece to each of some values, which are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.parts import (
    Part,
    Parts,
    as_merge_error,
    compute,
    metered,
    own_shared,
)
from spectrum_workflows.engine.patience import patient
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.engine.sizes import nbytes
from spectrum_workflows.errors import SpectrumError

if TYPE_CHECKING:
    from distributed import Client

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
    if parts.client is not None:
        from spectrum_workflows.engine.shuffle_dask import shuffle_on_workers

        return shuffle_on_workers(parts, join, count, report)
    stores, made = storage.current_stores(), []
    with patient() as begin:
        for n, item in enumerate(parts.items):
            begin(item.where)
            made.append(compute(parts.fn, parts.on_error, stores, item, *own_shared(parts, n)))
            report(n + 1)
    joined = [joined_part(join, k, [piece(part, k) for part in made]) for k in range(count)]
    return kept(joined, None, [part.metrics for part in joined])


def kept(
    elements: Sequence[Any], client: Client | None, costs: Sequence[Metrics]
) -> Persisted[Any]:
    """The values with the cost of all; each element's own counts once."""
    return Persisted(tuple(elements), client, sum(costs, Metrics()))


def piece(part: Part[Sequence[P]], number: int) -> Part[P]:
    """One piece of a part; the first one carries the cost of them all."""
    value = None if part.value is None else part.value[number]
    return Part(value, part.metrics if number == 0 else Metrics())


def joined_part(
    join: Callable[[int, list[P]], R], number: int, pieces: Sequence[Part[P]]
) -> Part[R]:
    """Join the pieces that are there; ``None`` where every part failed."""
    values = [part.value for part in pieces if part.value is not None]
    metrics = sum((part.metrics for part in pieces), Metrics())
    metrics = replace(metrics, bytes_moved=metrics.bytes_moved + nbytes(values))
    if not values:
        return Part(None, metrics)
    try:
        with metered() as spent:
            value = join(number, values)
    except SpectrumError:
        raise
    except Exception as error:
        raise as_merge_error(error) from error
    return Part(value, metrics + spent())
