"""The rows of one field and band by time and baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.types.selection import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.rows.rowfile import Band, Identifiers
    from spectrum_workflows.radio.types import Chunk, Selection

BLOCK_BYTES = 4 << 20
"""Bytes that are read at a time."""

BRIDGED_BYTES = 256 << 10
"""Bytes between two wanted rows that cost less to read than another request."""


@dataclass(frozen=True)
class Index:
    """Rows in (time, antenna1, antenna2) order.

    Attributes
    ----------
    row : ndarray of int64, shape (nrow,)
        Their places in the file.
    time : ndarray of float64, shape (ntime,)
        The distinct times, rising, s.
    start : ndarray of int64, shape (ntime + 1,)
        Where the rows of each time begin, and the end.
    """

    row: NDArray[np.int64]
    time: NDArray[np.float64]
    start: NDArray[np.int64]

    @property
    def count(self) -> NDArray[np.int64]:
        """Rows at each time."""
        return np.diff(self.start)

    def of(self, chunk: Chunk) -> NDArray[np.int64]:
        """Rows of the times of a chunk, in order."""
        return self.row[self.start[chunk.time_start] : self.start[chunk.time_stop]]


def index_of(
    rows: Identifiers,
    field: int,
    band: Band,
    selection: Selection = EVERYTHING,
    *,
    autocorrelations: bool = False,
) -> Index:
    """The chosen rows of a field and band; cross-correlations unless all are asked for."""
    keep = (rows.field == field) & (rows.setup == band.setup)
    if not autocorrelations:
        keep &= rows.first != rows.second
    keep &= selection.hold_times(rows.time, None)
    keep &= selection.hold_baselines(rows.first, rows.second)
    row = np.flatnonzero(keep)
    order = np.lexsort((rows.second[row], rows.first[row], rows.time[row]))
    row = row[order]
    time, start = np.unique(rows.time[row], return_index=True)
    return Index(row, time, np.append(start, len(row)).astype(np.int64))


def spans(rows: NDArray[np.int64], row_bytes: int) -> Iterator[tuple[slice, int, int]]:
    """Rising rows in pieces that are read at a time.

    Parameters
    ----------
    rows : ndarray of int64, shape (n,)
        Rising.
    row_bytes : int

    Yields
    ------
    slice
        Some of ``rows``.
    start, stop : int
        The consecutive rows of the file among which they are.
    """
    longest = max(1, BLOCK_BYTES // row_bytes)
    gap = 1 + BRIDGED_BYTES // row_bytes
    first = 0
    apart = np.flatnonzero(np.diff(rows) > gap) + 1
    for end in (*apart.tolist(), len(rows)):
        while first < end:
            last = first + int(np.searchsorted(rows[first:end], rows[first] + longest))
            yield slice(first, last), int(rows[first]), int(rows[last - 1]) + 1
            first = last


def doubles(rows: Identifiers, index: Index) -> int:
    """Rows of a time and baseline that another row has too, in either order of the antennas."""
    first, second = rows.first[index.row], rows.second[index.row]
    pair = np.minimum(first, second).astype(np.int64) << 32 | np.maximum(first, second)
    time = np.repeat(np.arange(len(index.time)), index.count)
    order = np.lexsort((pair, time))
    again = (np.diff(pair[order]) == 0) & (np.diff(time[order]) == 0)
    return int(again.sum())
