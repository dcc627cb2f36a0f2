"""Reuse of the memory of freed arrays in worker processes."""

from __future__ import annotations

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""From glibc's malloc.h."""

LARGEST = 32 << 20
"""Bytes of the largest array whose memory is used again; glibc allows no more on 64 bits."""

SPARE = 128 << 20
"""Free bytes at the end of the heap that are kept."""


@cache
def keep_freed_memory() -> bool:
    """Keep some of it for the next arrays, in this process; whether that was possible.

    Dask has its workers give all of it back to the system at once
    (``MALLOC_TRIM_THRESHOLD_`` in ``distributed.nanny.pre-spawn-environ``), and
    the system fills with zeros what it gives anew: a seventh of the time
    of a worker that images.  Elsewhere than with glibc nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows
        return False
    return all([mallopt(M_MMAP_THRESHOLD, LARGEST), mallopt(M_TRIM_THRESHOLD, SPARE)])
