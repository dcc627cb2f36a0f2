"""Stokes I of one chunk of a Zarr set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.frequencies import rising
from spectrum_workflows.radio.read.msv4 import stored
from spectrum_workflows.radio.types import Rows, Visibilities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Chunk

PIECE_BYTES = 32 << 20
"""Visibilities that are decoded at a time while they are combined to Stokes I."""


@dataclass(frozen=True)
class _Cells:
    """Cells of times and baselines that a chunk is of.

    Attributes
    ----------
    known : ndarray of int64
        Places on the time axis of the times that have rows.
    times : slice
        From the first to the last of them.
    baselines : Baselines
    present : ndarray of bool, shape (time, baseline)
        Which of them have a chosen row.
    """

    known: NDArray[np.int64]
    times: slice
    baselines: stored.Baselines
    present: NDArray[np.bool_]

    def rows(self, chunk: Chunk) -> Rows:
        """Time and antennas of every row."""
        time, baseline = np.nonzero(self.present)
        place = np.searchsorted(self.known, self.times.start + time)
        return Rows(
            (chunk.time_start + place).astype(np.int32),
            self.baselines.first[baseline].astype(np.int16),
            self.baselines.second[baseline].astype(np.int16),
        )


@dataclass(frozen=True)
class _Window:
    """A part of the axes time, frequency and polarization that is decoded at a time."""

    times: slice
    channels: slice
    hands: slice


def read(chunk: Chunk) -> Visibilities:
    """Stokes I of one chunk, rows in (time, antenna1, antenna2) order.

    Only the chunks that the chunk touches are moved.

    Raises
    ------
    DataError
        The set cannot be read, or has changed since the run was planned.
    """
    with stored.opened(chunk.url) as (root, objects):
        part = stored.chosen(root, objects, chunk)
        hand = stokes.hands(stored.types(part), chunk.url, chunk.selection.hands)
        cells = _cells(part, chunk)
        times, order, present = cells.times, cells.baselines.order, cells.present
        nrow, nchan = np.count_nonzero(present), chunk.chan_stop - chunk.chan_start
        row = np.cumsum(present).reshape(present.shape) - 1
        uvw = np.asarray(part.array("UVW")[times])[:, order][present]
        out = Visibilities(
            uvw=np.nan_to_num(uvw, posinf=0.0, neginf=0.0),
            frequency=_frequency(part, chunk),
            visibility=np.empty((nrow, nchan), np.complex64),
            weight=np.empty((nrow, nchan), np.float32),
            unflagged=0,
            rows=cells.rows(chunk),
        )
        lost = ~np.isfinite(uvw).all(axis=1)
        unflagged = 0
        for window in _windows(part.array(stored.variable_of(chunk.column)), times, chunk, hand):
            here = slice(window.times.start - times.start, window.times.stop - times.start)
            time, place = np.nonzero(present[here])
            source = time * len(order) + order[place]
            target = row[here][time, place]
            block = _decoded(part, chunk.column, window)
            block[2][source[lost[target]]] = 0.0  # unusable, though not flagged
            channels = slice(
                window.channels.start - chunk.chan_start, window.channels.stop - chunk.chan_start
            )
            unflagged += stokes.combine(
                block,
                source,
                target,
                out.visibility[:, channels],
                out.weight[:, channels],
                chunk.selection.hands == "either",
            )
    return rising(replace(out, unflagged=unflagged))


def coordinates(chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UVW (m) of a chunk's rows, in any order, and frequencies (Hz); what is not finite is 0.

    Raises
    ------
    DataError
        The set cannot be read, or has changed since the run was planned.
    """
    with stored.opened(chunk.url) as (root, objects):
        part = stored.chosen(root, objects, chunk)
        cells = _cells(part, chunk)
        uvw = np.asarray(part.array("UVW")[cells.times])[:, cells.baselines.order][cells.present]
        uvw[~np.isfinite(uvw).all(axis=1)] = 0.0
        return uvw, _frequency(part, chunk)


def _cells(part: stored.StoredSet, chunk: Chunk) -> _Cells:
    """Where a chunk's rows are."""
    known = stored.times(part, chunk.selection)[chunk.time_start : chunk.time_stop]
    if len(known) != chunk.time_stop - chunk.time_start:
        raise stored.changed(chunk)
    times = slice(int(known[0]), int(known[-1]) + 1)
    baselines = stored.baselines(part)
    present = stored.chosen_cells(part, times, baselines, chunk.selection)
    if not chunk.is_of(int(np.count_nonzero(present)) * (chunk.chan_stop - chunk.chan_start)):
        raise stored.changed(chunk)
    return _Cells(known, times, baselines, present)


def _frequency(part: stored.StoredSet, chunk: Chunk) -> NDArray[np.float64]:
    return np.asarray(part.array("frequency")[chunk.chan_start : chunk.chan_stop])


def _windows(array: Any, times: slice, chunk: Chunk, hand: tuple[int, ...]) -> Iterator[_Window]:
    """The visibilities in windows of whole stored chunks, as far as they go."""
    step, _, width, _ = array.chunks
    stored = 8 * step * width * array.shape[1] * array.shape[3]
    width *= max(1, PIECE_BYTES // stored)
    hands = slice(hand[0], hand[-1] + 1, max(hand[-1] - hand[0], 1))
    for time in range(times.start - times.start % step, times.stop, step):
        begin, end = max(time, times.start), min(time + step, times.stop)
        for chan in range(chunk.chan_start - chunk.chan_start % width, chunk.chan_stop, width):
            first, last = max(chan, chunk.chan_start), min(chan + width, chunk.chan_stop)
            yield _Window(slice(begin, end), slice(first, last), hands)


def _decoded(
    part: stored.StoredSet, column: str, window: _Window
) -> tuple[NDArray[np.complex64], NDArray[np.bool_], NDArray[np.float32]]:
    """Data, flags and weights of a window: (ntime × nbaseline, nchan, nhand) each."""
    names = (stored.variable_of(column), "FLAG", "WEIGHT")
    arrays = [part.array(name) for name in names]

    def values(array: Any) -> NDArray[Any]:
        cut = np.asarray(array[window.times, :, window.channels, window.hands])
        return cut.reshape(-1, *cut.shape[2:])

    with ThreadPoolExecutor(len(arrays)) as pool:
        data, flag, weight = pool.map(values, arrays)
    return (
        data.astype(np.complex64, copy=False),
        flag.astype(np.bool_, copy=False),
        weight.astype(np.float32, copy=False),
    )
