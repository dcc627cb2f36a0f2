"""The fixed tree for anybody's items: a function per item and one value, without spec or site."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from spectrum_workflows.engine.parts import each
from spectrum_workflows.engine.tree import FAN_IN, merged

if TYPE_CHECKING:
    from distributed import Client

R = TypeVar("R")
T = TypeVar("T")

LONGEST = 80
"""Characters of an item that an error quotes."""


@dataclass(frozen=True)
class _Item:
    """Any value as a partition."""

    value: Any
    number: int
    size: int = 1

    @property
    def where(self) -> str:
        shown = repr(self.value)
        shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
        return f"item {self.number} ({shown})"


def map_reduce(
    fn: Callable[[T], R],
    items: Iterable[T],
    merge: Callable[[R, R], R],
    *,
    client: Client | None = None,
    fan_in: int = FAN_IN,
) -> R | None:
    """Apply a function to every item and merge the values in a fixed tree, in item order.

    The order of every floating-point sum depends on the number of items and on ``fan_in``
    alone: a plain loop, one worker and a hundred give the same bits.

    Parameters
    ----------
    fn : callable
        ``fn(item)``, a plain function that workers can unpickle or import.
    items : iterable
        Small values that say what to read: names, ranges, seeds.
    merge : callable
        ``merge(a, b)``, associative up to rounding; must not change its arguments.
    client : distributed.Client, optional
        Where to compute; ``None`` is a plain loop in this process.
    fan_in : int
        Values merged at a time, at least 2.

    Returns
    -------
    value
        The merged value; ``None`` for no items.

    Raises
    ------
    PartitionError
        The function failed for an item, which is named; its error is the cause.

    Examples
    --------
    >>> from operator import add
    >>> map_reduce(len, ["tt", "wjets", "data"], add)
    11
    """
    numbered = [_Item(value, n) for n, value in enumerate(items)]
    parts = each(_Applied(fn), numbered, client=client, label="map-reduce")
    merging = merged(parts, merge, fan_in=fan_in)
    return merging[0]


@dataclass(frozen=True)
class _Applied(Generic[R]):
    """The function, of the value that an item holds."""

    fn: Callable[[Any], R]

    def __call__(self, item: _Item) -> R:
        return self.fn(item.value)
