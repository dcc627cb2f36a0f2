"""The cuts of a file into partitions: a pure rule over entry numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def cuts(boundaries: Sequence[int], max_events: int) -> list[tuple[int, int]]:
    """Entry ranges of at most ``max_events``, cut at cluster boundaries if possible.

    Neighbouring clusters share a range as long as they fit.  A cluster that
    alone exceeds ``max_events`` is cut inside, into ranges of equal size.

    Parameters
    ----------
    boundaries : sequence of int
        Rising entry numbers from 0 to the number of entries, both included.
    max_events : int
        At least 1.

    Returns
    -------
    list of (start, stop)
        In order, without gap or overlap, none empty.
    """
    ranges: list[tuple[int, int]] = []
    start = 0
    for left, right in pairwise(boundaries):
        if right - start <= max_events:
            continue
        if left > start:
            ranges.append((start, left))
        start = left
        if right - left > max_events:
            ranges += _equal(left, right, max_events)
            start = right
    if boundaries and boundaries[-1] > start:
        ranges.append((start, boundaries[-1]))
    return ranges


def bytes_read(baskets: NDArray[np.int64], ranges: Sequence[tuple[int, int]]) -> int:
    """Bytes to read for some entry ranges, whole baskets each time.

    Parameters
    ----------
    baskets : ndarray, shape (n_baskets, 3)
        First entry, last entry + 1, and stored bytes of each.
    ranges : sequence of (start, stop)
        Rising and disjoint.
    """
    starts, stops = np.array(ranges, np.int64).reshape(-1, 2).T
    first, last, stored = baskets.T
    times = np.searchsorted(starts, last, "left") - np.searchsorted(stops, first, "right")
    return int(np.sum(np.maximum(times, 0) * stored))


def _equal(start: int, stop: int, largest: int) -> list[tuple[int, int]]:
    pieces = -(-(stop - start) // largest)
    edges = [start + (stop - start) * k // pieces for k in range(pieces + 1)]
    return list(pairwise(edges))
