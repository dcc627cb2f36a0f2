"""Limits of time for a partition and for a run that stands still; a matter of the site."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from spectrum_workflows.ambient import Ambient

LONG = 1800.0
"""Seconds that every partition may take where no limit is set."""

MANY = 20.0
"""Times the average of its kind that a partition may take where no limit is set."""


@dataclass(frozen=True)
class Limits:
    """In force inside `limited`.

    Attributes
    ----------
    partition : float, optional
        Seconds that a partition may take; without it the larger of `LONG` and
        `MANY` times what partitions of its kind took so far, on average.
    stalled : float
        Seconds for which a run may wait while no worker computes anything.
    """

    partition: float | None = None
    stalled: float = 300.0

    def of_a_partition(self, average: float) -> float:
        """Seconds that one may take when those before took so long; less than 0 for none before."""
        return max(LONG, MANY * average) if self.partition is None else self.partition

    @property
    def period(self) -> float:
        """Seconds between two looks."""
        shortest = min(self.stalled, LONG if self.partition is None else self.partition)
        return max(0.2, min(5.0, shortest / 5))


_limits = Ambient("limits", Limits())


def limited(limits: Limits) -> AbstractContextManager[None]:
    """Let these limits hold for what is computed inside the block."""
    return _limits.set(limits)


def current_limits() -> Limits:
    """The limits in force here."""
    return _limits.value
