"""Bytes that were read, and copies that stood in, counted per thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Counter:
    """Bytes read while it was the innermost counter of its thread.

    ``copies`` are the roots of copies that were read in place of what was planned.
    """

    bytes_read: int = 0
    copies: set[str] = field(default_factory=set)


@dataclass
class _Local(threading.local):
    counter: Counter | None = None


_local = _Local()


@contextmanager
def metering() -> Iterator[Counter]:
    """Count the bytes that are read inside the block, in this thread."""
    before, counter = _local.counter, Counter()
    _local.counter = counter
    try:
        yield counter
    finally:
        _local.counter = before
        if before is not None:
            before.bytes_read += counter.bytes_read
            before.copies |= counter.copies


def count(nbytes: int) -> None:
    """Report bytes that were read; for readers that do not read through `storage`."""
    if _local.counter is not None:
        _local.counter.bytes_read += nbytes


def note_copy(root: str) -> None:
    """Report that a copy below this root was read in place of what was planned."""
    if _local.counter is not None:
        _local.counter.copies.add(root)
