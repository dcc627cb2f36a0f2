"""Job scripts of SLURM: what they ask for, and those of whole runs."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spectrum_workflows.sites.batch.system import Request, WholeRun

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


REPLACED = re.compile(r"-J|-n|-N|-e|-o|--(cpus-per-task|ntasks|mem|nodes|job-name|output|error)\b")
"""Directives of a worker's job that the whole run has others for."""
WARNING = 60.0
"""Seconds before its time limit at which a job is told to end by itself."""


def adapted(options: dict[str, Any], job_name: str) -> dict[str, Any]:
    """Options of `dask_jobqueue.SLURMCluster`: nothing is to be added."""
    del job_name
    return options


def shortened(options: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Options of a job that ends after so many seconds."""
    return {**options, "walltime": clock(seconds)}


def worker_shell(job: Any) -> str:
    """The script of a job of dask-jobqueue, which a shell can run as it is."""
    return str(job.job_script())


def errors(job_name: str) -> str:
    """Pattern of the files with the error output of workers' jobs."""
    return f"{job_name}-*.err"


def step(cores: int) -> tuple[str, ...]:
    """The command that starts a worker as a step of the job it stands in."""
    return ("srun", "--exact", "--nodes=1", "--ntasks=1", f"--cpus-per-task={cores}")


def whole(script: str, run: WholeRun) -> str:
    """The batch job of a whole run.

    It asks for one task per worker and one for scheduler and session, each with what the
    job of one worker asks for.
    """
    lines = re.findall(r"^#SBATCH (.*)$", script, flags=re.MULTILINE)
    kept = [line for line in lines if not REPLACED.match(line)]
    one = requested(script)
    warning = int(min(WARNING, one.seconds / 4)) if one.seconds else int(WARNING)
    ours = [
        f"-J {run.name}",
        f"--ntasks={run.workers + 1}",
        f"--cpus-per-task={one.cores}",
        *([f"--mem-per-cpu={_megabytes_per_core(one.memory, one.cores)}M"] if one.memory else ()),
        f"-o {shlex.quote(str(run.log))}",
        "--open-mode=append",
        f"--signal=B:TERM@{warning}",
    ]
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            *(f"#SBATCH {line}" for line in (*ours, *kept)),
            *run.prologue,
            f"exec {run.python} {shlex.join(run.command)} $SLURM_JOB_ID",
            "",
        ]
    )


def _megabytes_per_core(memory: int, cores: int) -> int:
    return -(-memory // cores // (1 << 20))


def requested(script: str) -> Request:
    """What the directives of a job script ask for; of several the last holds."""
    request = Request()
    for line in re.findall(r"^#SBATCH\s+(.*)$", script, flags=re.MULTILINE):
        name, _, value = line.strip().replace("=", " ", 1).partition(" ")
        value = value.strip().strip("\"'")
        match name:
            case "-p" | "--partition":
                request = replace(request, partition=value)
            case "-A" | "--account":
                request = replace(request, account=value)
            case "-t" | "--time":
                request = replace(request, seconds=duration(value))
            case "--mem":
                request = replace(request, memory=size(value))
            case "-c" | "--cpus-per-task":
                request = replace(request, cores=int(value))
    return request


def duration(text: str) -> float:
    """Seconds of a time limit as SLURM writes it; infinite where there is none.

    >>> duration("04:00:00"), duration("90"), duration("2-12"), duration("UNLIMITED")
    (14400.0, 5400.0, 216000.0, inf)
    """
    days, dash, rest = text.rpartition("-")
    parts = rest.split(":")
    if not all(part.isdigit() for part in (*parts, days or "0")):
        return math.inf
    numbers = [int(part) for part in parts]
    if dash:
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:
        hours, (minutes, seconds) = 0, (*numbers, 0)[:2]
    return float(((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds)


def size(text: str) -> int:
    """Bytes of a memory size as SLURM writes it: MB unless it says else.

    >>> size("2G"), size("512")
    (2147483648, 536870912)
    """
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", text.strip().upper())
    return int(match[1]) * UNITS[match[2] or "M"] if match else 0


def clock(seconds: float) -> str:
    """A time limit as SLURM writes it.

    >>> clock(93600.0)
    '1-02:00:00'
    """
    if math.isinf(seconds):
        return "unlimited"
    days, rest = divmod(int(seconds), 86400)
    text = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}-{text}" if days else text
