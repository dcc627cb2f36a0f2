"""The view of a run in a notebook: one that stays, with stage, times, throughput and picture."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spectrum_workflows import display
from spectrum_workflows.watching import PAUSE, USUAL, RunState, Watcher

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TICK = 1.0
"""Seconds between two looks at the clock, at least; after a costly one as `PAUSE` says."""

MOST_SNAPSHOTS = 400
"""Snapshots that are kept for the picture, the last of a long run."""

Show = Callable[[dict[str, str]], object]
"""Puts a bundle of MIME types in the view's place."""


@dataclass
class View:
    """What the view shows: a watcher that remembers, and draws when there is time.

    Attributes
    ----------
    title : str
    plot : callable, optional
        ``plot(snapshots)``: a figure.
    """

    title: str
    plot: Callable[[Sequence[Any]], Figure] | None = None
    begun: float = field(default_factory=time.perf_counter)
    last: RunState | None = None
    stages: dict[str, float] = field(default_factory=dict)
    snapshots: deque[Any] = field(default_factory=lambda: deque(maxlen=MOST_SNAPSHOTS))
    webp: bytes = b""
    ended: str = ""
    _spent: float = 0.0
    _most: float = USUAL
    _stale: bool = False

    def __call__(self, state: RunState) -> None:
        """Take a state."""
        self.last, self.stages[state.stage] = state, state.stage_seconds
        if state.snapshot is not None:
            self.snapshots.append(state.snapshot)
            self._stale = True
            if state.picture:
                self._draw()

    def end(self, how: str) -> None:
        """Take the end; a picture that is not the last is drawn anew, or left out."""
        self.ended = how
        if self._stale and self.webp:
            self.webp = b""
            if PAUSE * self._spent < time.perf_counter() - self.begun:
                with suppress(Exception):  # the result is there, with or without a picture
                    self._draw()

    def bundle(self) -> dict[str, str]:
        """The view as HTML and as a line of text."""
        seconds = time.perf_counter() - self.begun
        state = self.ended or "running"
        line = ": ".join(part for part in (self.title, f"{state}, {_time(seconds)}") if part)
        rows = self._end_rows() if self.ended else self._rows(seconds)
        failures = self.last.failures if self.last else 0
        notes = [f"{failures:,} partitions failed"] if failures else []
        html = display.card(line, rows, notes=notes, webp=self.webp)
        return {"text/html": html, "text/plain": line}

    def _draw(self) -> None:
        if self.plot is not None:
            started = time.thread_time()
            self.webp = display.thumbnail(self.plot(tuple(self.snapshots)), method=2)
            self._spent, self._stale = min(time.thread_time() - started, self._most), False
            self._most = math.inf

    def _rows(self, seconds: float) -> list[tuple[str, str]]:
        state = self.last
        if state is None:
            return []
        left = f", about {_time(state.remaining)} left" if state.remaining else ""
        rows = [("stage", f"{state.stage}: {state.done:,} of {state.total:,}{left}")]
        speed = [f"{state.rate:.3g} per second"] if state.done else []
        if state.bytes_read:
            rate = state.bytes_read / seconds / 1e6
            speed.append(f"{state.bytes_read / 1e6:,.1f} MB read, {rate:.3g} MB/s")
        if speed:
            rows.append(("throughput", "; ".join(speed)))
        return rows + self._last_line()

    def _end_rows(self) -> list[tuple[str, str]]:
        took = [f"{stage} {_time(spent)}" for stage, spent in self.stages.items()]
        rows = [("stages", ", ".join(display.limited(took, 12)))] if took else []
        return rows + self._last_line()

    def _last_line(self) -> list[tuple[str, str]]:
        """What the last snapshot says of itself."""
        line = getattr(self.snapshots[-1], "line", "") if self.snapshots else ""
        return [("so far" if not self.ended else "last", line)] if line else []


@contextmanager
def view(
    title: str, plot: Callable[[Sequence[Any]], Figure] | None, show: Show | None = None
) -> Iterator[Watcher]:
    """Show a view that is renewed every second and stays when the block has ended.

    Parameters
    ----------
    title : str
        What it is a view of.
    plot : callable, optional
        ``plot(snapshots)``: its picture.
    show : callable, optional
        Puts a bundle of MIME types in its place; by default IPython's display.
    """
    seen, put, stopped = View(title, plot), show or _displayed(), threading.Event()

    def tick() -> None:
        spent = 0.0
        while not stopped.wait(max(TICK, PAUSE * spent)):
            started = time.thread_time()
            put(seen.bundle())
            spent = time.thread_time() - started

    ticker = threading.Thread(target=copy_context().run, args=(tick,), name="view", daemon=True)
    put(seen.bundle())
    ticker.start()
    how = "stopped"
    try:
        yield seen
        how = "done"
    finally:
        stopped.set()
        ticker.join(timeout=10)
        seen.end(how)
        put(seen.bundle())


def _displayed() -> Show:
    """The place of a display in the cell that runs."""
    from IPython.display import display as displayed

    handle = displayed({"text/plain": ""}, raw=True, display_id=True)

    def show(bundle: dict[str, str]) -> None:
        if handle is not None:  # a shell that was never started has no place
            handle.update(bundle, raw=True)

    return show


def _time(seconds: float) -> str:
    """A duration for people: ``7 s``, ``3:25``."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
