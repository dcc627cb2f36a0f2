"""Passes over the data: the same slabs again and again, without those that failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from spectrum_workflows.domain import Tally
from spectrum_workflows.engine import each, merged
from spectrum_workflows.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from spectrum_workflows.domain import OnError, Report
    from spectrum_workflows.radio.types import Slab

R = TypeVar("R")

FAN_IN = 4
"""Partial images merged at a time: the order of every sum follows from it."""


@dataclass
class Passes:
    """The slabs still in the run, where to compute them, and what it took so far."""

    slabs: tuple[Slab, ...]
    client: Client | None
    on_error: OnError
    report: Report
    tally: Tally = field(default_factory=Tally)

    def over(self, stage: str, fn: Callable[..., R], merge: Callable[[R, R], R], *shared: Any) -> R:
        """One pass over the data."""
        label = f"radio-{stage.replace(' ', '-')}"
        parts = each(
            fn, self.slabs, *shared, client=self.client, label=label, on_error=self.on_error
        )
        total = len(self.slabs)

        def done(count: int) -> None:
            self.report(stage, count, total)

        found = merged(parts, merge, fan_in=FAN_IN, done=done)
        value, tally = found
        self.tally += tally
        if value is None:
            first = tally.failures[0]
            raise DataError(f"no slab could be imaged ({first.error})", first.where)
        failed = {failure.where for failure in tally.failures}
        self.slabs = tuple(slab for slab in self.slabs if slab.where not in failed)
        self.on_error = "raise"
        return value
