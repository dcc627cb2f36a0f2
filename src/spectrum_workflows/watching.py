"""Watching a run: what is told of it, when, and at what cost."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spectrum_workflows.domain import Metrics

FIRST = 1.0
"""Seconds before the first picture: what is done by then needs none."""

EVERY = 2.0
"""Seconds between two pictures, at least."""

PAUSE = 150.0
"""Times the CPU time of a picture that pass before the next: it stays below 0.7 %."""

USUAL = 0.15
"""CPU seconds that are counted for the first picture, which loads the libraries that draw."""


@dataclass(frozen=True)
class RunState:
    """What is known of a run that goes on; whoever watches gets one at every step.

    Attributes
    ----------
    stage : str
    done, total : int
        Partitions, or other pieces of work, of this stage.
    seconds, stage_seconds : float
        Since the run began, and since this stage did.
    bytes_read : int
        As far as it is known: workers tell when their values are merged.
    failures : int
        Partitions that failed, as far as it is known.
    snapshot : object or None
        The science's own value of what there is so far, where there is a new one.
    picture : bool
        Whether there is time for something costly with it, such as to draw it.
    """

    stage: str
    done: int
    total: int
    seconds: float
    stage_seconds: float
    bytes_read: int = 0
    failures: int = 0
    snapshot: Any = None
    picture: bool = False

    @property
    def remaining(self) -> float | None:
        """Seconds that the stage still takes, if it goes on as it went; None while unknown."""
        if not self.done or self.done > self.total:
            return None
        return self.stage_seconds * (self.total - self.done) / self.done

    @property
    def rate(self) -> float:
        """Partitions, or other pieces, of this stage per second."""
        return self.done / self.stage_seconds if self.stage_seconds > 0 else 0.0


Watcher = Callable[[RunState], object]
"""``watcher(state)``, called in the session between two steps of the run."""


@dataclass
class Watching:
    """The engine's `Observer`: tells a watcher, at times, and never lets it end the run.

    Attributes
    ----------
    watcher : callable
    pictures : bool
        Whether it wants snapshots that cost something.
    """

    watcher: Watcher
    pictures: bool = True
    _begun: float = field(default_factory=time.perf_counter)
    _stage: str = ""
    _stage_begun: float = 0.0
    _done: int = 0
    _total: int = 0
    _known: Metrics = field(default_factory=Metrics)
    _next: float = field(default_factory=lambda: time.perf_counter() + FIRST)
    _most: float = USUAL
    _pictured: bool = False
    _off: bool = False

    def report(self, stage: str, done: int, total: int) -> None:
        """Take the progress of a stage: the `Report` of a run."""
        now = time.perf_counter()
        if stage != self._stage or done < self._done:
            self._stage, self._stage_begun = stage, now
        self._done, self._total = done, total
        self.attempt(lambda: self._tell(None))

    def due(self) -> bool:
        """Whether there is time for a picture."""
        return self.pictures and not self._off and time.perf_counter() >= self._next

    def see(self, snapshot: Any, *, picture: bool) -> None:
        """Hand a snapshot on."""
        self._pictured = picture
        self._tell(snapshot)

    def count(self, metrics: Metrics) -> None:
        """Take what the run has cost so far."""
        self._known = metrics

    def attempt(self, action: Callable[[], object]) -> None:
        """Do it unless the watcher is off; an error switches it off with a warning."""
        if self._off:
            return
        started, self._pictured = time.thread_time(), False
        try:
            action()
        except Exception as error:
            self._off = True
            cause = " ".join(f"{type(error).__name__}: {error}".split())
            warnings.warn(f"the run goes on unwatched: {cause}", stacklevel=2)
        if self._pictured:
            spent = min(time.thread_time() - started, self._most)
            self._next, self._most = time.perf_counter() + max(EVERY, PAUSE * spent), math.inf

    def _tell(self, snapshot: Any) -> None:
        now = time.perf_counter()
        self.watcher(
            RunState(
                self._stage,
                self._done,
                self._total,
                now - self._begun,
                now - self._stage_begun,
                self._known.bytes_read,
                len(self._known.failures),
                snapshot,
                self._pictured,
            )
        )
