"""HTCondor's commands: what is in the queue, and how jobs get there and out of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch.commands import ask
from spectrum_workflows.sites.batch.htcondor.script import VACATE
from spectrum_workflows.sites.batch.queue import QUEUED, QueueEntry
from spectrum_workflows.sites.batch.system import QueuedJob

LIMITS = ("AllowedExecuteDuration", "AllowedJobDuration", "MaxRuntime")
"""Attributes with a job's time limit: HTCondor's own, and that of many centres."""
ATTRIBUTES = (
    *("ClusterId", "ProcId", "JobStatus", "ExitCode", "ServerTime", "JobCurrentStartDate"),
    *("HoldReason", "HoldReasonCode", "LastRejMatchReason", "GlobalJobId"),
    *LIMITS,
)
STATES = {1: "PENDING", 2: "RUNNING", 3: "COMPLETING", 6: "RUNNING", 7: "SUSPENDED"}
"""Values of ``JobStatus``, in SLURM's words; 4 is a job that is over, 5 one that is held."""
HELD = {1: "CANCELLED", 34: "OUT_OF_MEMORY", 46: "TIMEOUT", 47: "TIMEOUT"}
"""Values of ``HoldReasonCode``: a job that is held does nothing any more until somebody acts."""
GRACE = VACATE + 5.0  # seconds after which a job that is told to end has gone


def listed(job_name: str) -> dict[str, QueueEntry]:
    """Ask ``condor_q`` for all jobs of one batch name, also those just over.

    Raises
    ------
    SiteError
        It is not there, does not answer, or prints something else.
    """
    table = _queue(["-constraint", f'JobBatchName == "{job_name}"'])
    return dict(entry(job) for job in table)


def _queue(which: list[str]) -> list[dict[str, Any]]:
    done = ask(["condor_q", *which, "-json", "-attributes", ",".join(ATTRIBUTES)])
    if done.returncode:
        raise SiteError(f"condor_q failed: {' '.join(done.stderr.split())}")
    try:
        table = json.loads(done.stdout or "[]")
    except ValueError:
        raise SiteError("condor_q printed something else than JSON") from None
    return list(table)


def entry(job: Mapping[str, Any]) -> tuple[str, QueueEntry]:
    """A job's number and state, from its attributes.

    Raises
    ------
    SiteError
        One is missing without which it is not known which job it is, or how it fares.
    """
    try:
        number, status = f"{job['ClusterId']}.{job['ProcId']}", int(job["JobStatus"])
    except (KeyError, TypeError, ValueError):
        raise SiteError(f"condor_q printed {job!r} where a job was expected") from None
    given = [float(job[name]) for name in LIMITS if isinstance(job.get(name), int | float)]
    limit = min(given, default=math.inf)
    begun, now = (float(job.get(n, 0)) for n in ("JobCurrentStartDate", "ServerTime"))
    used = max(0.0, now - begun) if status == 2 and begun else 0.0
    return number, QueueEntry(_state(status, job), limit - used, limit, _reason(status, job))


def _state(status: int, job: Mapping[str, Any]) -> str:
    if status == 4:
        return "COMPLETED" if job.get("ExitCode") == 0 else "FAILED"
    if status == 5:
        return HELD.get(int(job.get("HoldReasonCode", 0)), "FAILED")
    return STATES.get(status, "")


def _reason(status: int, job: Mapping[str, Any]) -> str:
    if status == 5:
        return f"held: {job.get('HoldReason', 'no reason given')}"
    return str(job.get("LastRejMatchReason", "")).strip() if status == 1 else ""


def submit(script: str) -> QueuedJob:
    """Hand a submit description to HTCondor, and give its job.

    Its queue is the schedd's name: without it the number means another job elsewhere.  It is
    empty where the schedd, which has the job, does not tell.

    Raises
    ------
    SiteError
        HTCondor is not here, or refuses it.
    """
    done = ask(["condor_submit", "-terse", "-"], given=script)
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise SiteError(f"HTCondor refuses the job: {reason}", remedy="spectrum doctor")
    number = done.stdout.split()[0]
    with suppress(SiteError):
        return QueuedJob(number, schedd(_queue([number])))
    return QueuedJob(number)


def schedd(jobs: Sequence[Mapping[str, Any]]) -> str:
    """The schedd of a job in a queue; empty where that is not told.

    >>> schedd([{"GlobalJobId": "submit1.example.org#7.0#1700000000"}])
    'submit1.example.org'
    """
    return str(jobs[0].get("GlobalJobId", "")).rpartition("#")[0].rpartition("#")[0] if jobs else ""


def is_live(job: QueuedJob) -> bool | None:
    """Whether a job waits or works; ``None`` where its schedd is not known or does not answer."""
    if not job.queue:
        return None
    try:
        states = [entry(one)[1].state for one in _queue(["-name", job.queue, job.number])]
    except SiteError:
        return None
    return any(state in QUEUED for state in states)


def cancel(job: QueuedJob) -> None:
    """Tell a job to end, which HTCondor does in order, and wait for that.

    Raises
    ------
    SiteError
        HTCondor is not here, or does not answer; or it is not known which schedd has the job.
    """
    where = f"job {job.number}"
    if not job.queue:
        remedy = "condor_rm on the machine that it was submitted from"
        raise SiteError("it is not known which schedd has it", where, remedy)
    done = ask(["condor_rm", "-name", job.queue, job.number])
    if done.returncode and "not found" not in done.stderr + done.stdout:
        raise SiteError(f"condor_rm failed: {' '.join(done.stderr.split())}", where)
    end = time.monotonic() + GRACE
    while is_live(job) is not False and time.monotonic() < end:
        time.sleep(0.5)


def consumed(jobs: Sequence[str]) -> dict[str, float]:
    """Nothing: HTCondor counts no energy."""
    del jobs
    return {}
