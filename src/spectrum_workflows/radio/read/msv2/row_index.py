"""Rows of a Measurement Set by their times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.types import EVERYTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Chunk, Selection

    Numbers = NDArray[np.int64]
    Rows = range | NDArray[np.int64]

ROWS = 1 << 17
"""Rows whose identifiers are in memory at a time."""


@dataclass(frozen=True)
class RowIndex:
    """Chosen cross-correlation rows of one field and data description, by time.

    Attributes
    ----------
    time : ndarray of float64, shape (ntime,)
        Distinct times, rising, s.
    first, last : ndarray of int64, shape (ntime,)
        The lowest and highest table row with that time; other rows may lie
        between them.
    count : ndarray of int64, shape (ntime,)
        Rows with that time.
    ordered : bool
        All of them are known to lie in (time, antenna1, antenna2) order.
    doubles : int or None
        Rows of the same time and antennas as the row before; None where rows
        of the same time and baseline need not be neighbours.
    """

    time: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    count: NDArray[np.int64]
    ordered: bool = False
    doubles: int | None = None


def identified(
    table: Any,
    chosen: tuple[int, int],
    start: int,
    stop: int,
    *,
    autocorrelations: bool = False,
    selection: Selection = EVERYTHING,
) -> tuple[Numbers, NDArray[np.float64], Numbers]:
    """The cross-correlations among some rows: row, time, and a number that sorts baselines."""
    field, data_description = chosen

    def column(name: str) -> NDArray[Any]:
        return np.asarray(table.getcol(name, start, stop - start))

    first, second = column("ANTENNA1").astype(np.int64), column("ANTENNA2")
    keep = (column("FIELD_ID") == field) & (column("DATA_DESC_ID") == data_description)
    if not autocorrelations:
        keep &= first != second
    time = column("TIME")
    if not selection.any_time:
        keep &= selection.hold_times(time, column("SCAN_NUMBER") if selection.scans else None)
    if not selection.any_baseline:
        keep &= selection.hold_baselines(first, second)
    rows = np.flatnonzero(keep)
    return start + rows, time[rows], ((first << 16) | second)[rows]


@lru_cache(maxsize=64)
def row_index(
    opened: Any,
    url: str,
    stamp: tuple[int, int],  # noqa: ARG001 - a part of the cache's key
    chosen: tuple[int, int],
    selection: Selection = EVERYTHING,
) -> RowIndex:
    """Read the identifiers of all rows; remembered per process.

    Parameters
    ----------
    opened : callable
        ``opened(url)``: the table as a context manager.
    url : str
    stamp : tuple of int
        When the set was changed, and its size: other values read it again.
    chosen : tuple of int
        Field and data description.
    selection : Selection
        Of their rows.
    """
    pieces, latest, ordered, doubles = [], (-np.inf, 0), True, 0
    backwards = False
    with opened(url) as table:
        nrow = table.nrows()
        for start in range(0, nrow, ROWS):
            stop = min(start + ROWS, nrow)
            rows, time, baseline = identified(table, chosen, start, stop, selection=selection)
            pieces.append(grouped(time, rows, rows, np.ones_like(rows)))
            if len(rows):
                ordered = ordered and _rises(latest, time, baseline)
                again = np.diff(time, prepend=latest[0]) == 0
                again &= np.diff(baseline, prepend=latest[1]) == 0
                doubles += int(again.sum())
                backwards = backwards or bool(((baseline >> 16) > (baseline & 0xFFFF)).any())
                latest = (float(time[-1]), int(baseline[-1]))
    if not pieces:
        return grouped(np.empty(0), *(np.empty(0, np.int64),) * 3)
    columns = ("time", "first", "last", "count")
    index = grouped(*(np.concatenate([getattr(p, name) for p in pieces]) for name in columns))
    return replace(index, ordered=ordered, doubles=None if backwards or not ordered else doubles)


def _rises(latest: tuple[float, int], time: NDArray[np.float64], baseline: Numbers) -> bool:
    """Whether rows follow one another, and the latest before them, by time and then baseline."""
    step = np.diff(time, prepend=latest[0])
    return bool(np.all((step > 0) | ((step == 0) & (np.diff(baseline, prepend=latest[1]) >= 0))))


def rows_of(table: Any, chunk: Chunk, at: RowIndex) -> tuple[Rows, Rows]:
    """Rows of a chunk, and the place of each in (time, antenna1, antenna2) order.

    Parameters
    ----------
    table : casacore.tables.table
    chunk : Chunk
    at : RowIndex
        Of the chunk's field, data description and selection.

    Returns
    -------
    rows, place : ndarray of int64, or range
        Ranges, which need no memory, where the table is in that order already.
    """
    own = slice(chunk.time_start, chunk.time_stop)
    first, stop = int(at.first[own].min()), int(at.last[own].max()) + 1
    if at.ordered and int(at.count[own].sum()) == stop - first:
        return range(first, stop), range(stop - first)
    times, chosen = at.time[own], (chunk.field, chunk.data_description)
    pieces = []
    for start in range(first, stop, ROWS):
        end = min(start + ROWS, stop)
        row, time, baseline = identified(table, chosen, start, end, selection=chunk.selection)
        inside = (time >= times[0]) & (time <= times[-1])
        key = (np.searchsorted(times, time[inside]) << 32) | baseline[inside]
        pieces.append((row[inside], key))
    row, key = (np.concatenate([piece[n] for piece in pieces]) for n in (0, 1))
    place = np.empty_like(row)
    place[np.argsort(key, kind="stable")] = np.arange(len(row))
    return row, place


def grouped(
    time: NDArray[np.float64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    count: NDArray[np.int64],
) -> RowIndex:
    """Merge entries of equal time."""
    times, group = np.unique(time, return_inverse=True)
    low = np.full(len(times), np.iinfo(np.int64).max)
    high = np.full(len(times), -1)
    total = np.zeros(len(times), np.int64)
    np.minimum.at(low, group, first)
    np.maximum.at(high, group, last)
    np.add.at(total, group, count)
    return RowIndex(times, low, high, total)
