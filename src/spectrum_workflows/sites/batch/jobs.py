"""Workers in batch jobs, through dask-jobqueue."""

from __future__ import annotations

import importlib
import secrets
import shlex
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from spectrum_workflows import arithmetic
from spectrum_workflows.errors import MissingExtraError, SiteError
from spectrum_workflows.interrupts import without_interrupts
from spectrum_workflows.sites import private
from spectrum_workflows.sites.batch.caretaker import Caretaker
from spectrum_workflows.sites.batch.pool import Pool
from spectrum_workflows.sites.batch.system import BatchSystem
from spectrum_workflows.sites.closed import (
    check_dashboard,
    closed,
    secret_path,
    worker,
)
from spectrum_workflows.sites.deployment import LOOPBACK, Deployment, check_options, missing
from spectrum_workflows.sites.profile import Batch, Site, Software
from spectrum_workflows.sites.security import certificate_files, warn_insecure

OURS = {
    "security": "certificates are made for every run",
    "protocol": "it is TLS, or plain TCP with insecure = true",
    "n_workers": "write count below [workers]",
    "loop": "leave it out",
    "asynchronous": "leave it out",
    "python": "write python below [software]",
    "job_script_prologue": "write prologue below [software]",
    "scheduler_cls": "leave it out",
    "worker_command": "leave it out",
}
SCRATCH = "SPECTRUM_SCRATCH"
"""Variable of a job's shell: the private folder in which its worker spills."""
WORKER = f"{worker.__module__}.{worker.__name__}"
DEATHS = 5  # workers a task may lose: jobs may be cancelled together, one inherits from the other
DEATH_TIMEOUT = 30  # seconds after which a worker that finds no scheduler ends its job


def start_batch(site: Site, cluster: Batch) -> Deployment:
    """Start a scheduler here and ask the batch system for worker jobs.

    Certificates and job logs go into a folder of the run below the user's
    cache folder, or below ``shared_temp_directory``, which the nodes must
    see.  A caretaker process empties the queue if this one is killed.

    Raises
    ------
    SiteError
        The batch system is not here, or refuses the job.
    """
    from distributed import Client

    system, options = cluster.system, job_options(site, cluster)
    name = f"{options.pop('job_name')}-{secrets.token_hex(3)}"
    with ExitStack() as stack:  # what has been begun when something fails, or at Ctrl-C
        folder = run_folder(options, name)
        caretaker = Caretaker.start(system, name, folder)
        stack.callback(caretaker.leave)
        options.setdefault("log_directory", str(folder))
        scheduler, prefix = options["scheduler_options"], secret_path()
        scheduler |= {"http_prefix": prefix, "local_directory": str(folder)}
        if cluster.insecure:
            warn_insecure("the scheduler")
        else:
            options["security"] = certificate_files(folder)
        started = scheduler_of_jobs(system, name, options, prefix)
        pool = Pool(system, started, name, site.workers, Path(options["log_directory"]))
        stack.callback(pool.close)
        pool.reconcile()
        client = Client(started, direct_to_workers=True)  # results in one step, not two
        stack.pop_all()

    def close() -> None:
        with ExitStack() as rest:
            rest.callback(caretaker.finish, keep=pool.failed_starts > 0)
            rest.callback(pool.close)
            rest.callback(client.close)

    return Deployment(client, close, pool.reconcile, pool.diagnose)


