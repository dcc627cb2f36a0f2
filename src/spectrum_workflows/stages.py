"""The stages of a run: what is expected of each, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

Stores = tuple[tuple[str, int], ...]
"""Bytes by store, sorted by its name."""


def together(one: Stores, other: Stores) -> Stores:
    """The bytes of both, by store.

    >>> together((("s3://a", 1),), (("local files", 5), ("s3://a", 2)))
    (('local files', 5), ('s3://a', 3))
    """
    if not one or not other:
        return one or other
    total = dict(one)
    for store, nbytes in other:
        total[store] = total.get(store, 0) + nbytes
    return tuple(sorted(total.items()))


@dataclass(frozen=True)
class Stage:
    """One stage of a run, as expected before or as measured after.

    Attributes
    ----------
    name : str
    tasks : int
    cpu_seconds : float
        Of all tasks together.
    bytes_moved : int
        Bytes handed from task to task where values are exchanged; those that
        happen to stay on a worker are among them.
    memory : int
        Bytes of the largest task; measured, the largest worker process.
    stores : tuple of (str, int)
        Bytes that were read, by store; measured alone.
    """

    name: str
    tasks: int
    cpu_seconds: float
    bytes_moved: int
    memory: int
    stores: Stores = ()

    @property
    def numbers(self) -> dict[str, float]:
        """What is expected of it or measured, without names."""
        return {n: value for n, value in vars(self).items() if n not in ("name", "stores")}

    def __add__(self, other: Self) -> Self:
        """Two passes of one stage, one after the other."""
        return replace(
            self,
            tasks=self.tasks + other.tasks,
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            bytes_moved=self.bytes_moved + other.bytes_moved,
            memory=max(self.memory, other.memory),
            stores=together(self.stores, other.stores),
        )


@dataclass(frozen=True)
class Forecast:
    """Forecast of a stage, whatever the machine: see `Stage`.

    ``work`` pairs the domain's kinds of work with their amounts; seconds follow
    from a machine's cost per unit of each.
    """

    name: str
    tasks: int
    work: tuple[tuple[str, float], ...]
    bytes_moved: int
    memory: int

    def on(self, costs: Mapping[str, float]) -> Stage:
        """The stage on a machine with these costs, CPU seconds per unit of work."""
        seconds = sum(costs[kind] * amount for kind, amount in self.work)
        return Stage(self.name, self.tasks, seconds, self.bytes_moved, self.memory)
