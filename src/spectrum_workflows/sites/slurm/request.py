"""What a job script asks SLURM for."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Request:
    """What a job script asks SLURM for; empty or 0 where it asks for nothing.

    Attributes
    ----------
    partition, account : str
    seconds : float
        Time limit.
    memory : int
        Bytes per node.
    cores : int
    """

    partition: str = ""
    account: str = ""
    seconds: float = 0.0
    memory: int = 0
    cores: int = 1


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
