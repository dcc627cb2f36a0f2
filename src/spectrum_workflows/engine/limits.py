"""Limits of time for a partition and for a run that stands still; a matter of the site."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from spectrum_workflows.ambient import Ambient

LONG = 1800.0
"""Seconds that every partition may take where no limit is set and none of its kind is done."""

SHORT = 600.0
"""Seconds that every partition may take where no limit is set."""

MANY = 20.0
"""Times what is expected of a partition that it may take where no limit is set."""


@dataclass(frozen=True)
class Limits:
    """In force inside `limited`.

    Attributes
    ----------
    partition : float, optional
        Seconds that a partition may take; without it `MANY` times what is forecast, or what
        those of its kind took so far, on average, if that is more; at least `SHORT`, and `LONG`
        while none of its kind is done.
    stalled : float
        Seconds for which a run may wait while no worker computes anything.
    forecast : mapping of str to float
        Seconds that the largest partition of a stage is expected to take, by its name.
    expected : float
        That of the stage which is computed; 0 where nothing is forecast.
    """

    partition: float | None = None
    stalled: float = 300.0
    forecast: Mapping[str, float] = field(default_factory=dict)
    expected: float = 0.0

    def expecting(self, stage: str) -> Limits:
        """The same for the partitions of a stage, which may be a repetition of another."""
        seconds = self.forecast.get(stage.rstrip(" 0123456789"), 0.0)
        return replace(self, expected=seconds)

    def of_a_partition(self, average: float) -> float:
        """Seconds that one may take when those before took so long; less than 0 for none before."""
        if self.partition is not None:
            return self.partition
        return max(SHORT if average >= 0 else LONG, MANY * average, MANY * self.expected)

    @property
    def period(self) -> float:
        """Seconds between two looks."""
        shortest = min(self.stalled, SHORT if self.partition is None else self.partition)
        return max(0.2, min(5.0, shortest / 5))


_limits = Ambient("limits", Limits())


def limited(limits: Limits) -> AbstractContextManager[None]:
    """Let these limits hold for what is computed inside the block."""
    return _limits.set(limits)


def current_limits() -> Limits:
    """The limits in force here."""
    return _limits.value
