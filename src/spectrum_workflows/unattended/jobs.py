"""Jobs of unattended runs: batch jobs where the site has them, else processes of this machine."""

from __future__ import annotations

import shutil
import socket
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites import Site, private
from spectrum_workflows.sites.batch.allocation import run_script
from spectrum_workflows.sites.batch.jobs import shared_folder
from spectrum_workflows.sites.batch.system import BatchSystem, QueuedJob
from spectrum_workflows.sites.batch.systems import SYSTEMS
from spectrum_workflows.sites.detached import end_detached, is_running, start_detached
from spectrum_workflows.sites.profile import Batch
from spectrum_workflows.unattended.states import JobHandle

WORKING = "spectrum_workflows.unattended.working"
LOG = "log.txt"


def new_folder(site: Site) -> Path:
    """A private folder for one job, which the nodes see where there are any.

    Raises
    ------
    SiteError
        It cannot be made.
    """
    if isinstance(site.cluster, Batch):
        parent = shared_folder(site.cluster.options)
    else:
        parent = user_cache_path("spectrum-workflows")
    return private.new_folder(parent / "unattended", prefix="run-")


def submit_job(site: Site, name: str, folder: Path) -> JobHandle:
    """Hand the request in a folder to a job.

    Raises
    ------
    SiteError
        It is not taken.
    """
    here = socket.gethostname()
    if isinstance(site.cluster, Batch):
        script = run_script(site, site.cluster, module=WORKING, name=name, folder=folder)
        taken = site.cluster.system.submit(script)
        return JobHandle(site.cluster.kind, taken.number, here, str(folder), taken.queue)
    return JobHandle("process", start_detached(WORKING, folder, folder / LOG), here, str(folder))


def is_alive(job: JobHandle) -> bool | None:
    """Whether a job waits or works; ``None`` where that cannot be asked from here."""
    if system := _system(job):
        return system.is_live(QueuedJob(job.number, job.queue))
    return is_running(Path(job.folder)) if job.host == socket.gethostname() else None


def end_job(job: JobHandle) -> None:
    """End a job, and remove what it would have removed itself.

    Raises
    ------
    SiteError
        It cannot be reached from here.
    """
    if system := _system(job):
        system.cancel(QueuedJob(job.number, job.queue))
    elif job.host == socket.gethostname():
        end_detached(job.number, Path(job.folder))
    else:
        remedy = "cancel it there"
        raise SiteError(f"it is a process of {job.host}", f"process {job.number}", remedy)
    clear(job)


def _system(job: JobHandle) -> BatchSystem | None:
    """The batch system of a job; ``None`` where it is a process."""
    return next((system for kind, system in SYSTEMS.items() if kind == job.kind), None)


def clear(job: JobHandle) -> None:
    """Remove the certificates and scripts of a job that is over, as far as they are here."""
    shutil.rmtree(job.folder, ignore_errors=True)


def log_here(job: JobHandle) -> bytes:
    """The log of a job as it is now; empty where it is not on this file system."""
    with suppress(OSError):
        return (Path(job.folder) / LOG).read_bytes()
    return b""
