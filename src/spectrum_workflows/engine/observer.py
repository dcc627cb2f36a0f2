"""An observer of a run: what the engine tells it, and small values of what is merged so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from spectrum_workflows.ambient import Ambient
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.parts import Part, fold

R = TypeVar("R")


class Observer(Protocol):
    """Somebody who watches a run; nothing that it does can end the run or change its result."""

    def due(self) -> bool:
        """Whether there is time for a picture: it may cost something to make."""

    def see(self, snapshot: Any, *, picture: bool) -> None:
        """Take a value of the science's own, and whether it holds what a picture is made of."""

    def count(self, metrics: Metrics) -> None:
        """Take what the run has cost so far, as far as it is known."""

    def attempt(self, action: Callable[[], object]) -> None:
        """Do something for the observer; what it raises is the observer's end, not the run's."""


class Nobody:
    """The observer where nobody watches."""

    def due(self) -> bool:
        """Never."""
        return False

    def see(self, snapshot: Any, *, picture: bool) -> None:
        """Do nothing."""

    def count(self, metrics: Metrics) -> None:
        """Do nothing."""

    def attempt(self, action: Callable[[], object]) -> None:
        """Do nothing."""


_observer: Ambient[Observer] = Ambient("observer", Nobody())


def observed(by: Observer) -> AbstractContextManager[None]:
    """Let somebody watch what is computed inside the block."""
    return _observer.set(by)


def current_observer() -> Observer:
    """Whoever watches here."""
    return _observer.value


@dataclass(frozen=True)
class Sketch(Generic[R]):
    """How a value that is being merged is shown before all of it is there.

    Attributes
    ----------
    small : callable
        ``small(value)``: a value of the same kind, merged in the same way, small enough
        to be sent to the session every few seconds.
    snapshot : callable
        ``snapshot(small)``: what the observer sees.
    """

    small: Callable[[R], R]
    snapshot: Callable[[R], Any]

    def of(self, part: Part[R]) -> Part[R]:
        """The same of a part: its cost stays what it is."""
        return Part(None if part.value is None else self.small(part.value), part.metrics)


@dataclass
class Sketching(Generic[R]):
    """Sketches of one pass on their way to the observer.

    Attributes
    ----------
    sketch : Sketch
    merge : callable
        That of the pass.
    observer : Observer
    before : Metrics
        What the run had cost before this pass.
    relay : callable, optional
        Takes the parts that would be shown: one of several sites shows nothing itself.
    """

    sketch: Sketch[R]
    merge: Callable[[R, R], R]
    observer: Observer
    before: Metrics
    relay: Callable[[Sequence[Part[R]]], None] | None = None
    _total: list[Part[R]] = field(default_factory=list)

    def add(self, part: Part[R]) -> None:
        """Take one partition in this process, and show what there is when it is time."""
        self._total = [fold(self.merge, [*self._total, self.sketch.of(part)])]
        if self.observer.due():
            self.show(self._total, picture=True)

    def end(self, part: Part[R]) -> None:
        """Show what has come out, with a picture where there is time for one."""
        self.show([self.sketch.of(part)], picture=self.observer.due())

    def show(self, parts: Sequence[Part[R]], *, picture: bool) -> None:
        """Show the sum of some sketches."""
        if self.relay is not None:
            self.relay(parts)
            return
        whole = fold(self.merge, parts)
        self.observer.count(self.before + whole.metrics)
        if whole.value is not None:
            self.observer.see(self.sketch.snapshot(whole.value), picture=picture)
