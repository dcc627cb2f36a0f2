"""Keeps as many batch jobs as wanted: dask-jobqueue itself never replaces one."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch.queue import LIVE, NOT_ITS_FAULT, Job, QueueEntry, steps
from spectrum_workflows.sites.batch.system import BatchSystem
from spectrum_workflows.sites.profile import Workers

if TYPE_CHECKING:
    from dask_jobqueue import JobQueueCluster

LOOK_EVERY = 5.0  # seconds between two looks at the queue while something is missing
LOOK_RARELY = 30.0  # while jobs only wait, or all is well
FAILED_STARTS = 3  # jobs in a row that end of themselves before their worker connects
STEADY = 30.0  # seconds without need after which an adaptive pool shrinks
PAUSES = (5.0, 300.0)  # seconds before the next job after one refused or failed: first, longest
SUBMITTED_WITHIN = 120.0  # seconds for all submissions and cancellations at a time
CLOSED_WITHIN = 30.0  # seconds that the scheduler may take to end
FAREWELL = " - End worker"  # which Dask writes last, whatever has happened
FLUSH = 20.0  # seconds that copying results away from a leaving worker may take


@dataclass
class Pool:
    """The jobs of one run.

    Attributes
    ----------
    system : BatchSystem
    cluster : dask_jobqueue.JobQueueCluster
    job_name : str
        Common to all jobs of the run.
    workers : Workers
    logs : Path
        Folder of the jobs' output.
    failed_starts : int
        Jobs in a row that ended before their worker connected.
    """

    system: BatchSystem
    cluster: JobQueueCluster
    job_name: str
    workers: Workers
    logs: Path
    failed_starts: int = 0
    refused: str = ""  # what was said to the last job, if it was not taken
    unanswered: str = ""  # why the last look at the queue failed, if it did
    queue: dict[str, QueueEntry] = field(default_factory=dict)
    asked: float = -LOOK_RARELY
    whole: float = field(default_factory=time.monotonic)  # when no worker was missing, last
    pause: float = 0.0
    not_before: float = 0.0  # the next submission
    retiring: set[str] = field(default_factory=set)
    connected: set[str] = field(default_factory=set)  # workers that have connected once
    absent: dict[str, float] = field(default_factory=dict)  # running, not connected: since when
    made: set[Any] = field(default_factory=set)  # every job object there has been
    needs: deque[tuple[float, int]] = field(default_factory=deque)

    def reconcile(self) -> None:
        """Look at the jobs and put right what is wrong.

        Raises
        ------
        SiteError
            No job is taken at all, or one job after the other ends before
            its worker connects.
        """
        busy = self.cluster.sync(self._busy)
        due = self._queue_is_due(busy)
        if due and not self._look():
            return
        jobs = self._jobs(busy, known=due)
        self._count_failed_starts(jobs)
        todo = steps(
            jobs,
            count=self._count(),
            renew_before=self.workers.renew_before,
            retiring=tuple(self.retiring),
        )
        if todo.retire:
            self.cluster.sync(self._retire, todo.retire)
        more = todo.submit if time.monotonic() >= self.not_before else 0
        gone = (*todo.drop, *todo.release)
        self.retiring -= {*gone}
        if gone or more:
            self._change(gone, more)

    def diagnose(self) -> str:
        """The reason why there is no worker: the queue's of our jobs, else the last refusal."""
        self._look()
        live = [(n, e) for n, e in self.queue.items() if e.state in LIVE]
        words = [f"job {n} is {e.state} ({e.reason or 'no reason given'})" for n, e in live[:3]]
        return self.unanswered or ", ".join(words) or self.refused or "no job is in the queue"

    def close(self) -> None:
        """End all jobs and the scheduler."""
        for job in self.made | {*self.cluster.workers.values()}:
            job.status = type(job.status).closed  # closing asserts it, and nothing else sets it
        with suppress(RuntimeError, OSError, TimeoutError, AssertionError):
            self.cluster.close(timeout=CLOSED_WITHIN)

    async def _busy(self) -> dict[str, bool]:
        """Name of every connected worker, and whether it has tasks."""
        workers = self.cluster.scheduler.workers.values()
        return {str(state.name): bool(state.processing) for state in workers}

    def _queue_is_due(self, connected: Mapping[str, bool]) -> bool:
        """Often while workers are missing, rarely when all is well: the queue is a shared good."""
        now, names = time.monotonic(), self.cluster.worker_spec.keys()
        complete = bool(names) and names <= connected.keys()
        self.whole = now if complete else self.whole
        waited = now - self.whole
        pause = LOOK_RARELY if complete else min(LOOK_RARELY, LOOK_EVERY + waited / 10)
        return now - self.asked >= pause

    def _look(self) -> bool:
        """Ask for the queue; a controller that does not answer now may do so later."""
        self.asked = time.monotonic()
        try:
            self.queue, self.unanswered = self.system.listed(self.job_name), ""
        except SiteError as error:
            self.unanswered = str(error)
        return not self.unanswered

    def _jobs(self, busy: Mapping[str, bool], *, known: bool) -> list[Job]:
        """Our jobs; one that a fresh look did not show is over."""
        passed = time.monotonic() - self.asked
        jobs = []
        for name in list(self.cluster.worker_spec):
            number = getattr(self.cluster.workers.get(name), "job_id", None)
            entry = self.queue.get(str(number), QueueEntry("" if known else "PENDING"))
            entry = replace(entry, left=entry.left - passed)
            if self._hangs(name, entry, connected=name in busy):
                entry = QueueEntry("")  # over for us; dropping it cancels the job
            jobs.append(Job(name, entry, name in busy, busy.get(name, False)))
        return jobs

    def _hangs(self, name: str, entry: QueueEntry, *, connected: bool) -> bool:
        """Whether a job runs whose worker has gone, or has not come, for too long."""
        if connected or entry.state != "RUNNING":
            self.absent.pop(name, None)
            return False
        since = self.absent.setdefault(name, time.monotonic())
        limit = self.workers.silence if name in self.connected else self.workers.patience
        return time.monotonic() - since > limit

    def _count(self) -> int:
        """Workers wanted now; an adaptive pool shrinks only after a while."""
        if self.workers.max is None:
            return self.workers.count or 1
        now = time.monotonic()
        need = self.cluster.sync(self._adaptive_target)
        self.needs.append((now, min(max(need, self.workers.min), self.workers.max)))
        while self.needs[0][0] < now - STEADY:
            self.needs.popleft()
        return max(count for _, count in self.needs)

    async def _adaptive_target(self) -> int:
        return int(self.cluster.scheduler.adaptive_target())

    def _count_failed_starts(self, jobs: Sequence[Job]) -> None:
        """Notice jobs that die of themselves before they are of any use."""
        self.connected |= {job.name for job in jobs if job.connected}
        over = [j for j in jobs if not j.alive and j.entry.state not in NOT_ITS_FAULT]
        new = sum(job.name not in self.connected for job in over)
        if any(job.connected for job in jobs):
            self.failed_starts = 0
        else:
            self.failed_starts += new
        if new:
            self._wait_longer()
        if self.failed_starts >= FAILED_STARTS:
            raise SiteError(
                f"{self.failed_starts} jobs in a row ended before their worker connected"
                f"{self._last_words()}",
                str(self.logs),
                "correct [software] or [cluster] in the profile",
            )

    def _wait_longer(self) -> None:
        first, longest = PAUSES
        self.pause = min(max(first, 2 * self.pause), longest)
        self.not_before = time.monotonic() + self.pause

    def _last_words(self) -> str:
        """The end of the error output of the newest job that has written any."""
        logs = sorted(
            self.logs.glob(self.system.errors(self.job_name)), key=lambda p: p.stat().st_mtime
        )
        for log in reversed(logs):  # one that has just begun has said nothing yet
            lines = log.read_text(errors="replace").split("\n")
            words = [line.strip() for line in lines if line.strip() and not line.endswith(FAREWELL)]
            if words:
                return f" (its last words: {words[-1]})"
        return ""

    async def _retire(self, names: Sequence[str]) -> None:
        """Give the workers no more tasks, and copy their results to others.

        Where nobody could take the results the scheduler leaves a worker as it
        is; it is asked again at the next look.
        """
        busy = await self._busy()
        retired = await self._flush([n for n in names if n in busy])
        self.retiring |= retired | {n for n in names if n not in busy}

    async def _flush(self, names: Sequence[str]) -> set[str]:
        scheduler = self.cluster.scheduler
        if not names:
            return set()
        flushed = scheduler.retire_workers(names=list(names), close_workers=False, remove=False)
        with suppress(TimeoutError):
            return {str(w["name"]) for w in (await asyncio.wait_for(flushed, FLUSH)).values()}
        return set()

    async def _settled(self) -> None:
        await self.cluster

    def _change(self, gone: Sequence[str], more: int) -> None:
        """Forget jobs and ask for others."""

        async def changed() -> None:
            await self._flush([n for n in gone if n in await self._busy()])  # its newest results
            for name in gone:
                self.cluster.worker_spec.pop(name, None)
                if getattr(self.cluster.workers.get(name), "job_id", "") is None:
                    del self.cluster.workers[name]
            for _ in range(more):
                self.cluster.worker_spec.update(self.cluster.new_worker_spec())
            try:  # Ctrl-C cancels this, but must not orphan a submission under way
                await asyncio.shield(asyncio.ensure_future(self._settled()))
            finally:
                self.made |= {*self.cluster.workers.values()}

        self.asked = -LOOK_RARELY
        try:
            self.cluster.sync(changed, callback_timeout=SUBMITTED_WITHIN)
        except TimeoutError:
            names = " and ".join(self.system.commands)
            self.unanswered = f"{names} do not answer within {SUBMITTED_WITHIN:g} s"
        except RuntimeError as error:
            match = re.search(r"stderr:\n(.*)", str(error), re.DOTALL)
            reason = " ".join((match[1] if match else str(error)).split())
            self.refused = f"{self.system.name} refused the job ({reason})"
            self._wait_longer()
            if not any(job.job_id for job in self.made):
                raise SiteError(self.refused, remedy="correct [cluster] in the profile") from None
        else:
            self.refused = ""
            self.pause = 0.0 if self.failed_starts == 0 else self.pause
