"""A whole run in one batch job: scheduler and session in it, and its workers beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectrum_workflows import arithmetic
from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch.jobs import (
    interpreter,
    job_options,
    job_script,
    prologue,
    scheduler_of_jobs,
)
from spectrum_workflows.sites.batch.system import BatchSystem, WholeRun
from spectrum_workflows.sites.closed import secret_path
from spectrum_workflows.sites.deployment import Deployment
from spectrum_workflows.sites.profile import Batch, Site
from spectrum_workflows.sites.security import certificate_files, warn_insecure

if TYPE_CHECKING:
    from distributed import Client

FAILED_STARTS = 3  # steps in a row that end before their worker connects
PAUSE = 5.0  # seconds before the step after one that failed


def tasks_of(site: Site) -> int:
    """Workers that a whole run in one job has."""
    return site.workers.count or site.workers.max or 1


def run_script(site: Site, cluster: Batch, *, module: str, name: str, folder: Path) -> str:
    """The batch job of a whole run, which asks for its workers, and one more for the session.

    The session's command is ``python -m module FOLDER NUMBER``.

    Raises
    ------
    SiteError
        dask-jobqueue does not take the profile, or the interpreter is in an image.
    """
    system = cluster.system
    if site.software.image is not None:
        remedy = "give modules, prologue and python, or use spectrum run"
        raise SiteError(
            "a whole run cannot start workers from inside an image", "[software]", remedy
        )
    run = WholeRun(
        name=name,
        workers=tasks_of(site),
        log=folder / "log.txt",
        prologue=(*prologue(system, site.software), *arithmetic.shell()),
        python=interpreter(system, site.software),
        command=("-m", module, str(folder)),
    )
    return system.whole(job_script(site, cluster), run)


def start_steps(site: Site, cluster: Batch, folder: Path) -> Deployment:
    """Start a scheduler in this task of a job, and one step of it for every worker.

    Parameters
    ----------
    site : Site
    cluster : Batch
    folder : Path
        The run's own, which all nodes of the job see: for certificates and scripts.

    Raises
    ------
    SiteError
        No scheduler could be started.
    """
    from distributed import Client

    system, options, prefix = cluster.system, job_options(site, cluster), secret_path()
    options.pop("shared_temp_directory", None)
    name = options.pop("job_name")
    options["scheduler_options"] |= {"http_prefix": prefix, "local_directory": str(folder)}
    options["log_directory"] = str(folder)
    if cluster.insecure:
        warn_insecure("the scheduler")
    else:
        options["security"] = certificate_files(folder)
    with ExitStack() as stack:
        started = scheduler_of_jobs(system, name, options, prefix)
        stack.callback(started.close)
        client = Client(started, direct_to_workers=True)
        stack.callback(client.close)
        pool = StepPool(system, started, client, folder, tasks_of(site), site.workers.silence)
        stack.callback(pool.close)
        pool.reconcile()
        stack.pop_all()

    def close() -> None:
        with ExitStack() as rest:
            rest.callback(started.close)
            rest.callback(client.close)
            rest.callback(pool.close)

    return Deployment(client, close, pool.reconcile, pool.diagnose)


@dataclass
class Step:
    """A worker's job step.

    Attributes
    ----------
    process : subprocess.Popen
        The one that started it, which lives as long as the step.
    seen : float
        When its worker was connected last, or the step began; monotonic.
    connected : bool
        Whether it ever was.
    """

    process: subprocess.Popen[bytes]
    seen: float
    connected: bool = False


@dataclass
class StepPool:
    """The workers' steps of one job.

    Attributes
    ----------
    system : BatchSystem
    cluster : dask_jobqueue.JobQueueCluster
        Without jobs of its own.
    client : distributed.Client
    folder : Path
    count : int
        Steps wanted.
    silence : float
        Seconds without its worker after which a step is ended.
    """

    system: BatchSystem
    cluster: Any
    client: Client
    folder: Path
    count: int
    silence: float
    steps: dict[str, Step] = field(default_factory=dict)
    begun: int = 0
    failed_starts: int = 0
    not_before: float = 0.0

    def reconcile(self) -> None:
        """Begin a step for every worker that is missing.

        Raises
        ------
        SiteError
            One step after the other ends before its worker connects.
        """
        now, present = time.monotonic(), self._connected() if self.steps else set[str]()
        for name, step in [*self.steps.items()]:
            if name in present:
                step.seen, step.connected, self.failed_starts = now, True, 0
            elif step.connected and now - step.seen > self.silence:
                _end(step.process)
            if step.process.poll() is not None:
                del self.steps[name]
                if not step.connected:
                    self.failed_starts += 1
                    self.not_before = now + PAUSE
        if self.failed_starts >= FAILED_STARTS * self.count:
            raise SiteError(f"no worker starts inside the job: {self.diagnose()}")
        while len(self.steps) < self.count and now >= self.not_before:
            self._begin(now)

    def diagnose(self) -> str:
        """The last lines of a step's output."""
        logs = sorted(self.folder.glob("worker-*.log"), key=lambda path: path.stat().st_mtime)
        lines = logs[-1].read_text(errors="replace").strip().splitlines()[-3:] if logs else []
        return " | ".join(lines) or "its steps say nothing"

    def close(self) -> None:
        """End all steps."""
        for step in self.steps.values():
            _signal(step.process, signal.SIGTERM)
        for step in self.steps.values():
            _end(step.process)
        self.steps.clear()

    def _connected(self) -> set[str]:
        scheduler = self.cluster.scheduler
        return {str(worker.name) for worker in [*scheduler.workers.values()]}

    def _begin(self, now: float) -> None:
        name = f"worker-{self.begun}"
        self.begun += 1
        kind, options = self.cluster.new_spec["cls"], self.cluster.new_spec["options"]
        address = getattr(self.cluster.scheduler, "contact_address", None)
        job = kind(address or self.cluster.scheduler.address, name=name, **options)
        script = self.folder / f"{name}.sh"
        script.write_text(self.system.worker_shell(job))
        cores = self.system.requested(job.job_script()).cores
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*self.system.step(cores), "bash", str(script)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.steps[name] = Step(process, now)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and with it its step."""
    _signal(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
        return
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a process and its children, which have a session of their own."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
