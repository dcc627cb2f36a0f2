"""What many workers need of a plan, and how many its partitions and the scheduler keep busy."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from spectrum_workflows import display
from spectrum_workflows.domain import Plan
from spectrum_workflows.engine.window import OUTSTANDING, PER_THREAD
from spectrum_workflows.stages import Stage

RATE = 500.0
"""Tasks per second through one scheduler (`benchmarks/engine.py`)."""
TASK = 2_000
"""Bytes that a scheduler holds of a task."""
TURNS = 4
"""Partitions per worker from which on those that end last make the others wait little."""
FAN_IN = 8
"""Values that one merge takes, as `engine.Run` has it."""


@dataclass(frozen=True)
class Need:
    """One thing that many workers need.

    Attributes
    ----------
    subject, needed, planned : str
        What it is, what they need of it, and what the plan has.
    holds : bool or None
        Whether that is enough; ``None`` where it is not known, or not judged.
    remedy : str
        What to do where it is not.
    """

    subject: str
    needed: str
    planned: str
    holds: bool | None = True
    remedy: str = ""


@dataclass(frozen=True)
class Scale:
    """What a number of workers needs; printing it shows a line for each thing.

    Attributes
    ----------
    workers : int
    most : int
        Workers that the number and length of its partitions keep busy, as far as is known.
    wall : str
        Which of the two keeps more of them from being of use.
    needs : tuple of Need
    """

    workers: int
    most: int
    wall: str
    needs: tuple[Need, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        line = f"{self.workers:,} workers: its partitions keep {self.most:,} busy ({self.wall})"
        lines = [line]
        marks = {True: "ok", False: "WALL", None: "?"}
        for need in self.needs:
            line = f"  {marks[need.holds]:5}{need.subject:20}{need.needed:34}{need.planned}"
            lines.append(line)
            if need.remedy and need.holds is not True:
                lines.append(f"{'':27}{need.remedy}")
        return "\n".join(lines)


def scale(plan: Plan, stages: tuple[Stage, ...], workers: int) -> Scale:
    """Say what so many workers of one thread need of a plan.

    Parameters
    ----------
    plan : Plan
    stages : tuple of Stage
        The heaviest counts; empty where the science cannot tell.
    workers : int

    Returns
    -------
    Scale
    """
    count = len(plan.partitions)
    seconds = _task_seconds(stages)
    by_count = max(1, count // TURNS)
    by_rate = math.inf if seconds is None else max(1.0, RATE * seconds * FAN_IN / (FAN_IN + 1))
    most = int(min(by_count, by_rate))
    wall = "more would wait for partitions" if by_count <= by_rate else "the scheduler is too slow"
    needs = (
        _partitions(plan, workers),
        _length(plan, seconds, workers),
        _window(count, workers),
        _merges(count),
        _ledger(count, workers),
        _reading(plan, stages, workers),
    )
    return Scale(workers, most, wall, needs)


def _task_seconds(stages: tuple[Stage, ...]) -> float | None:
    """CPU seconds of a task of the heaviest stage."""
    heaviest = max(stages, key=lambda stage: stage.cpu_seconds, default=None)
    if heaviest is None or not heaviest.cpu_seconds:
        return None
    return heaviest.cpu_seconds / max(1, heaviest.tasks)


def _partitions(plan: Plan, workers: int) -> Need:
    count, least = len(plan.partitions), TURNS * workers
    size = max(1, plan.size // least)
    remedy = f"partitions of at most {size:,} entries (a key of [partition] in the spec)"
    return Need("partitions", f"at least {least:,}", f"{count:,}", count >= least, remedy)


def _length(plan: Plan, seconds: float | None, workers: int) -> Need:
    """A task must last as long as the scheduler takes for one of each of the others."""
    least = workers * (FAN_IN + 1) / FAN_IN / RATE
    needed = f"{least:.2g} s of work each, or more"
    if seconds is None:
        return Need("length", needed, "not known", None, "time one: spectrum run on a small part")
    mean = plan.size / max(1, len(plan.partitions))
    remedy = f"partitions of at least {math.ceil(mean * least / seconds):,} entries"
    return Need("length", needed, f"{seconds:.2g} s", seconds >= least, remedy)


def _window(count: int, workers: int) -> Need:
    window = max(OUTSTANDING, PER_THREAD * workers)
    held = TASK * window * (FAN_IN + 1) / FAN_IN
    needed = f"{window:,} partitions under way"
    planned = f"{min(window, count):,}, {display.megabytes(held)} of tasks"
    return Need("scheduler", needed, planned, None)


def _merges(count: int) -> Need:
    merges = -(-(count - 1) // (FAN_IN - 1)) if count > 1 else 0
    planned = f"{merges:,} in {len(_levels(count))} levels"
    return Need("merges", f"{FAN_IN} values each", planned, None)


def _levels(count: int) -> tuple[int, ...]:
    """Values on each level of the tree above the partitions, up to the one result."""
    levels: list[int] = []
    while count > 1:
        count = -(-count // FAN_IN)
        levels.append(count)
    return tuple(levels)


def _ledger(count: int, workers: int) -> Need:
    """Objects written in a run, and there at a time: a finished merge takes away its children."""
    written = _levels(count)
    window = max(OUTSTANDING, PER_THREAD * workers)
    at_once = min(sum(written), (FAN_IN - 1) * len(written) + window // FAN_IN)
    planned = f"{sum(written):,} written, at most {at_once:,} at a time"
    return Need("ledger", "few objects", planned, None)


def _reading(plan: Plan, stages: tuple[Stage, ...], workers: int) -> Need:
    cpu = sum(stage.cpu_seconds for stage in stages)
    planned = f"{display.megabytes(plan.bytes_to_read)} in all"
    if not cpu or not plan.bytes_to_read:
        return Need("store", "all workers read at once", planned, None)
    rate = plan.bytes_to_read / cpu * min(workers, len(plan.partitions))
    return Need("store", f"{display.megabytes(rate)} a second", planned, None)
