"""Memory of a worker against the largest task of a run."""

from __future__ import annotations

from spectrum_workflows import display
from spectrum_workflows.findings import Finding, doubt, fault, fine

BASE = 300_000_000
"""Bytes of a worker that has read nothing yet."""
SPILLS, ENDS = 0.7, 0.95
"""Shares of its limit at which a Dask worker spills, and is ended."""


def enough(limit: int, largest: int, threads: int) -> Finding:
    """Compare a worker's memory with what its tasks need.

    Parameters
    ----------
    limit : int
        Bytes of the worker; 0 where it has no limit, or none that is known.
    largest : int
        Bytes of the largest task.
    threads : int
        Tasks that the worker computes at a time.
    """
    need = BASE + threads * largest
    tasks = f"{threads} tasks" if threads > 1 else "the largest task"
    needed = f"{display.megabytes(need / SPILLS)} for a worker and {tasks}"
    remedy = (
        "more memory below [cluster], fewer threads, or smaller partitions in the spec"
        " (spectrum check says how large they are)"
    )
    if not limit:
        return fine("memory", "no limit is known", needed)
    line = f"{display.megabytes(limit)} for a worker; {tasks} and Python: {display.megabytes(need)}"
    if need > ENDS * limit:
        return fault("memory", line, needed, remedy)
    if need > SPILLS * limit:
        return doubt("memory", line, needed, f"it would spill to disk: {remedy}")
    return fine("memory", line, needed)
