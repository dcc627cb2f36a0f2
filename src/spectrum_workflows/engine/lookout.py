"""Looks for partitions that take too long on workers, and for runs in which nothing moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.limits import Limits, current_limits
from spectrum_workflows.engine.patience import describe_duration
from spectrum_workflows.errors import PartitionError, SiteError

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

RESTARTED_WITHIN = 60.0  # seconds that a worker may take to end, and its nanny to start another
BACK_WITHIN = 20.0  # seconds for which a run that is done waits for such a start
NOBODY = 15.0  # seconds for the site to say why there is no worker, which it knows better
LATE = "it was not done within"
LOOK = 0.1  # seconds between two looks at whether the run was given up
COARSE = 16 << 20  # bytes of memory in use that count as a change


@dataclass
class Lookout:
    """A thread that looks at the scheduler while a run waits for its workers.

    The worker that holds a partition for too long is restarted, or given up if
    it has no nanny, so that another worker takes the partition; when that takes
    too long as well, the partition has failed.  A run that waits while no worker
    computes anything is given up with what the workers say.

    Attributes
    ----------
    client : distributed.Client
    nonce : str
        Part of all keys of the run.
    limits : Limits
    overdue : dict
        Keys of partitions that took too long twice, with the limit in seconds.
    error : SiteError or None
        Why the run was given up.
    taken : int
        How often a partition was taken away.
    """

    client: Client
    nonce: str
    limits: Limits = field(default_factory=current_limits)
    overdue: dict[str, float] = field(default_factory=dict)
    error: SiteError | None = None
    taken: int = 0
    _strikes: dict[str, list[str]] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _idle: threading.Event = field(default_factory=threading.Event)
    _waits: bool = False
    _moved: float = 0.0
    _last: Any = None

    def __enter__(self) -> Self:
        self._idle.set()
        threading.Thread(target=self._look_again, name="lookout", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._idle.wait(timeout=BACK_WITHIN)  # or the site might end in the middle of a start

    def next(self, events: as_completed) -> Future:
        """The next future that is done.

        Raises
        ------
        SiteError
            The run was given up.
        """
        while (future := self.next_within(events, LOOK)) is None:
            pass
        return future

    def next_within(
        self, events: as_completed, seconds: float, waits: bool = True
    ) -> Future | None:
        """The next future that is done, or nothing within some seconds.

        Parameters
        ----------
        events : distributed.as_completed
        seconds : float
        waits : bool
            Whether there is something that workers should be computing.

        Raises
        ------
        SiteError
            The run was given up.
        """
        self._waits = waits
        if not events.has_ready():
            self.check()
            with events.thread_condition:
                events.thread_condition.wait(timeout=seconds)
        if not events.has_ready():
            return None
        self._waits = False
        future: Future = next(events)
        return future

    def wait(self, futures: Future | Iterable[Future]) -> None:
        """Wait until futures are done.

        Raises
        ------
        SiteError
            The run was given up.
        """
        from distributed import wait

        self._waits = True
        while True:
            self.check()
            try:
                with self.client.as_current():  # there may be several
                    wait(futures, timeout=1)
            except TimeoutError:
                continue
            self._waits = False
            return

    def check(self) -> None:
        """Raise if the run was given up."""
        if self.error is not None:
            raise self.error

    @property
    def cost(self) -> Metrics:
        """Tries that it made necessary, and a word about them."""
        if not self.taken:
            return Metrics()
        times = "once" if self.taken == 1 else f"{self.taken} times"
        return Metrics(
            retries=self.taken,
            warnings=(f"a partition took longer than its limit, {times}: taken from its worker",),
        )

    def explained(self, key: str, error: BaseException, where: str) -> BaseException:
        """The error of a partition, or another if the cause is that it took too long."""
        limit = self.overdue.get(key)
        if limit is None:
            return error
        return PartitionError(
            f"{LATE} {describe_duration(limit)}, on one worker and on another",
            where,
            "partition_timeout below [workers] in the site profile is the limit, "
            "and --on-error keep finishes without it",
        )

    def _look_again(self) -> None:
        while not self._stopped.wait(self.limits.period) and self.error is None:
            with suppress(Exception):  # the client or the scheduler has gone: the run hears of it
                self._look()

    def _look(self) -> None:
        seen = self.client.run_on_scheduler(_looker(), nonce=self.nonce)
        for key, address, seconds, average in seen["running"]:
            limit = self.limits.of_a_partition(average)
            if seconds > limit and address not in self._strikes.get(key, ()):
                self._idle.clear()
                try:
                    if not self._stopped.is_set():
                        self._end(key, address, limit)
                finally:
                    self._idle.set()
        self._watch_for_standstill(seen)

    def _end(self, key: str, address: str, limit: float) -> None:
        """Take a partition away from the worker that holds it; the second time for good."""
        addresses = self._strikes.setdefault(key, [])
        addresses.append(address)
        self.taken += 1
        if len(addresses) > 1:
            self.overdue[key] = limit
            self.client.run_on_scheduler(_condemner(), key=key)
        self.client.run_on_scheduler(_restarter(), address=address, timeout=RESTARTED_WITHIN)

    def _watch_for_standstill(self, seen: dict[str, Any]) -> None:
        now, state = time.monotonic(), (seen["waiting"], seen["workers"])
        if seen["computing"] or not self._waits or state != self._last:
            self._moved, self._last = now, state
        elif now - self._moved > self.limits.stalled + (0.0 if seen["workers"] else NOBODY):
            self.error = _standstill(seen, self.limits.stalled)


def _looker() -> Callable[..., dict[str, Any]]:
    """A function that travels to the scheduler, where this package may be missing."""

    def look(dask_scheduler: Any, nonce: str) -> dict[str, Any]:
        from time import time

        now, running, computing, workers = time(), [], False, []
        for ws in dask_scheduler.workers.values():
            for ts, seconds in list(ws.executing.items()):
                if ts.processing_on is not ws:
                    continue
                computing = True
                if nonce in str(ts.key):
                    taken = seconds + max(0.0, now - ws.last_seen)
                    running.append((ts.key, ws.address, taken, ts.prefix.duration_average))
            memory = int(ws.metrics.get("memory", 0))
            spilled = (ws.metrics.get("spilled_bytes") or {}).get("disk", 0)
            moving = (ws.metrics.get("transfer") or {}).get("incoming_bytes", 0)
            row = (ws.address, ws.status.name, memory >> 24, int(ws.memory_limit or 0))
            workers.append((*row, int(spilled), int(moving)))
        waiting = 0
        if not computing:
            done = ("memory", "erred", "released", "forgotten")
            tasks = list(dask_scheduler.tasks.values())
            waiting = sum(nonce in str(ts.key) and ts.state not in done for ts in tasks)
        return {
            "running": running,
            "computing": computing,
            "workers": workers,
            "waiting": waiting,
        }

    return look


def _condemner() -> Callable[..., None]:
    """Another: it lets the next death of its worker be the last one for a task."""

    def condemn(dask_scheduler: Any, key: str) -> None:
        task = dask_scheduler.tasks.get(key)
        if task is not None:
            task.suspicious = dask_scheduler.allowed_failures

    return condemn


def _restarter() -> Callable[..., Coroutine[Any, Any, None]]:
    """Another: it ends a worker, and waits until its nanny has started one in its place.

    Where there is no nanny, nobody does, and the run goes on at once.
    """

    async def restart(dask_scheduler: Any, address: str, timeout: float) -> None:
        worker = dask_scheduler.workers.get(address)
        await dask_scheduler.restart_workers(
            [address],
            timeout=timeout,
            wait_for_workers=bool(worker and worker.nanny),
            on_error="return",
            stimulus_id="lookout",
        )

    return restart


def _standstill(seen: dict[str, Any], seconds: float) -> SiteError:
    """What to say when nothing moves: mostly workers that wait for memory nobody gives back."""
    workers = seen["workers"]
    if not workers:
        return SiteError(
            f"no worker for {describe_duration(seconds)}", remedy="see why they do not come"
        )
    paused = [w for w in workers if w[1] == "paused"]
    most = max(paused or workers, key=lambda w: w[2] / max(1, w[3]))
    used, limit = most[2] * COARSE / 1e9, most[3] / 1e9
    if paused:
        return SiteError(
            f"{len(paused)} of {len(workers)} workers are paused for lack of memory, and nothing "
            f"was computed for {describe_duration(seconds)}: one has {used:.2f} GB of its "
            f"{limit:.2f} GB "
            "in use and cannot let go of them",
            remedy="give workers more memory, take more workers, or smaller partitions",
        )
    return SiteError(
        f"{len(workers)} workers computed nothing for {describe_duration(seconds)}, although "
        f"{seen['waiting'] or 'some'} tasks are left",
        remedy="run it again; the workers' logs may say more",
    )
