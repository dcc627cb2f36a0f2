"""Cutting a data set into chunks: time × frequency, by the number of visibilities."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio.types import (
    Chunk,
    ImagingPartition,
    Observation,
    Plane,
    Window,
    grouped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


def chunks(
    observation: Observation, max_visibilities: int, planes: tuple[Plane, ...] = (Plane(),)
) -> tuple[Chunk, ...]:
    """Chunks of nearly equal size, in window, time and then channel order.

    Times are cut first; channels only where a single time holds more than
    ``max_visibilities``.  Neither storage chunks nor workers play a part, so
    the list is the same wherever the data lie and whoever computes.

    Parameters
    ----------
    observation : Observation
    max_visibilities : int
        Largest chunk; a single time and channel is never cut.
    planes : tuple of Plane
        Those that are fed: channels beyond the outermost ones that they hold are left out.

    Raises
    ------
    SpecError
        A plane holds no channel of the set.
    """
    for plane in planes:
        if not plane.channels.hold(observation.frequency).any():
            raise SpecError(f"no channel lies in {plane.where}", observation.url, "choose others")
    pieces = (
        _of_window(observation, window, max_visibilities, planes) for window in observation.windows
    )
    return tuple(chunk for window in pieces for chunk in window)


def grouped_chunks(cut: Sequence[Chunk], max_visibilities: int) -> tuple[ImagingPartition, ...]:
    """The same, neighbours that feed the same planes together as long as they are small.

    So a partition is no smaller where a set has many windows, or channels that do not follow
    one another, and its image is transformed once.

    Parameters
    ----------
    cut : sequence of Chunk
        As `chunks` gives them.
    max_visibilities : int
        Most in one partition.
    """
    groups: list[list[Chunk]] = []
    for chunk in cut:
        own = groups[-1] if groups else []
        together = chunk.size + sum(other.size for other in own)
        if own and own[0].planes == chunk.planes and together <= max_visibilities:
            own.append(chunk)
        else:
            groups.append([chunk])
    return tuple(grouped(tuple(group)) for group in groups)


def _of_window(
    observation: Observation, window: Window, max_visibilities: int, planes: tuple[Plane, ...]
) -> Iterator[Chunk]:
    """The chunks of one window, which may feed no plane."""
    rows = window.rows_per_time
    held = [plane.channels.hold(window.frequency) for plane in planes]
    widest = max(1, max_visibilities // max(int(rows.max()), 1))
    ranges = [
        (begin + a, begin + b)
        for begin, end in _runs(window, np.any(held, axis=0))
        for a, b in _even(end - begin, -(-(end - begin) // widest))
    ]
    if not ranges:
        return
    fed = {(start, stop): _fed(planes, held, start, stop) for start, stop in ranges}
    limit = max_visibilities // max(stop - start for start, stop in ranges)
    for first, last in _times(rows, max(limit, 1)):
        for start, stop in ranges:
            if fed[start, stop]:
                yield Chunk(
                    url=observation.url,
                    column=observation.column,
                    field=observation.field,
                    data_description=window.number,
                    time_start=first,
                    time_stop=last,
                    chan_start=start,
                    chan_stop=stop,
                    size=int(rows[first:last].sum()) * (stop - start),
                    planes=fed[start, stop],
                    selection=observation.selection,
                )


def _runs(window: Window, held: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Ranges of chosen channels that follow one another, between the outermost that are held."""
    used = np.flatnonzero(held)
    if not len(used):
        return []
    channels = window.channels
    channels = channels[(channels >= used[0]) & (channels <= used[-1])]
    ends = np.flatnonzero(np.diff(channels) > 1)
    starts = np.concatenate([channels[:1], channels[ends + 1]]).tolist()
    stops = (np.concatenate([channels[ends], channels[-1:]]) + 1).tolist()
    return list(zip(starts, stops, strict=True))


def _fed(
    planes: tuple[Plane, ...], held: list[NDArray[np.bool_]], start: int, stop: int
) -> tuple[int, ...]:
    """Numbers of the planes that hold some of a range of channels."""
    pairs = zip(planes, held, strict=True)
    return tuple(plane.number for plane, channels in pairs if channels[start:stop].any())


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
        ranges = list(pairwise(edges.tolist()))
        largest = max(int(rows[a:b].sum()) for a, b in ranges)
        if largest <= limit or len(ranges) == len(rows):
            return ranges
        pieces += 1
