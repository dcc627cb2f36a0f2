"""Memory that is used again: what the system gives anew, it must fill with zeros first.

A worker that hands memory back after every partition, as Dask's do, would
spend a fifth of its time on getting it again.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from mmap import ACCESS_COPY, mmap

import numpy as np
from numpy.typing import NDArray

SMALL = 64 * 1024
"""Bytes for which the system's own way is good enough."""

WAITING = 128 * 1024**2
"""Bytes that wait for their next use, per thread."""

SPARE, LOOSE = 1.25, 4
"""Room in a new buffer, because no two partitions are the same size, and how much larger
than what is asked for a used one may be."""


@dataclass
class _Buffers(threading.local):
    scratch: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    free: list[mmap] = field(default_factory=list)


_buffers = _Buffers()


def scratch(nbytes: int) -> NDArray[np.uint8]:
    """Return the one buffer of this thread, shape (nbytes,); what was in it is lost."""
    if len(_buffers.scratch) < nbytes:
        _buffers.scratch = np.empty(nbytes, np.uint8)
    return _buffers.scratch[:nbytes]


def borrow(nbytes: int) -> NDArray[np.uint8]:
    """Return a buffer, shape (nbytes,), that nobody else gets as long as any array looks into it.

    numpy keeps this array alive for all that are made from it without a copy; an
    ``ndarray`` below it would be kept in its place, so there is an ``mmap``: a
    private one, of which a forked process has its own copy.
    """
    if nbytes < SMALL:
        return np.empty(nbytes, np.uint8)
    free = _buffers.free
    fitting = (b for b in tuple(free) if nbytes <= len(b) <= LOOSE * nbytes)
    buffer = min(fitting, key=len, default=None)
    if buffer is None:
        buffer = mmap(-1, int(SPARE * nbytes), access=ACCESS_COPY)
    with suppress(ValueError):  # new, or let go by `_given_back` in this very moment
        free.remove(buffer)
    array = np.frombuffer(buffer, np.uint8, nbytes)
    weakref.finalize(array, _given_back, free, buffer).atexit = False
    return array


def _given_back(free: list[mmap], buffer: mmap) -> None:
    """Keep a buffer for its next use, unless enough of them wait; the longest waits go first.

    It is called wherever the last array goes, in another thread perhaps.
    """
    if len(buffer) > WAITING:
        return
    free.append(buffer)
    with suppress(IndexError):
        while sum(map(len, tuple(free))) > WAITING:
            free.pop(0)
