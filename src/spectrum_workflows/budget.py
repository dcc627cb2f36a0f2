"""The budget of a run: what is expected of it, what it took, and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Amount:
    """An amount of one thing that a run takes.

    Attributes
    ----------
    quantity : str
        What is counted: ``core_hours``, ``walltime``, ``bytes_read``, ``bytes_out``, ``energy``.
    unit : str
    planned : float or None
        As foretold; ``None`` where it cannot be.
    at_most : float or None
        Upper bound of what is foretold: what a limit is held against.
    basis : str
        What the forecast follows from, or why there is none.
    fact : float or None
        As measured; ``None`` before the run, or where it was not.
    allowed : float or None
        The strictest limit; ``None`` where nobody states one.
    stated_by : str
        Whose limit it is.
    """

    quantity: str
    unit: str
    planned: float | None = None
    at_most: float | None = None
    basis: str = ""
    fact: float | None = None
    allowed: float | None = None
    stated_by: str = ""

    @property
    def ratio(self) -> float | None:
        """The plan as a multiple of the fact; ``None`` where one of them is not known."""
        if self.planned is None or not self.fact:
            return None
        return self.planned / self.fact


Budget = tuple[Amount, ...]
"""Amounts of different things."""


def with_facts(budget: Budget, facts: Mapping[str, float]) -> Budget:
    """The same budget, with what was measured."""
    return tuple(replace(one, fact=facts.get(one.quantity, one.fact)) for one in budget)


def as_table(budget: Iterable[Amount]) -> list[dict[str, Any]]:
    """The amounts for JSON."""
    return [asdict(one) for one in budget]


def from_table(rows: Iterable[Mapping[str, Any]]) -> Budget:
    """The amounts back from `as_table`."""
    return tuple(Amount(**row) for row in rows)


def words(value: float | None, unit: str) -> str:
    """A number with its unit as people say it.

    >>> words(0.25, "core h"), words(5400, "s"), words(2.5e9, "B"), words(None, "s")
    ('0.25 core h', '1 h 30 min', '2.50 GB', 'not known')
    """
    if value is None:
        return "not known"
    if unit == "s":
        return _duration(value)
    if unit == "B":
        return _size(value)
    return f"{value:.3g} {unit}"


def _size(nbytes: float) -> str:
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if nbytes >= 0.9995 * factor:
            return f"{nbytes / factor:,.2f} {unit}"
    return f"{nbytes:,.0f} B"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours:,} h {rest} min" if rest and hours < 100 else f"{hours:,} h"
