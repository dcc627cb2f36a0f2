"""The reading of a process that knows its batch job by its environment; it imports little."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from spectrum_workflows.accounting.here import reading_here
from spectrum_workflows.accounting.readings import Reading

JOB = "SLURM_JOB_ID"
JOB_AD = "_CONDOR_JOB_AD"
"""Names the file in which HTCondor describes a job to itself."""


def tell() -> Reading:
    """What this process tells now."""
    return reading_here(job_of(os.environ))


def job_of(environment: Mapping[str, str]) -> str:
    """Number of the batch job with this environment; empty where there is none.

    >>> job_of({"SLURM_JOB_ID": "4711"})
    '4711'
    """
    if JOB in environment or JOB_AD not in environment:
        return environment.get(JOB, "")
    try:
        described = Path(environment[JOB_AD]).read_text(errors="replace")
    except OSError:
        return ""
    pairs = dict(re.findall(r"^(ClusterId|ProcId) = (\d+)$", described, re.MULTILINE))
    return ".".join(pairs[name] for name in ("ClusterId", "ProcId") if name in pairs)
