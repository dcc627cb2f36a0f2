"""The state of an unattended run: what is kept of it, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["queued", "running", "finished", "failed", "cancelled", "lost"]

OVER: tuple[State, ...] = ("finished", "failed", "cancelled", "lost")
SILENT = 300.0
"""Seconds without a sign of life after which a run is lost, where its job cannot be asked about."""


@dataclass(frozen=True)
class JobHandle:
    """What computes a run: a batch job, or a process of one machine.

    Attributes
    ----------
    kind : str
        Of the batch system, such as ``slurm``; or ``process``.
    number : str
        Of the batch job, or of the process.
    host : str
        The machine that it was submitted from.
    folder : str
        Of that machine (and the nodes): certificates and log, until the run is over.
    queue : str
        Of several of a batch system the one that took it, such as a schedd of HTCondor.
    """

    kind: str
    number: str
    host: str
    folder: str
    queue: str = ""


@dataclass(frozen=True)
class Submitted:
    """What was asked, by `submit`.

    Attributes
    ----------
    run, name, workflow, site : str
    at : float
        Seconds since 1970.
    attempt : int
        From 1 on: how often it was submitted.
    job : JobHandle
    """

    run: str
    name: str
    workflow: str
    site: str
    at: float
    attempt: int
    job: JobHandle


@dataclass(frozen=True)
class Progress:
    """What a job says now and then.

    Attributes
    ----------
    job : str
        Its number: of an earlier attempt it means nothing.
    at : float
        Seconds since 1970.
    stage : str
        Empty before the first.
    done, total : int
        Partitions, or the like, of the stage.
    """

    job: str
    at: float
    stage: str = ""
    done: int = 0
    total: int = 0

    @property
    def fraction(self) -> float:
        """Of the stage."""
        return self.done / self.total if self.total else 0.0


@dataclass(frozen=True)
class End:
    """How a job ended, in its own words.

    Attributes
    ----------
    job : str
        Its number.
    at : float
        Seconds since 1970.
    state : {"finished", "failed", "cancelled"}
    folder : str
        URL of the saved result; empty where there is none.
    digest : str
        Of the result.
    error : str
        Why there is no result, or what it lacks.
    question : str
        Hash of all that decides the result, the versions of its input files included.
    """

    job: str
    at: float
    state: State
    folder: str = ""
    digest: str = ""
    error: str = ""
    question: str = ""


@dataclass(frozen=True)
class Status:
    """The state of a run.

    Attributes
    ----------
    submitted : Submitted
    state : {"queued", "running", "finished", "failed", "cancelled", "lost"}
    progress : Progress or None
    end : End or None
    """

    submitted: Submitted
    state: State
    progress: Progress | None = None
    end: End | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing computes it any more."""
        return self.state in OVER

    def __str__(self) -> str:
        job, words = self.submitted.job, ""
        if self.state == "running" and self.progress and self.progress.stage:
            now = self.progress
            words = f": {now.stage}, {now.done:,} of {now.total:,} ({now.fraction:.0%})"
        elif self.state in ("queued", "running"):
            words = f": {job.kind} {job.number}"
        elif self.state == "lost":
            words = f": {job.kind} {job.number} ended without a word; submit it again to go on"
        elif self.end:
            words = f": {self.end.error or self.end.folder}"
        return f"{self.submitted.run}  {self.state}{words}"


def status_of(
    submitted: Submitted,
    progress: Progress | None,
    end: End | None,
    *,
    alive: bool | None,
    now: float,
) -> Status:
    """Say in which state a run is.

    Parameters
    ----------
    submitted : Submitted
    progress, end : Progress, End or None
        The last of each; those of an earlier job are left aside.
    alive : bool or None
        Whether its job waits or works; ``None`` where that cannot be asked.
    now : float
        Seconds since 1970.
    """
    number = submitted.job.number
    current = progress if progress and progress.job == number else None
    if end and end.job == number:
        return Status(submitted, end.state, current, end)
    if alive is None:
        alive = current is None or now - current.at < SILENT
    if not alive:
        return Status(submitted, "lost", current)
    return Status(submitted, "running" if current else "queued", current)
