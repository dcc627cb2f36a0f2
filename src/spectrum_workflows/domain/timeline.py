"""The partitions of a run in time: what was computed where, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

MOST = 2000
"""Spans that a run keeps, about; of more, neighbours become one."""

SEVERAL = "several workers"
"""Stands for the worker of a span that is of more than one."""


@dataclass(frozen=True)
class Span:
    """One partition, or neighbours of one stage, on one worker.

    Attributes
    ----------
    worker : str
        Host, process and thread.
    begun, ended : float
        Unix time by the clock of that host, s.
    busy : float
        Seconds in which they were computed.
    partitions, failed : int
        How many, and of how many no value came.
    entries : int
        Of those that have one.
    bytes_read : int
    stage : str
        Empty until the pass is over.
    """

    worker: str
    begun: float
    ended: float
    busy: float
    partitions: int = 1
    failed: int = 0
    entries: int = 0
    bytes_read: int = 0
    stage: str = ""

    def __add__(self, other: Span) -> Span:
        """Two neighbours of one stage as one."""
        return Span(
            self.worker if self.worker == other.worker else SEVERAL,
            min(self.begun, other.begun),
            max(self.ended, other.ended),
            self.busy + other.busy,
            self.partitions + other.partitions,
            self.failed + other.failed,
            self.entries + other.entries,
            self.bytes_read + other.bytes_read,
            self.stage,
        )


def bounded(spans: Sequence[Span], most: int = MOST) -> tuple[Span, ...]:
    """The same spans, or half as many as are allowed where there are more than that.

    Neighbours in time on one worker become one; where there are more workers than that,
    workers, too; stages never.

    >>> spans = [Span("a", n, n + 1.0, 1.0) for n in range(6)]
    >>> [span.partitions for span in bounded(spans, 4)]
    [4, 2]
    """
    if len(spans) <= most:
        return tuple(spans)
    joined = sorted(spans, key=lambda span: (span.stage, span.worker, span.begun))
    while len(joined) > most // 2:
        fewer = _halved(joined, lambda span: (span.stage, span.worker))
        if len(fewer) == len(joined):
            fewer = _halved(joined, lambda span: span.stage)
        if len(fewer) == len(joined):
            break
        joined = fewer
    return tuple(joined)


def _halved(spans: Iterable[Span], kind: Callable[[Span], object]) -> list[Span]:
    """Every two neighbours of one kind as one."""
    halved: list[Span] = []
    for _, group in groupby(spans, kind):
        members = list(group)
        pairs = zip(members[::2], members[1::2], strict=False)
        halved += [first + second for first, second in pairs]
        halved += members[len(members) // 2 * 2 :]
    return halved
