"""Passes over the data: the same chunks again and again, without those that failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from spectrum_workflows.domain import Failure, Metrics, Partition
from spectrum_workflows.engine import each, merged, shuffle
from spectrum_workflows.errors import DataError
from spectrum_workflows.stages import Stage

if TYPE_CHECKING:
    from distributed import Client

    from spectrum_workflows.domain import OnError, Report
    from spectrum_workflows.engine import Persisted
    from spectrum_workflows.radio.types import Chunk

R = TypeVar("R")

FAN_IN = 4
"""Partial images merged at a time: the order of every sum follows from it."""


@dataclass(frozen=True)
class Exchange:
    """Pieces of every item, joined into ``count`` values that stay where they are made."""

    fn: Callable[..., Any]
    items: Sequence[Partition]
    join: Callable[[int, list[Any]], Any]
    count: int


@dataclass
class Passes:
    """The chunks still in the run, where to compute them, and what it took so far."""

    chunks: tuple[Chunk, ...]
    client: Client | None
    on_error: OnError
    report: Report
    metrics: Metrics = field(default_factory=Metrics)

    def over(self, stage: str, fn: Callable[..., R], merge: Callable[[R, R], R], *shared: Any) -> R:
        """One pass over the data."""
        value, metrics = self._merged(stage, (fn, self.chunks, merge), shared, self.on_error)
        self._drop(metrics)
        return cast("R", value)

    def merge(
        self,
        stage: str,
        what: tuple[Callable[..., R], Sequence[Partition], Callable[[R, R], R]],
        *shared: Any,
    ) -> R:
        """Compute something of other items, all of them, and merge it: function, items, merge."""
        value, _ = self._merged(stage, what, shared, "raise")
        return cast("R", value)

    def exchange(self, stage: str, what: Exchange, *shared: Any) -> Persisted[Any]:
        """Exchange pieces between items that are not chunks; all of them must succeed."""
        return self._exchanged(stage, what, shared, "raise")

    def exchange_slabs(self, stage: str, what: Exchange, *shared: Any) -> Persisted[Any]:
        """The same for chunks, of which some may fail."""
        kept = self._exchanged(stage, what, shared, self.on_error)
        self._drop(kept.metrics)
        return kept

    def _merged(
        self,
        stage: str,
        what: tuple[Callable[..., Any], Sequence[Partition], Callable[[Any, Any], Any]],
        shared: tuple[Any, ...],
        on_error: OnError,
    ) -> tuple[Any, Metrics]:
        fn, items, merge = what
        parts = each(fn, items, *shared, client=self.client, label=_label(stage), on_error=on_error)
        value, metrics = merged(parts, merge, fan_in=FAN_IN, done=self._progress(stage, len(items)))
        self._count(stage, len(items), metrics)
        return value, metrics

    def _exchanged(
        self, stage: str, what: Exchange, shared: tuple[Any, ...], on_error: OnError
    ) -> Persisted[Any]:
        parts = each(
            what.fn, what.items, *shared, client=self.client, label=_label(stage), on_error=on_error
        )
        done = self._progress(stage, len(what.items))
        kept = shuffle(parts, what.join, what.count, done=done)
        self._count(stage, len(what.items) + what.count, kept.metrics)
        return kept

    def _progress(self, stage: str, total: int) -> Callable[[int], None]:
        return lambda count: self.report(stage, count, total)

    def _count(self, name: str, tasks: int, metrics: Metrics) -> None:
        """Account for a pass; a stage may take several."""
        stage = Stage(name, tasks, metrics.cpu_seconds, metrics.bytes_moved, metrics.memory)
        stages = {earlier.name: earlier for earlier in self.metrics.stages}
        stages[name] = stages[name] + stage if name in stages else stage
        self.metrics = replace(self.metrics + metrics, stages=tuple(stages.values()))

    def lose(self, error: str) -> None:
        """Note that something after the images failed: what there is, is partial."""
        lost = Failure("CLEAN", 0, error, 1)
        self.metrics = replace(self.metrics, failures=(*self.metrics.failures, lost))

    def _drop(self, metrics: Metrics) -> None:
        """Leave the chunks that failed out of all further passes, which must then succeed."""
        failed = {failure.where for failure in metrics.failures}
        left = tuple(chunk for chunk in self.chunks if chunk.where not in failed)
        if not left:
            first = metrics.failures[0]
            raise DataError(f"no chunk could be imaged ({first.error})", first.where)
        self.chunks, self.on_error = left, "raise"


def _label(stage: str) -> str:
    """The name of a stage's tasks; without numbers, which Dask would cut off with the rest."""
    return "-".join(("radio", *re.findall("[a-z]+", stage)))
