"""A batch system's queue, in SLURM's words: what is in it, and what should happen to our jobs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LIVE = frozenset(
    (
        *("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "RESIZING", "SIGNALING", "STOPPED"),
        *("REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT", "STAGE_OUT"),
    )
)
QUEUED = LIVE | {"COMPLETING"}
"""States of jobs that have not left the queue."""
NOT_ITS_FAULT = frozenset(
    ("", "CANCELLED", "COMPLETING", "PREEMPTED", "REVOKED", "NODE_FAIL", "BOOT_FAIL", "DEADLINE")
)
"""Ends that say nothing about whether the next job would do better."""


@dataclass(frozen=True)
class QueueEntry:
    """A job as the queue shows it.

    Attributes
    ----------
    state : str
        SLURM's long name of the state, such as ``RUNNING``; for other batch systems the one that
        means the same.
    left, limit : float
        Seconds to the job's time limit, and the limit itself.
    reason : str
        Why it waits, or why it failed.
    """

    state: str
    left: float = math.inf
    limit: float = math.inf
    reason: str = ""


@dataclass(frozen=True)
class Job:
    """One of our jobs, seen from both sides.

    Attributes
    ----------
    name : str
        Of the worker, and of the job in the cluster object.
    entry : QueueEntry
        What the queue says; an empty state where it knows nothing.
    connected : bool
        Its worker is known to the scheduler.
    busy : bool
        Its worker has tasks.
    """

    name: str
    entry: QueueEntry
    connected: bool = False
    busy: bool = False

    @property
    def alive(self) -> bool:
        """Whether it works, or will."""
        return self.connected or self.entry.state in LIVE

    def near_end(self, renew_before: float) -> float:
        """Its time left in units of ``renew_before``, which is never over a third of its limit."""
        window = min(renew_before, self.entry.limit / 3)
        return self.entry.left / window if window > 0 else math.inf


@dataclass(frozen=True)
class Steps:
    """Next steps with the jobs of a run.

    Attributes
    ----------
    submit : int
        Jobs to ask for.
    drop : tuple of str
        Jobs that are over: forget them.
    retire : tuple of str
        Workers that get no more tasks.
    release : tuple of str
        Drained jobs that can be given back.
    """

    submit: int = 0
    drop: tuple[str, ...] = ()
    retire: tuple[str, ...] = ()
    release: tuple[str, ...] = ()


def steps(
    jobs: Sequence[Job], *, count: int, renew_before: float, retiring: Sequence[str]
) -> Steps:
    """Decide how to have ``count`` jobs whose time is not nearly over.

    A replacement is asked for ``renew_before`` the end of a job; the old worker
    goes on until the new one has come, or until two thirds of that time are
    left.  It then finishes its tasks, at the most until one third is left.

    Parameters
    ----------
    jobs : sequence of Job
    count : int
        Wanted.
    renew_before : float
        Seconds.
    retiring : sequence of str
        Names of workers that get no more tasks already.
    """
    alive = [j for j in jobs if j.alive]
    staying = [j for j in alive if j.name not in retiring]
    fresh = [j for j in staying if j.near_end(renew_before) > 1]
    surplus = sorted(fresh, key=lambda j: j.connected, reverse=True)[count:]
    missing = max(0, count - sum(j.connected for j in fresh))
    old = sorted((j for j in staying if j not in fresh), key=lambda j: -j.entry.left)
    leaving = [*old[missing:], *(j for j in old[:missing] if j.near_end(renew_before) <= 2 / 3)]
    leaving += surplus
    names = {*retiring, *(j.name for j in leaving)}
    done = [
        j for j in alive if j.name in names and (not j.busy or j.near_end(renew_before) <= 1 / 3)
    ]
    return Steps(
        submit=max(0, count - len(fresh)),
        drop=tuple(j.name for j in jobs if not j.alive),
        retire=tuple(j.name for j in leaving),
        release=tuple(j.name for j in done if j.name in retiring or not j.connected),
    )
