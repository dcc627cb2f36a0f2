"""SLURM's commands: what is in the queue, and how jobs get there and out of it."""

from __future__ import annotations

import math
import re
import time

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch.commands import ask
from spectrum_workflows.sites.batch.queue import QUEUED, QueueEntry
from spectrum_workflows.sites.batch.system import QueuedJob

FIELDS = "%i|%T|%L|%l|%r"
GRACE = 30.0  # seconds in which a job that is told to end does so


def listed(job_name: str) -> dict[str, QueueEntry]:
    """Ask ``squeue`` for all jobs of ours with one name, also those just over.

    Raises
    ------
    SiteError
        squeue is not there, does not answer, or prints something else.
    """
    done = ask(["squeue", "--noheader", "--states=all", f"--name={job_name}", f"--format={FIELDS}"])
    if done.returncode:
        raise SiteError(f"squeue failed: {done.stderr.strip()}")
    return dict(entry(line) for line in done.stdout.splitlines())


def entry(line: str) -> tuple[str, QueueEntry]:
    """A job's number and state, from a line of ``squeue`` in the form of `FIELDS`.

    Raises
    ------
    SiteError
        It has another form.
    """
    fields = line.split("|", 4)
    if len(fields) < 5:
        raise SiteError(f"squeue printed {line!r} where a job was expected")
    number, state, left, limit, reason = fields
    return number, QueueEntry(
        state, seconds(left), seconds(limit), "" if reason == "None" else reason
    )


def seconds(text: str) -> float:
    """A duration as squeue prints it: ``[days-][hours:]minutes:seconds``, or a word.

    >>> seconds("1-02:00:05")
    93605.0
    >>> seconds("UNLIMITED")
    inf
    """
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if match is None:
        return math.inf
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)


def submit(script: str) -> QueuedJob:
    """Hand a script to SLURM, and give its job.

    Raises
    ------
    SiteError
        SLURM is not here, or refuses it.
    """
    done = ask(["sbatch", "--parsable"], given=script)
    if done.returncode:
        raise SiteError(f"SLURM refuses the job: {done.stderr.strip()}", remedy="spectrum doctor")
    return QueuedJob(done.stdout.strip().split(";")[0])


def is_live(job: QueuedJob) -> bool | None:
    """Whether a job waits or works; ``None`` where SLURM is not here or does not answer."""
    try:
        done = ask(["squeue", "--noheader", "--states=all", f"--jobs={job.number}", "--format=%T"])
    except SiteError:
        return None
    if done.returncode:
        return False if "Invalid job id" in done.stderr else None
    return any(state.strip() in QUEUED for state in done.stdout.splitlines())


def cancel(job: QueuedJob) -> None:
    """Tell a job to end; one that does not within `GRACE` is ended.

    Raises
    ------
    SiteError
        SLURM is not here, or does not answer.
    """
    pending = ask(["squeue", "--noheader", f"--jobs={job.number}", "--format=%T"])
    if pending.stdout.strip() == "RUNNING":
        ask(["scancel", "--batch", "--signal=TERM", job.number])
        end = time.monotonic() + GRACE
        while is_live(job) and time.monotonic() < end:
            time.sleep(0.5)
    done = ask(["scancel", job.number])
    if done.returncode and "Invalid job id" not in done.stderr:
        raise SiteError(f"scancel failed: {done.stderr.strip()}", f"job {job.number}")
