"""The reading of a process that knows its batch job by its environment; it imports little."""

from __future__ import annotations

import os

from spectrum_workflows.accounting.here import reading_here
from spectrum_workflows.accounting.readings import Reading

JOB = "SLURM_JOB_ID"


def tell() -> Reading:
    """What this process tells now."""
    return reading_here(os.environ.get(JOB, ""))
