"""Keeps as many local workers as wanted: Dask gives one up that is slow to come back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import LocalCluster

CLOSED_WITHIN = 20.0  # seconds that workers, and then the cluster, may take to end
ENDED_WITHIN = 10.0  # seconds in which a worker process ends of itself, or is killed
PAUSE = 5.0  # seconds between two tries to start a worker


@dataclass
class LocalPool:
    """The worker processes of one place.

    Attributes
    ----------
    cluster : distributed.LocalCluster
        Begun without workers.
    count : int
        Wanted at first.
    made : dict
        Every worker's nanny that there has been, and the process ids of its workers.
    lost : int
        Workers that had to be started anew.
    """

    cluster: LocalCluster
    count: int
    made: dict[Any, set[int]] = field(default_factory=dict)
    lost: int = 0
    not_before: float = 0.0

    def start(self) -> None:
        """Ask for the workers; they come when they come."""
        self.cluster.scale(self.count)

    def reconcile(self) -> None:
        """Start those anew that have ended for good.

        A worker process that dies is started again by its nanny.  If that takes
        longer than Dask's ``lost-worker-timeout``, its nanny is closed, and nobody
        would ask for another.
        """
        missing = self.cluster.sync(self._missing, callback_timeout=CLOSED_WITHIN)
        if missing and time.monotonic() >= self.not_before:
            self.not_before = time.monotonic() + PAUSE
            self.lost += missing
            self.cluster.scale(len(self.cluster.worker_spec))  # opens what is not there

    def diagnose(self) -> str:
        """The reason why there is no worker."""
        return f"{self.lost} workers had to be started anew" if self.lost else ""

    def close(self) -> None:
        """End the workers and the scheduler, whatever state they are in."""
        if self.cluster.status.name in ("closed", "closing"):
            return
        with suppress(Exception):  # whatever is left is killed below
            self.cluster.sync(self._end_workers, callback_timeout=CLOSED_WITHIN)
        for pid in {p for pids in self.made.values() for p in pids}:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with suppress(TimeoutError, OSError, RuntimeError, AssertionError):
            self.cluster.close(timeout=CLOSED_WITHIN)

    async def _missing(self) -> int:
        """Workers that are wanted, and that nobody is starting."""
        workers: dict[Any, Any] = self.cluster.workers
        self._remember(workers)
        for name, nanny in [*workers.items()]:
            if nanny.status.name in ("closed", "failed"):
                del workers[name]
        return len(self.cluster.worker_spec.keys() - workers.keys())

    def _remember(self, workers: Mapping[Any, Any]) -> None:
        for nanny in workers.values():
            pids = self.made.setdefault(nanny, set())
            pids.clear()
            if (pid := getattr(nanny, "pid", None)) is not None:
                pids.add(pid)

    async def _end_workers(self) -> None:
        """Nobody wants their results any more, so they are not asked to hand them over."""
        workers = [*self.cluster.workers.values()]
        self._remember(self.cluster.workers)
        self.cluster.worker_spec.clear()
        await asyncio.gather(
            *(n.close(timeout=ENDED_WITHIN) for n in workers), return_exceptions=True
        )
        for pids in self.made.values():
            pids.clear()
