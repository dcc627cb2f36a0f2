"""Memory that is used again: what the system gives anew, it must fill with zeros first.

A worker that hands memory back after every partition, as Dask's do, would
spend a third of its time on getting it again.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

KEPT = 128 * 1024**2
"""Bytes that wait for their next use, per thread."""

SPARE = 1.25
"""Room in a new buffer, because no two partitions are the same size."""


@dataclass
class _Buffers(threading.local):
    scratch: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    free: list[mmap] = field(default_factory=list)


_buffers = _Buffers()


def scratch(nbytes: int) -> NDArray[np.uint8]:
    """Return the one buffer of this thread; what was in it is lost."""
    if len(_buffers.scratch) < nbytes:
        _buffers.scratch = np.empty(nbytes, np.uint8)
    return _buffers.scratch[:nbytes]


def lent(nbytes: int) -> NDArray[np.uint8]:
    """Return a buffer that nobody else gets as long as any array looks into it.

    numpy keeps this array alive for all that are made from it without a copy;
    an ``ndarray`` below it would be kept in its place, so there is an ``mmap``.
    """
    free = _buffers.free
    fitting = [buffer for buffer in free if len(buffer) >= nbytes]
    if fitting:
        buffer = min(fitting, key=len)
        free.remove(buffer)
    else:
        buffer = mmap(-1, max(int(SPARE * nbytes), 1))
    array = np.frombuffer(buffer, np.uint8, nbytes)
    weakref.finalize(array, _given_back, free, buffer).atexit = False
    return array


def _given_back(free: list[mmap], buffer: mmap) -> None:
    """Keep a buffer for its next use, unless enough of them wait; the longest waits go first."""
    free.append(buffer)
    while sum(map(len, free)) > KEPT:
        free.pop(0)
