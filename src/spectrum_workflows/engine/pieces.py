"""Pieces of the parts of a shuffle, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.failures import as_merge_error
from spectrum_workflows.engine.parts import Part, metered
from spectrum_workflows.engine.sizes import nbytes
from spectrum_workflows.errors import SpectrumError

P = TypeVar("P")
R = TypeVar("R")


def piece(part: Part[Sequence[P]], number: int) -> Part[P]:
    """One piece of a part; the first one carries the cost of them all."""
    value = None if part.value is None else part.value[number]
    return Part(value, part.metrics if number == 0 else Metrics())


def join_pieces(
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
