"""A pilot: a small part of a run, to foretell what all of it takes on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from threadpoolctl import threadpool_limits

from spectrum_workflows import domain, policy, storage
from spectrum_workflows.checking import completed
from spectrum_workflows.domain import Domain, Metrics, Partition, Plan
from spectrum_workflows.errors import DataError
from spectrum_workflows.policy import experience
from spectrum_workflows.policy.experience import Experience
from spectrum_workflows.rendering import png
from spectrum_workflows.sites import Place

PARTS = 6
"""Partitions of a pilot, spread over the plan."""


@dataclass(frozen=True)
class Pilot:
    """What a pilot computed and took.

    Attributes
    ----------
    name : str
    partitions, of : int
        How many it computed, of how many.
    size, of_size : int
        Entries in them, and in all.
    task_seconds, session_seconds : float
        CPU time of its tasks, and of what a process does once besides.
    """

    name: str
    partitions: int
    of: int
    size: int
    of_size: int
    task_seconds: float
    session_seconds: float

    def __str__(self) -> str:
        part = f"{self.partitions:,} of {self.of:,} partitions, {self.size:,} entries"
        tasks = f"{self.task_seconds:.3g} CPU s, and {self.session_seconds:.3g} CPU s besides"
        return f"{self.name}: {part} took {tasks}; spectrum check foretells the whole from it"


def pilot(spec: Any, place: Place) -> Pilot:
    """Compute a part of a run in this process, and remember what it took; nothing is saved.

    Where the cost of a science does not follow the entries, all of it is computed.  Rules of code
    and of data hold; limits, which it helps to foretell, do not.

    Parameters
    ----------
    spec : model
        From `load_spec`.
    place : Place
        Not connected.

    Raises
    ------
    PolicyError
        The run breaks rules, whatever it takes.
    SpectrumError
        As `run`.
    """
    policy.refuse(spec.name, policy.before_planning(spec, place))
    science, clock, cpu = domain.get(spec.workflow), time.perf_counter(), time.thread_time()
    with storage.using(place.stores), threadpool_limits(1), storage.metering() as meter:
        plan = completed(science.plan(spec, place.data), science, spec, place.data)
        policy.refuse(spec.name, policy.of_files(spec, plan, place))
        part = replace(plan, partitions=_spread(plan)) if science.linear else plan
        result, metrics = _computed(spec, part, science)
        tasks, walls = metrics.cpu_seconds, metrics.task_wall_seconds
        nbytes_out = _size(result, science)
        session = time.thread_time() - cpu - tasks
        seconds, nbytes, start = time.perf_counter() - clock, meter.bytes_read, 0.0
        if science.linear:
            metrics = _computed(spec, part, science)[1]  # without what a process does once
            again = min(tasks, metrics.cpu_seconds)
            start, tasks = tasks - again, again
            walls = min(walls, metrics.task_wall_seconds)
    took = Experience(
        size=part.size,
        partitions=len(part.partitions),
        task_seconds=tasks,
        session_seconds=max(0.0, session),
        seconds=seconds,
        workers=0,
        bytes_read=nbytes,
        bytes_out=nbytes_out,
        start_seconds=start,
        task_wall_seconds=walls,
    )
    experience.remember(experience.key(spec, plan, science), "serial", took)
    entries = (part.size, plan.size)
    counts = (len(part.partitions), len(plan.partitions))
    return Pilot(spec.name, *counts, *entries, tasks, session + start)


def _computed(spec: Any, part: Plan, science: Domain[Any, Any]) -> tuple[Any, Metrics]:
    """A result, and what its tasks took.

    Raises
    ------
    DataError
        There is nothing to compute.
    """
    result, metrics = science.run(spec, part, client=None, on_error="raise", report=_silent)
    if result is None or not part.size:
        raise DataError("there is nothing to compute", spec.name)
    return result, metrics


def _size(result: Any, science: Domain[Any, Any]) -> int | None:
    """Bytes of what would be saved; ``None`` where some of it cannot be made."""
    try:
        numbers = sum(len(data) for _, data in science.files(result))
        return numbers + sum(len(png(figure)) for _, figure in science.pictures(result))
    except Exception:  # a run says why, and saves the rest
        return None


def _spread(plan: Plan) -> tuple[Partition, ...]:
    """Partitions from all over the plan, as they lie in it."""
    count = len(plan.partitions)
    if count <= PARTS:
        return plan.partitions
    return tuple(plan.partitions[(2 * k + 1) * count // (2 * PARTS)] for k in range(PARTS))


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""
