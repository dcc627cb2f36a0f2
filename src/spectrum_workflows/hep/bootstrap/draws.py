"""Poisson numbers of events: a hash of what names the event, counted on by replicas.

An event's key seeds SplitMix64, whose outputs can be computed in any order: each holds the numbers
of two replicas.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spectrum_workflows.compiled import compiled
from spectrum_workflows.hep.analyses.smearing import GOLDEN, event_key, mixed

BITS = np.uint64(32)
"""Of a random number; no probability is further than 2**-33 from Poisson's."""

LOW = np.uint64(0xFFFFFFFF)

_EXACT = [math.exp(-1) * sum(1 / math.factorial(k) for k in range(n + 1)) for n in range(12)]
(T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11) = (
    np.uint32(round(probability * 2**32)) for probability in _EXACT
)
"""Probabilities of 0 to 11 and fewer at mean 1, in units of 2**-32: of more than 12 it is 6e-11."""


@compiled(nogil=True)
def hash_events(run: Any, block: Any, event: Any, sample: Any, seed: Any) -> Any:
    """Keys of events; shape (n_events,), uint64."""
    keys = np.empty(len(event), np.uint64)
    for i in range(len(event)):
        key = event_key(run[i], block[i], event[i])
        keys[i] = mixed(mixed(key, sample), seed)
    return keys


@compiled(nogil=True)
def _poisson(u: Any) -> Any:
    """A Poisson number of mean 1, of 32 random bits: by inversion, without branches."""
    few = (u >= T0) + (u >= T1) + (u >= T2) + (u >= T3) + (u >= T4) + (u >= T5)
    return few + (u >= T6) + (u >= T7) + (u >= T8) + (u >= T9) + (u >= T10) + (u >= T11)


@compiled(nogil=True)
def draw(keys: Any, first: int, out: Any) -> None:
    """Fill in the numbers of some replicas.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n_events,)
        Of `hash_events`.
    first : int
        The first of the replicas; even.
    out : ndarray of uint8, shape (n_events, n_replicas)
        How often every event counts in each.
    """
    n = out.shape[1]
    pair = np.uint64(first // 2)
    for i in range(len(keys)):
        for j in range(n // 2):
            word = mixed(keys[i] + (pair + np.uint64(j)) * GOLDEN, 0)
            out[i, 2 * j] = _poisson(np.uint32(word & LOW))
            out[i, 2 * j + 1] = _poisson(np.uint32(word >> BITS))
        if n % 2:
            word = mixed(keys[i] + (pair + np.uint64(n // 2)) * GOLDEN, 0)
            out[i, n - 1] = _poisson(np.uint32(word & LOW))


@compiled(nogil=True)
def add(draws: Any, rows: Any, cells: Any, first: int, out: Any) -> None:
    """Add the entries of a histogram to some of its replicas.

    Parameters
    ----------
    draws : ndarray of uint8, shape (n_events, n_replicas)
    rows, cells : ndarray of int64, shape (n_entries,)
        Event and bin of every entry.
    first : int
        The first of the replicas.
    out : ndarray, shape (n_bins, n_all_replicas)
        Numbers of entries.
    """
    for e in range(len(rows)):
        row, cell = rows[e], cells[e]
        for j in range(draws.shape[1]):
            out[cell, first + j] += draws[row, j]
