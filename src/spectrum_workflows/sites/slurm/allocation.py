"""A whole run in one batch job: scheduler and session in its first task, workers as job steps."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectrum_workflows import arithmetic
from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.closed import secret_path
from spectrum_workflows.sites.deployment import Deployment
from spectrum_workflows.sites.profile import Site, Slurm, Software
from spectrum_workflows.sites.security import certificate_files, warn_insecure
from spectrum_workflows.sites.slurm.jobs import job_options, job_script, scheduler_of_jobs, usual
from spectrum_workflows.sites.slurm.queue import LIVE
from spectrum_workflows.sites.slurm.request import requested

if TYPE_CHECKING:
    from distributed import Client

REPLACED = re.compile(r"-J|-n|-N|-e|-o|--(cpus-per-task|ntasks|mem|nodes|job-name|output|error)\b")
"""Directives of a worker's job that the whole run has others for."""
WARNING = 60.0
"""Seconds before its time limit at which a job is told to end by itself."""
FAILED_STARTS = 3  # steps in a row that end before their worker connects
PAUSE = 5.0  # seconds before the step after one that failed
ANSWER = 30.0  # seconds for SLURM's commands
GRACE = 30.0  # seconds in which a job that is told to end does so


def tasks_of(site: Site) -> int:
    """Workers that a whole run in one job has."""
    return site.workers.count or site.workers.max or 1


def run_script(site: Site, cluster: Slurm, *, module: str, name: str, folder: Path) -> str:
    """The batch job of a whole run.

    It asks for one task per worker and one for scheduler and session, each with what the
    job of one worker asks for; the latter is ``python -m module FOLDER NUMBER``.

    Raises
    ------
    SiteError
        dask-jobqueue does not take the profile, or the interpreter is in an image.
    """
    if site.software.image is not None:
        remedy = "give modules, prologue and python, or use spectrum run"
        raise SiteError("srun is not there inside an image", "[software]", remedy)
    worker = job_script(site, cluster)
    lines = re.findall(r"^#SBATCH (.*)$", worker, flags=re.MULTILINE)
    kept = [line for line in lines if not REPLACED.match(line)]
    one = requested(worker)
    warning = int(min(WARNING, one.seconds / 4)) if one.seconds else int(WARNING)
    ours = [
        f"-J {name}",
        f"--ntasks={tasks_of(site) + 1}",
        f"--cpus-per-task={one.cores}",
        *([f"--mem-per-cpu={_megabytes_per_core(one.memory, one.cores)}M"] if one.memory else ()),
        f"-o {shlex.quote(str(folder / 'log.txt'))}",
        "--open-mode=append",
        f"--signal=B:TERM@{warning}",
    ]
    python = site.software.python or usual("python") or sys.executable
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            *(f"#SBATCH {line}" for line in (*ours, *kept)),
            *_prologue(site.software),
            *arithmetic.shell(),
            f"exec {python} -m {module} {shlex.quote(str(folder))} $SLURM_JOB_ID",
            "",
        ]
    )


def _prologue(software: Software) -> Sequence[str]:
    ours = [*(f"module load {shlex.quote(m)}" for m in software.modules), *software.prologue]
    return ours or usual("job-script-prologue") or ()


def _megabytes_per_core(memory: int, cores: int) -> int:
    return -(-memory // cores // (1 << 20))


def submit_script(script: str) -> str:
    """Hand a script to SLURM, and give the number of its job.

    Raises
    ------
    SiteError
        SLURM is not here, or refuses it.
    """
    done = _asked(["sbatch", "--parsable"], given=script)
    if done.returncode:
        raise SiteError(f"SLURM refuses the job: {done.stderr.strip()}", remedy="spectrum doctor")
    return done.stdout.strip().split(";")[0]


def is_live(number: str) -> bool | None:
    """Whether a job waits or works; ``None`` where SLURM is not here or does not answer."""
    command = ["squeue", "--noheader", "--states=all", f"--jobs={number}", "--format=%T"]
    try:
        done = _asked(command)
    except SiteError:
        return None
    if done.returncode:
        return False if "Invalid job id" in done.stderr else None
    return any(state.strip() in {*LIVE, "COMPLETING"} for state in done.stdout.splitlines())


def cancel_job(number: str) -> None:
    """Tell a job to end; one that does not within `GRACE` is ended.

    Raises
    ------
    SiteError
        SLURM is not here, or does not answer.
    """
    pending = _asked(["squeue", "--noheader", f"--jobs={number}", "--format=%T"])
    if pending.stdout.strip() == "RUNNING":
        _asked(["scancel", "--batch", "--signal=TERM", number])
        end = time.monotonic() + GRACE
        while is_live(number) and time.monotonic() < end:
            time.sleep(0.5)
    done = _asked(["scancel", number])
    if done.returncode and "Invalid job id" not in done.stderr:
        raise SiteError(f"scancel failed: {done.stderr.strip()}", f"job {number}")


def _asked(command: list[str], *, given: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=ANSWER, check=False
        )
    except FileNotFoundError:
        remedy = "run this on a login node of the cluster"
        raise SiteError(f"{command[0]} is not installed here", remedy=remedy) from None
    except subprocess.TimeoutExpired:
        raise SiteError(f"{command[0]} does not answer", remedy="is SLURM up?") from None


def start_steps(site: Site, cluster: Slurm, folder: Path) -> Deployment:
    """Start a scheduler in this task of a job, and a job step for every worker.

    Parameters
    ----------
    site : Site
    cluster : Slurm
    folder : Path
        The run's own, which all nodes of the job see: for certificates and scripts.

    Raises
    ------
    SiteError
        No scheduler could be started.
    """
    from distributed import Client

    options, prefix = job_options(site, cluster), secret_path()
    options.pop("shared_temp_directory", None)
    name = options.pop("job_name")
    options["scheduler_options"] |= {"http_prefix": prefix, "local_directory": str(folder)}
    options["log_directory"] = str(folder)
    if cluster.insecure:
        warn_insecure("the scheduler")
    else:
        options["security"] = certificate_files(folder)
    with ExitStack() as stack:
        started = scheduler_of_jobs(name, options, prefix)
        stack.callback(started.close)
        client = Client(started, direct_to_workers=True)
        stack.callback(client.close)
        pool = StepPool(started, client, folder, tasks_of(site), site.workers.silence)
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
        ``srun``, which lives as long as the step.
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
    cluster : dask_jobqueue.SLURMCluster
        Without jobs of its own.
    client : distributed.Client
    folder : Path
    count : int
        Steps wanted.
    silence : float
        Seconds without its worker after which a step is ended.
    """

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
            step.process.terminate()
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
        script.write_text(job.job_script())
        one = requested(script.read_text())
        command = ["srun", "--exact", "--nodes=1", "--ntasks=1", f"--cpus-per-task={one.cores}"]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "bash", str(script)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.steps[name] = Step(process, now)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End an srun, and with it its step."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
        return
    process.kill()
    process.wait()
