"""A window of partitions under way, so that neither scheduler nor client holds them all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

OUTSTANDING = 256
"""Partitions that may always be under way: a queue, not data."""

PER_THREAD = 4
"""Partitions under way for every thread of the workers: none of them waits for the client."""

LOOK_EVERY = 2.0
"""Seconds between two looks at how many workers there are."""


@dataclass
class Window:
    """Partitions that may be under way with the workers that there are now."""

    client: Client
    _size: int = 0
    _checked: float = float("-inf")

    def room(self, under_way: int) -> int:
        """Number of partitions to submit now: many at once, or none."""
        if time.monotonic() - self._checked > LOOK_EVERY:
            threads: int = sum(self.client.nthreads().values())
            self._size = max(OUTSTANDING, PER_THREAD * threads)
            self._checked = time.monotonic()
        room = self._size - under_way
        return room if room > self._size // 2 else 0
