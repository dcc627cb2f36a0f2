"""Energy that SLURM's plug-in (``AcctGatherEnergyType``) counts for running jobs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch.commands import ask

MOST = 1e15
"""Joules; SLURM writes 2^64 - 2 where it has no number."""


def consumed(jobs: Sequence[str]) -> dict[str, float]:
    """Joules by job since it began; nothing where no plug-in counts, or SLURM does not answer."""
    if not jobs:
        return {}
    command = [
        "sstat",
        "--allsteps",
        "--noheader",
        "--parsable2",
        "--format=JobID,ConsumedEnergyRaw",
    ]
    try:
        done = ask([*command, f"--jobs={','.join(jobs)}"])
    except SiteError:
        return {}
    return joules_by_job(done.stdout) if done.returncode == 0 else {}


def joules_by_job(text: str) -> dict[str, float]:
    r"""Joules by job, from ``sstat`` with a step and its energy on each line.

    Each step is told what its whole node took while it ran, so the largest stands for the job.

    >>> joules_by_job("12.extern|900\n12.batch|870\n13.batch|\n14.batch|0\n")
    {'12': 900.0}
    """
    largest: dict[str, float] = {}
    for line in text.splitlines():
        step, _, energy = line.partition("|")
        with suppress(ValueError):
            joules = float(energy)
            if 0 < joules < MOST:
                job = step.partition(".")[0]
                largest[job] = max(largest.get(job, 0.0), joules)
    return largest
