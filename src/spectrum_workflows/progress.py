"""Progress of long work: one view in a notebook, bars in a terminal, else silence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spectrum_workflows.domain import Report
from spectrum_workflows.live import view
from spectrum_workflows.watching import RunState, Watcher, Watching

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Watch = Watcher | Literal[False] | None
"""Somebody who watches, nobody, or what suits where it is shown."""


@contextmanager
def watched(
    watch: Watch = None,
    *,
    title: str = "",
    plot: Callable[[Sequence[Any]], Figure] | None = None,
) -> Iterator[Watching | None]:
    """Let something be watched inside the block: as asked, or as suits where it is shown.

    Parameters
    ----------
    watch : callable, False or None
        A watcher; nobody; by default a view in a notebook, bars and lines in a terminal, and
        nobody elsewhere.
    title : str
        Of the view.
    plot : callable, optional
        ``plot(snapshots)``: the view's picture.

    Yields
    ------
    Watching or None
    """
    if watch is False:
        yield None
    elif watch is not None:
        yield Watching(watch)
    elif _in_notebook():
        with view(title, plot) as watcher:
            yield Watching(watcher, pictures=plot is not None)
    elif (console := Console(stderr=True)).is_terminal:
        with bars(console) as watcher:
            yield Watching(watcher, pictures=False)
    else:
        yield None


@contextmanager
def shown() -> Iterator[Report]:
    """Give a ``report(stage, done, total)`` that is shown where there is somebody to see it."""
    with watched() as watching:
        yield watching.report if watching else lambda *_: None


@contextmanager
def bars(console: Console) -> Iterator[Watcher]:
    """Draw one bar per stage, and write the lines of snapshots above them."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as drawn:
        tasks: dict[str, Any] = {}

        def watcher(state: RunState) -> None:
            if state.stage not in tasks:
                tasks[state.stage] = drawn.add_task(state.stage, total=state.total)
            drawn.update(tasks[state.stage], completed=state.done, total=state.total)
            if line := getattr(state.snapshot, "line", ""):
                console.print(line, markup=False, highlight=False)

        yield watcher


def _in_notebook() -> bool:
    """Whether a kernel runs this: that one was imported says little."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
