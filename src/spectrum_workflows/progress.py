"""Progress of long work: a bar in a terminal, a widget in a notebook, else silence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spectrum_workflows.domain import Report


@contextmanager
def shown() -> Iterator[Report]:
    """Give a ``report(stage, done, total)`` that draws one bar per stage."""
    console = Console(stderr=not _in_notebook())
    if not (console.is_terminal or console.is_jupyter):
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        try:
            yield report
        finally:
            bars.refresh()  # in a notebook the last state would not be drawn


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules
