"""The reading of this process: its node, its CPU time, and the node's counters."""

from __future__ import annotations

import os
import time
import uuid
from functools import lru_cache
from pathlib import Path

from spectrum_workflows.accounting.power import Processor
from spectrum_workflows.accounting.processors import PROC, processor_here
from spectrum_workflows.accounting.rapl import POWERCAP, Meter, domains
from spectrum_workflows.accounting.readings import Reading

_process = uuid.uuid4().hex

_IDLE = (3, 4)
"""Places of idle and waiting time in a line of ``/proc/stat``."""


def reading_here(job: str = "", *, proc: Path = PROC, root: Path = POWERCAP) -> Reading:
    """What this process tells now.

    Parameters
    ----------
    job : str
        Number of the batch job that it is in.
    proc, root : Path
        Laid out as ``/proc`` and ``/sys/class/powercap`` are.
    """
    return Reading(
        node=_text(proc / "sys/kernel/random/boot_id") or f"{uuid.getnode():x}",
        process=f"{_process}-{os.getpid()}",
        seconds=time.monotonic(),
        cpu_seconds=time.process_time(),
        node_cpu_seconds=busy_seconds(_text(proc / "stat"), os.sysconf("SC_CLK_TCK")),
        cores=os.cpu_count() or 1,
        joules=_meter(root).look(),
        job=job,
        processor=_processor(proc),
    )


def busy_seconds(stat: str, ticks: int) -> float:
    """CPU seconds of everything on a node since it was booted, from ``/proc/stat``.

    >>> busy_seconds("cpu  100 0 50 900 20 0 0 0 7 0", 100)
    1.5
    """
    fields = stat.partition("\n")[0].split()[1:9]  # guests' time is in that of users already
    return sum(int(f) for n, f in enumerate(fields) if n not in _IDLE) / ticks


@lru_cache(maxsize=4)
def _meter(root: Path) -> Meter:
    meter = Meter(domains(root))
    meter.start()
    return meter


@lru_cache(maxsize=4)
def _processor(proc: Path) -> Processor:
    return processor_here(proc)


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
