"""What has to be known of a batch system."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectrum_workflows.findings import Finding
from spectrum_workflows.sites.batch.queue import QueueEntry


@dataclass(frozen=True)
class Request:
    """What a job's script asks for; empty or 0 where it asks for nothing.

    Attributes
    ----------
    partition, account : str
    seconds : float
        Time limit.
    memory : int
        Bytes per node.
    cores : int
    """

    partition: str = ""
    account: str = ""
    seconds: float = 0.0
    memory: int = 0
    cores: int = 1


@dataclass(frozen=True)
class QueuedJob:
    """A job that was taken.

    Attributes
    ----------
    number : str
        As the batch system counts its jobs.
    queue : str
        Which of several queues counts so, such as a schedd of HTCondor; empty where there is one.
    """

    number: str
    queue: str = ""


@dataclass(frozen=True)
class WholeRun:
    """A whole run that is to become one job: scheduler and session, and workers beside them.

    Attributes
    ----------
    name : str
        Of the job.
    workers : int
    log : Path
        File to which its output is appended.
    prologue : tuple of str
        Shell lines before its command.
    python : str
        The interpreter, as text for a shell, which may expand it.
    command : tuple of str
        Its arguments: scheduler and session; the job's number is appended to them.
    """

    name: str
    workers: int
    log: Path
    prologue: tuple[str, ...]
    python: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class BatchSystem:
    """Everything that differs from one batch system to the next.

    Attributes
    ----------
    name : str
        What it is called in messages.
    section : str
        Module of dask_jobqueue, section of Dask's configuration, and extra of this package.
    cluster, job : str
        Classes of that module.
    commands : tuple of str
        Programs without which nothing can be submitted.
    cancel_all, remaining : str
        Shell commands with the user's number as ``$1`` and a job's name as ``$2``: end all of
        that name, with success where there is none; print what is left of them, or nothing.
    adapted : callable
        ``adapted(options, job_name)``: the options of ``cluster``, completed by what the other
        functions here rely on.
    shortened : callable
        ``shortened(options, seconds)``: options of a job that ends after so long.
    requested : callable
        ``requested(script)``: what a worker's job asks for.
    worker_shell : callable
        ``worker_shell(job)``: shell lines that start the worker of a job of dask-jobqueue.
    errors : callable
        ``errors(job_name)``: glob pattern of the files with what a worker's job said last.
    listed : callable
        ``listed(job_name)``: number to `QueueEntry` of all jobs of that name, for a while also
        those just over.  Raises `SiteError` where it cannot be asked.
    submit, is_live, cancel : callable
        ``submit(script)`` gives a `QueuedJob`; ``is_live(job)`` is ``None`` where that cannot
        be asked; ``cancel(job)`` tells a job to end in order, and ends it.  The first and the
        last raise `SiteError`.
    whole : callable
        ``whole(script, run)``: the job of a `WholeRun`, from that of one worker.
    step : callable
        ``step(cores)``: words before the command of a worker that is started inside such a job;
        none where it is a plain process beside the session.
    examine : callable
        ``examine(script)``: everything that the batch system tells before a job is submitted.
    consumed : callable
        ``consumed(jobs)``: joules of the nodes of running jobs, by job, since each began; nothing
        where the batch system counts none.
    """

    name: str
    section: str
    cluster: str
    job: str
    commands: tuple[str, ...]
    cancel_all: str
    remaining: str
    adapted: Callable[[dict[str, Any], str], dict[str, Any]]
    shortened: Callable[[Mapping[str, Any], float], dict[str, Any]]
    requested: Callable[[str], Request]
    worker_shell: Callable[[Any], str]
    errors: Callable[[str], str]
    listed: Callable[[str], dict[str, QueueEntry]]
    submit: Callable[[str], QueuedJob]
    is_live: Callable[[QueuedJob], bool | None]
    cancel: Callable[[QueuedJob], None]
    whole: Callable[[str, WholeRun], str]
    step: Callable[[int], tuple[str, ...]]
    examine: Callable[[str], list[Finding]]
    consumed: Callable[[Sequence[str]], dict[str, float]]
