"""Cutting a data set into chunks: time × frequency, by the number of visibilities."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spectrum_workflows.radio.types import Chunk, Observation


def chunks(observation: Observation, max_visibilities: int) -> tuple[Chunk, ...]:
    """Chunks of nearly equal size, in time and then channel order.

    Times are cut first; channels only where a single time holds more than
    ``max_visibilities``.  Neither storage chunks nor workers play a part, so
    the list is the same wherever the data lie and whoever computes.

    Parameters
    ----------
    observation : Observation
    max_visibilities : int
        Largest chunk; a single time and channel is never cut.
    """
    rows, nchan = observation.rows_per_time, len(observation.frequency)
    widest = max(1, max_visibilities // max(int(rows.max()), 1))
    channels = _even(nchan, -(-nchan // widest))
    limit = max_visibilities // max(stop - start for start, stop in channels)
    return tuple(
        Chunk(
            url=observation.url,
            column=observation.column,
            field=observation.field,
            data_description=observation.data_description,
            time_start=first,
            time_stop=last,
            chan_start=start,
            chan_stop=stop,
            size=int(rows[first:last].sum()) * (stop - start),
        )
        for first, last in _times(rows, max(limit, 1))
        for start, stop in channels
    )


def _even(count: int, pieces: int) -> list[tuple[int, int]]:
    """``range(count)`` cut into pieces that differ by at most one."""
    edges = [count * n // pieces for n in range(pieces + 1)]
    return list(pairwise(edges))


def _times(rows: np.ndarray, limit: int) -> list[tuple[int, int]]:
    """Consecutive times, near equal in rows, at most ``limit`` rows together."""
    pieces = -(-int(rows.sum()) // limit)
    while True:
        ends = np.searchsorted(
            np.cumsum(rows), np.arange(1, pieces + 1) * rows.sum() / pieces - 0.5
        )
        edges = np.unique([0, *(ends + 1), len(rows)])
        found = list(pairwise(edges.tolist()))
        largest = max(int(rows[a:b].sum()) for a, b in found)
        if largest <= limit or len(found) == len(rows):
            return found
        pieces += 1
