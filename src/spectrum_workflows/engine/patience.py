"""In this process a partition that takes too long is named: a plain loop cannot take it away."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from spectrum_workflows.engine.limits import Limits, current_limits


@dataclass
class _Current:
    """The partition that is being computed, and since when."""

    limits: Limits
    where: str = ""
    begun: float = 0.0
    finished: int = 0
    spent: float = 0.0
    stopped: threading.Event = field(default_factory=threading.Event)

    def begin(self, where: str) -> None:
        now = time.monotonic()
        if self.where:
            self.finished, self.spent = self.finished + 1, self.spent + now - self.begun
        self.where, self.begun = where, now

    def watch(self) -> None:
        """Say which partition is late, and again whenever it has taken twice as long."""
        due: tuple[str, float] = ("", 0.0)
        while not self.stopped.wait(self.limits.period):
            where, seconds = self.where, time.monotonic() - self.begun
            average = self.spent / self.finished if self.finished else -1.0
            if where != due[0]:
                due = (where, self.limits.of_a_partition(average))
            if where and seconds > due[1]:
                due = (where, 2 * seconds)
                warnings.warn(
                    f"{where}: has taken {describe_duration(seconds)} so far", stacklevel=1
                )


@contextmanager
def patient() -> Iterator[Callable[[str], None]]:
    """Give a ``begin(where)`` to call before every partition; late ones are warned about."""
    current = _Current(current_limits())
    threading.Thread(target=current.watch, name="patience", daemon=True).start()
    try:
        yield current.begin
    finally:
        current.stopped.set()


def describe_duration(seconds: float) -> str:
    """A duration for people."""
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.3g} minutes"
