"""The memory of the process that computes."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes; 0 where it is not known.

    Linux' ``ru_maxrss`` begins with the size of the process that started this one, so a
    worker would have its session's; the process's own file does not.
    """
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
