"""A run of several passes: the same partitions again and again, without those that failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from spectrum_workflows.domain import Failure, Metrics, Partition
from spectrum_workflows.engine.checkpoints import Checkpoints
from spectrum_workflows.engine.explaining import explain, narrowed_failures
from spectrum_workflows.engine.ledger import Codec, Ledger, Subtrees, current_ledger
from spectrum_workflows.engine.limits import current_limits, limited
from spectrum_workflows.engine.observer import Observer, Sketch, Sketching, current_observer
from spectrum_workflows.engine.parts import Part, Parts, each
from spectrum_workflows.engine.shuffle import shuffle
from spectrum_workflows.engine.tree import merged
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.stages import Stage

if TYPE_CHECKING:
    from distributed import Client

    from spectrum_workflows.domain import OnError, Report
    from spectrum_workflows.engine.persisted import Persisted

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T", bound=Partition)


@dataclass(frozen=True)
class Reduction(Generic[R]):
    """A value of every partition, and how two of them become one; see `merged`.

    ``sketch`` says how those who watch are shown what is merged so far.  Has it a ``codec``,
    finished subtrees are kept in the run's ledger: then a value must depend on the question
    and on its own item alone.
    """

    fn: Callable[..., R]
    merge: Callable[[R, R], R]
    sketch: Sketch[R] | None = None
    codec: Codec[R] | None = None


@dataclass(frozen=True)
class Shuffle(Generic[P, R]):
    """Pieces of every partition, joined into ``count`` values; see `shuffle`."""

    fn: Callable[..., Sequence[P]]
    join: Callable[[int, list[P]], R]
    count: int


@dataclass
class Run(Generic[T]):
    """One run of a workflow: where it computes, whom it tells, and what it took so far.

    A partition that fails in the first pass is left out of all later ones, where
    failures are kept, and counted once.  A later pass must succeed for all that are
    left: what the first one made of them is in the result already.

    Attributes
    ----------
    partitions : tuple of Partition
        Those still in the run.
    client : distributed.Client or None
        ``None`` is a plain loop in this process.
    on_error : {"raise", "keep"}
    report : callable
        ``report(stage, done, total)``.
    label : str
        Before the names of all tasks, on the dashboard.
    fan_in : int
        Values merged at a time: the order of every sum follows from it.
    metrics : Metrics
        What it took so far, by stage.
    observer : Observer
        Whoever watches; by default whoever is in force, see `observed`.
    ledger : Ledger, optional
        Where what is finished is kept, see `keeping`.
    checkpoints : Checkpoints, optional
        Where single values are kept, which one run shares with others of the same question.
    part : str
        What tells its checkpoints from theirs.
    """

    partitions: tuple[T, ...]
    client: Client | None
    on_error: OnError
    report: Report
    label: str
    fan_in: int = 8
    metrics: Metrics = field(default_factory=Metrics)
    observer: Observer = field(default_factory=current_observer)
    ledger: Ledger | None = field(default_factory=current_ledger)
    checkpoints: Checkpoints = field(default_factory=lambda: Checkpoints(None))
    part: str = ""

    def over(self, stage: str, reduction: Reduction[R], *shared: Any) -> R:
        """One pass over the partitions.

        Raises
        ------
        DataError
            None is left.
        """
        value, metrics = self._reduce(stage, reduction, self.partitions, shared, self.on_error)
        self._drop(metrics)
        return value

    def reduce(
        self, stage: str, reduction: Reduction[R], items: Sequence[Partition], *shared: Any
    ) -> R:
        """The same over other items, which must all succeed and of which there must be some."""
        value, _ = self._reduce(stage, reduction, items, shared, "raise")
        return value

    def shuffle(self, stage: str, cut: Shuffle[Any, R], *shared: Any) -> Persisted[R]:
        """Pieces of the partitions, joined into values that stay where they are made.

        Raises
        ------
        DataError
            No partition is left.
        """
        values = self._shuffle(stage, cut, self.partitions, shared, self.on_error)
        self._drop(values.metrics)
        return values

    def shuffle_items(
        self, stage: str, cut: Shuffle[Any, R], items: Sequence[Partition], *shared: Any
    ) -> Persisted[R]:
        """The same of other items, which must all succeed."""
        return self._shuffle(stage, cut, items, shared, "raise")

    def look(self, reduction: Reduction[R], items: Sequence[Partition], *shared: Any) -> R:
        """A small reduction for whoever watches: it is in no stage and in no cost."""
        parts = each(reduction.fn, items, *shared, client=self.client, label=f"{self.label}-look")
        return cast("R", merged(parts, reduction.merge, fan_in=self.fan_in)[0])

    def recall(self, name: str, codec: Codec[R]) -> R | None:
        """A value that an earlier run has kept under a name, made of the same partitions."""
        value = self.checkpoints.recall(f"{self.part} {name}", codec, self.partitions)
        if value is not None:
            self.on_error = "raise"  # nothing failed in what it is made of
        return value

    def keep(self, name: str, value: R, codec: Codec[R], *, reached: str = "") -> None:
        """Have a value kept for a run that goes on from it, unless it lacks a partition.

        Parameters
        ----------
        name : str
            Values of one name replace each other.
        value : object
            It must not change any more.
        codec : Codec
        reached : str
            What is finished with it, in words; by default its name.
        """
        if not self.metrics.failures:
            name, reached = f"{self.part} {name}", reached or name
            self.checkpoints.keep(
                name,
                value,
                codec,
                self.partitions,
                reached=reached,
                replicas=self.metrics.replicas,
            )

    def once(self, name: str, compute: Callable[[], R], codec: Codec[R]) -> R:
        """What an earlier run has kept under the name of a pass, else what is computed now."""
        value = self.recall(name, codec)
        if value is not None:
            self.metrics += Metrics(passes_resumed=(name,))
            return value
        value = compute()
        self.keep(name, value, codec)
        return value

    def lose(self, where: str, error: str) -> None:
        """Note that something after the passes failed: what there is, is partial."""
        lost = Failure(where, 0, error, 1)
        self.metrics = replace(self.metrics, failures=(*self.metrics.failures, lost))

    def _reduce(
        self,
        stage: str,
        reduction: Reduction[R],
        items: Sequence[Partition],
        shared: tuple[Any, ...],
        on_error: OnError,
    ) -> tuple[R, Metrics]:
        parts = self._parts(stage, reduction.fn, items, shared, on_error)
        done = self._progress(stage, len(items))
        sketching = None
        if reduction.sketch is not None:
            sketching = Sketching(reduction.sketch, reduction.merge, self.observer, self.metrics)
        with self._subtrees(stage, reduction, items) as subtrees, self._explained(stage, parts):
            merging = merged(
                parts,
                reduction.merge,
                fan_in=self.fan_in,
                done=done,
                sketching=sketching,
                subtrees=subtrees,
            )
        merging = merging[0], narrowed_failures(merging[1], parts)
        self._count(stage, len(items) - merging[1].resumed, merging[1])
        if subtrees is not None:
            self.metrics += Metrics(warnings=tuple(subtrees.warnings))
        if sketching is not None:
            self.observer.attempt(partial(sketching.end, Part(*merging)))
        return cast("tuple[R, Metrics]", merging)

    @contextmanager
    def _subtrees(
        self, stage: str, reduction: Reduction[R], items: Sequence[Partition]
    ) -> Iterator[Subtrees[R] | None]:
        """The ledger of a reduction, where there is one."""
        if self.ledger is None or reduction.codec is None or not items:
            yield None
            return
        subtrees = Subtrees(self.ledger, stage, tuple(items), self.fan_in, reduction.codec)
        subtrees.load()
        try:
            yield subtrees
        finally:
            subtrees.close()

    @contextmanager
    def _explained(self, stage: str, parts: Parts[Any]) -> Iterator[None]:
        """The limits of a stage; an error that ends it says what part of a partition failed."""
        with limited(current_limits().expecting(stage)):
            try:
                yield
            except SpectrumError as error:
                explain(error, parts)
                raise

    def _shuffle(
        self,
        stage: str,
        cut: Shuffle[Any, R],
        items: Sequence[Partition],
        shared: tuple[Any, ...],
        on_error: OnError,
    ) -> Persisted[R]:
        parts = self._parts(stage, cut.fn, items, shared, on_error)
        done = self._progress(stage, len(items))
        with self._explained(stage, parts):
            values = shuffle(parts, cut.join, cut.count, done=done)
        values = replace(values, metrics=narrowed_failures(values.metrics, parts))
        self._count(stage, len(items) + cut.count, values.metrics)
        return values

    def _parts(
        self,
        stage: str,
        fn: Callable[..., R],
        items: Sequence[Partition],
        shared: tuple[Any, ...],
        on_error: OnError,
    ) -> Parts[R]:
        """Tasks named after the stage, without numbers, which Dask would cut off with the rest."""
        label = "-".join((self.label, *re.findall("[a-z]+", stage)))
        return each(fn, items, *shared, client=self.client, label=label, on_error=on_error)

    def _progress(self, stage: str, total: int) -> Callable[[int], None]:
        self.report(stage, 0, total)
        return lambda count: self.report(stage, count, total)

    def _count(self, name: str, tasks: int, metrics: Metrics) -> None:
        """Account for a pass; a stage may take several."""
        spent = (metrics.cpu_seconds, metrics.bytes_moved, metrics.memory, metrics.stores)
        stage = Stage(name, tasks, *spent)
        stages = {earlier.name: earlier for earlier in self.metrics.stages}
        stages[name] = stages[name] + stage if name in stages else stage
        spans = tuple(replace(span, stage=name) for span in metrics.timeline)
        whole = self.metrics + replace(metrics, timeline=spans)
        self.metrics = replace(whole, stages=tuple(stages.values()))
        self.observer.count(self.metrics)

    def _drop(self, metrics: Metrics) -> None:
        """Leave the partitions that failed out of all later passes, which must then succeed."""
        failed = {failure.where for failure in metrics.failures}
        left = tuple(item for item in self.partitions if item.where not in failed)
        if not left and failed:
            first = metrics.failures[0]
            raise DataError(f"no partition could be computed ({first.error})", first.where)
        self.partitions, self.on_error = left, "raise"