def _jobqueue(system: BatchSystem) -> Any:
    """A module of dask_jobqueue; its import makes Ctrl-C end Python, which is put right again.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        module = importlib.import_module(f"dask_jobqueue.{system.section}")
    except ImportError:
        raise missing("dask-jobqueue", system.section) from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)
    return module


def scheduler_of_jobs(system: BatchSystem, name: str, options: dict[str, Any], prefix: str) -> Any:
    """A cluster object, which is a scheduler in this process, without jobs yet."""
    try:
        with without_interrupts():
            kind = getattr(_jobqueue(system), system.cluster)
            options = system.adapted(options, name)
            return closed(kind, prefix)(job_name=name, **options)
    except (MissingExtraError, SiteError):
        raise
    except Exception as error:
        raise SiteError(f"no scheduler for {system.name} jobs could be started: {error}") from error


def job_options(site: Site, cluster: Batch) -> dict[str, Any]:
    """Options of the batch system's class in dask_jobqueue, certificates and folders apart.

    Raises
    ------
    SiteError
        A key that it does not have, or that cannot be set.
    """
    system = cluster.system
    kinds = (getattr(_jobqueue(system), name) for name in (system.job, system.cluster))
    makers = tuple(one.__init__ for kind in kinds for one in _ancestors(kind))
    check_options(cluster.options, makers, ours=OURS, library=system.cluster)
    options: dict[str, Any] = {"job_name": "spectrum", "death_timeout": DEATH_TIMEOUT}
    options |= {"processes": 1} | cluster.options
    options |= _software(
        system, site.software, options.get("local_directory") or usual(system, "local-directory")
    )
    if options["processes"] != 1:
        raise SiteError(
            "processes must be 1: a job with several workers is not replaced when one dies",
            "[cluster]",
            "ask for more, smaller jobs",
        )
    scheduler = {"dashboard_address": LOOPBACK, "allowed_failures": DEATHS}
    scheduler |= {"worker_ttl": site.workers.silence} | dict(options.get("scheduler_options", {}))
    check_dashboard(scheduler["dashboard_address"], insecure=cluster.insecure)
    extra = [*options.get("worker_extra_args", ()), "--worker-class", WORKER]
    if "log_directory" in options:
        options["log_directory"] = str(Path(options["log_directory"]).expanduser())
    options |= {"local_directory": f'"${SCRATCH}"'}
    return options | {"scheduler_options": scheduler, "worker_extra_args": extra}


def _software(system: BatchSystem, software: Software, scratch: str | None) -> dict[str, Any]:
    """The part of the job script before the worker, and the worker's interpreter."""
    python = interpreter(system, software)
    if software.image is not None:
        image = str(Path(software.image).expanduser())
        inside = [*software.image_options, image, software.python or "python"]
        python = shlex.join(["apptainer", "exec", *inside])
    parent = f' "{scratch}"' if scratch else ""  # the job's own shell expands it
    lines = [
        *prologue(system, software),
        *arithmetic.shell(),
        f"{SCRATCH}=$({python} -m {private.__name__}{parent}) || exit 1",
        f"trap 'rm -rf -- \"${SCRATCH}\"' EXIT",
        f'export TMPDIR="${SCRATCH}"',  # with all that the worker and its libraries leave there
    ]
    return {"job_script_prologue": lines, "python": python}


def interpreter(system: BatchSystem, software: Software) -> str:
    """The Python of jobs outside images, as text for their shell, which may expand it."""
    return str(software.python or usual(system, "python") or shlex.quote(sys.executable))


def prologue(system: BatchSystem, software: Software) -> tuple[str, ...]:
    """Shell lines of a job before everything else."""
    ours = (*(f"module load {shlex.quote(m)}" for m in software.modules), *software.prologue)
    return tuple(ours or usual(system, "job-script-prologue") or ())


def usual(system: BatchSystem, name: str) -> Any:
    """What Dask's own configuration says of a batch system's jobs."""
    import dask

    return dask.config.get(f"jobqueue.{system.section}.{name}", None)


def _ancestors(kind: type[Any]) -> list[type[Any]]:
    """A class of dask_jobqueue, and those of it that take its options."""
    return [one for one in kind.__mro__ if one.__module__.startswith("dask_jobqueue")]


def run_folder(options: dict[str, Any], name: str) -> Path:
    """A new folder that only the user can read, on a file system the nodes share.

    Raises
    ------
    SiteError
        It cannot be made.
    """
    parent = shared_folder(options)
    options.pop("shared_temp_directory", None)
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private.check_owned(parent.resolve(strict=True))
        folder = parent / name
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise SiteError(
            f"cannot make a folder for certificates and job logs ({error.strerror})",
            str(parent),
            "set shared_temp_directory below [cluster]",
        ) from error
    return folder


def shared_folder(options: Mapping[str, Any]) -> Path:
    """The folder below which runs have theirs, on a file system that the nodes share."""
    shared = options.get("shared_temp_directory")
    return Path(shared).expanduser() if shared else user_cache_path("spectrum-workflows")


def job_script(site: Site, cluster: Batch) -> str:
    """The job that would be submitted, with stand-ins for what each run makes anew.

    Raises
    ------
    SiteError
        dask-jobqueue is not installed, or does not take the profile.
    """
    system, options = cluster.system, job_options(site, cluster)
    from distributed import Security

    for name in ("scheduler_options", "shared_temp_directory"):
        options.pop(name, None)
    options["log_directory"] = None
    if not cluster.insecure:
        files = {"tls_worker_cert": "RUN/cert.pem", "tls_worker_key": "RUN/key.pem"}
        security = Security(tls_ca_file="RUN/ca_file.pem", **files)
        options |= {"protocol": "tls://", "security": security}
    try:
        kind = getattr(_jobqueue(system), system.job)
        options = system.adapted(options, options["job_name"])
        return str(kind("SCHEDULER", name="WORKER", **options).job_script())
    except SiteError:
        raise
    except Exception as error:  # the profile's options are the library's own
        raise SiteError(f"dask-jobqueue does not take this profile: {error}") from error
