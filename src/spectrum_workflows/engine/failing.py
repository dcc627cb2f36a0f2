"""Failures on purpose, to see that a science counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from spectrum_workflows.errors import DataError

if TYPE_CHECKING:
    from spectrum_workflows.domain import Partition

R = TypeVar("R")

_failing: ContextVar[frozenset[str]] = ContextVar("failing", default=frozenset())


@contextmanager
def failing(*places: str) -> Iterator[None]:
    """Let the partitions of these names fail, here and on workers, inside the block."""
    token = _failing.set(frozenset(places))
    try:
        yield
    finally:
        _failing.reset(token)


def sabotaged(fn: Callable[..., R]) -> Callable[..., R]:
    """The function as it is, or one that fails where it is asked to."""
    places = _failing.get()
    return partial(_computed_unless, places, fn) if places else fn


def _computed_unless(
    places: frozenset[str], fn: Callable[..., R], item: Partition, *shared: Any
) -> R:
    if item.where in places:
        raise DataError("it fails on purpose", item.where)
    return fn(item, *shared)
