"""Runs without anybody: submitted, asked about from any later shell, finished by themselves."""

from spectrum_workflows.unattended.queries import cancel, find, log, statuses
from spectrum_workflows.unattended.states import End, JobHandle, Progress, Status, Submitted
from spectrum_workflows.unattended.submitting import Submission, submit

__all__ = [
    "End",
    "JobHandle",
    "Progress",
    "Status",
    "Submission",
    "Submitted",
    "cancel",
    "find",
    "log",
    "statuses",
    "submit",
]
