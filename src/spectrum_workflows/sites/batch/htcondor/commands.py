"""HTCondor's commands: what is in the queue, and how jobs get there and out of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from typing import Any

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch.commands import ask
from spectrum_workflows.sites.batch.queue import QUEUED, QueueEntry

LIMITS = ("AllowedExecuteDuration", "AllowedJobDuration", "MaxRuntime")
"""Attributes with a job's time limit: HTCondor's own, and that of many centres."""
ATTRIBUTES = (
    *("ClusterId", "ProcId", "JobStatus", "ExitCode", "ServerTime", "JobCurrentStartDate"),
    *("HoldReason", "HoldReasonCode", "LastRejMatchReason"),
    *LIMITS,
)
STATES = {1: "PENDING", 2: "RUNNING", 3: "COMPLETING", 6: "RUNNING", 7: "SUSPENDED"}
"""Values of ``JobStatus``, in SLURM's words; 4 is a job that is over, 5 one that is held."""
HELD = {1: "CANCELLED", 34: "OUT_OF_MEMORY", 46: "TIMEOUT", 47: "TIMEOUT"}
"""Values of ``HoldReasonCode``: a job that is held does nothing any more until somebody acts."""
GRACE = 30.0  # seconds in which a job that is told to end does so


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


def submit(script: str) -> str:
    """Hand a submit description to HTCondor, and give the number of its job.

    Raises
    ------
    SiteError
        HTCondor is not here, or refuses it.
    """
    done = ask(["condor_submit", "-terse", "-"], given=script)
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise SiteError(f"HTCondor refuses the job: {reason}", remedy="spectrum doctor")
    return done.stdout.split()[0]


def is_live(number: str) -> bool | None:
    """Whether a job waits or works; ``None`` where HTCondor is not here or does not answer."""
    try:
        states = [entry(job)[1].state for job in _queue([number])]
    except SiteError:
        return None
    return any(state in QUEUED for state in states)


def cancel(number: str) -> None:
    """Tell a job to end, which HTCondor does in order, and wait for that.

    Raises
    ------
    SiteError
        HTCondor is not here, or does not answer.
    """
    done = ask(["condor_rm", number])
    if done.returncode and "not found" not in done.stderr + done.stdout:
        raise SiteError(f"condor_rm failed: {' '.join(done.stderr.split())}", f"job {number}")
    end = time.monotonic() + GRACE
    while is_live(number) and time.monotonic() < end:
        time.sleep(0.5)
