"""The cost of a run, and its failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from spectrum_workflows.domain.plan import Failure
from spectrum_workflows.domain.timeline import Span, bounded
from spectrum_workflows.replicas import Replica
from spectrum_workflows.stages import Stage, together

K = TypeVar("K")
N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Metrics:
    """Cost of computing some partitions, and the failures among them.

    Attributes
    ----------
    cpu_seconds : float
    bytes_read : int
    failures : tuple of Failure
        Partitions that could not be computed.
    bytes_moved : int
        Handed from task to task.
    memory : int
        Largest resident size, in bytes, that a process which computed some of
        them has had.
    stages : tuple of Stage
        What each stage took, in their order.
    copies : tuple of str
        Roots of copies that were read in place of what was planned.
    warnings : tuple of str
        What the engine has to say about how it went.
    resumed : int
        Partitions whose values an earlier run had left in the ledger.
    passes_resumed : tuple of str
        Passes over all partitions of which that is so.
    stores : tuple of (str, int)
        The bytes that were read, by store.
    retries : int
        Tries beyond the first of partitions that failed, or were taken from their workers.
    timeline : tuple of Span
        What was computed where and when; no two runs have the same, so it is not compared.
    between : mapping of (str, str) to int
        Bytes by where they came from and where they went, where several sites compute together.
    replicas : tuple of Replica
        What was read in the place of inputs when their stores failed.
    replaced : mapping of str to int
        Partitions of which nothing but replicas was read, by the URL of such an input.
    cpu_at : mapping of str to float
        Of the CPU time, that of subtrees which one of several sites has computed, by site.
    """

    cpu_seconds: float = 0.0
    bytes_read: int = 0
    failures: tuple[Failure, ...] = ()
    bytes_moved: int = 0
    memory: int = 0
    stages: tuple[Stage, ...] = ()
    copies: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    resumed: int = 0
    passes_resumed: tuple[str, ...] = ()
    stores: tuple[tuple[str, int], ...] = ()
    retries: int = 0
    timeline: tuple[Span, ...] = field(default=(), compare=False, repr=False)
    between: Mapping[tuple[str, str], int] = field(default_factory=dict)
    replicas: tuple[Replica, ...] = ()
    replaced: Mapping[str, int] = field(default_factory=dict)
    cpu_at: Mapping[str, float] = field(default_factory=dict)

    @property
    def task_wall_seconds(self) -> float:
        """Wall time in which partitions were computed, of all workers together."""
        return sum(span.busy for span in self.timeline)

    def __add__(self, other: Metrics) -> Metrics:
        return Metrics(
            self.cpu_seconds + other.cpu_seconds,
            self.bytes_read + other.bytes_read,
            self.failures + other.failures,
            self.bytes_moved + other.bytes_moved,
            max(self.memory, other.memory),
            self.stages + other.stages,
            tuple(sorted({*self.copies, *other.copies})),
            tuple(dict.fromkeys((*self.warnings, *other.warnings))),
            self.resumed + other.resumed,
            tuple(dict.fromkeys((*self.passes_resumed, *other.passes_resumed))),
            together(self.stores, other.stores),
            self.retries + other.retries,
            bounded((*self.timeline, *other.timeline)),
            _sums(self.between, other.between),
            tuple(sorted({*self.replicas, *other.replicas})),
            _sums(self.replaced, other.replaced),
            _sums(self.cpu_at, other.cpu_at),
        )


def _sums(a: Mapping[K, N], b: Mapping[K, N]) -> Mapping[K, N]:
    if not (a and b):
        return a or b
    sums = {**a, **b}
    return sums | {key: a[key] + b[key] for key in a.keys() & b.keys()}
