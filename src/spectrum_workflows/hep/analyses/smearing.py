"""Random numbers that belong to an object, not to a stream.

A jet gets its normal deviate from the numbers that name it, so that it is the
same however the data are cut into partitions and in whatever order they come.
"""

from __future__ import annotations

from math import cos, log, pi, sqrt

import numpy as np
from numba import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
"""Constants of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA, doi:10.1145/2660193.2660195)."""

SHIFT_1, SHIFT_2, SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
TO_DOUBLE = np.uint64(11)
"""A double holds 53 of 64 random bits."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def mixed(state: int, word: int) -> np.uint64:
    """One step of SplitMix64: a hash of ``state`` and ``word``, both uint64."""
    z = (np.uint64(state) ^ np.uint64(word)) + GOLDEN
    z = (z ^ (z >> SHIFT_1)) * MIX_1
    z = (z ^ (z >> SHIFT_2)) * MIX_2
    return np.uint64(z ^ (z >> SHIFT_3))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def event_key(run: int, luminosity_block: int, event: int) -> np.uint64:
    """A hash of the three numbers that name an event."""
    return np.uint64(mixed(mixed(mixed(0, run), luminosity_block), event))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def normal(key: int, index: int) -> float:
    """Standard normal deviate of object ``index`` of an event, by Box and Muller (1958)."""
    first = mixed(key, 2 * index)
    second = mixed(first, 2 * index + 1)
    radius = (np.float64(first >> TO_DOUBLE) + 0.5) * 2.0**-53
    angle = np.float64(second >> TO_DOUBLE) * 2.0**-53
    return sqrt(-2.0 * log(radius)) * cos(2.0 * pi * angle)
