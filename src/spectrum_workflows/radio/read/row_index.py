"""Which rows of a Measurement Set belong to which time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Slab

    Numbers = NDArray[np.int64]
    Rows = range | NDArray[np.int64]

ROWS = 1 << 17
"""Rows whose identifiers are in memory at a time."""


@dataclass(frozen=True)
class RowIndex:
    """Cross-correlation rows of one field and data description, by time.

    Attributes
    ----------
    time : ndarray of float64, shape (ntime,)
        Distinct times, rising, s.
    first, last : ndarray of int64, shape (ntime,)
        The lowest and highest table row with that time; other rows may lie
        between them.
    count : ndarray of int64, shape (ntime,)
        Rows with that time.
    """

    time: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    count: NDArray[np.int64]


def selected(table: Any, chosen: tuple[int, int], start: int, stop: int) -> NDArray[np.bool_]:
    """Which rows are cross-correlations of the chosen field and data description."""
    field, data_description = chosen

    def column(name: str) -> NDArray[np.int32]:
        return np.asarray(table.getcol(name, start, stop - start))

    keep = column("FIELD_ID") == field
    keep &= column("DATA_DESC_ID") == data_description
    keep &= column("ANTENNA1") != column("ANTENNA2")
    return np.asarray(keep)


@lru_cache(maxsize=4)
def row_index(
    opened: Any,
    url: str,
    stamp: tuple[int, int],  # noqa: ARG001 - a part of the cache's key
    chosen: tuple[int, int],
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
    """
    pieces = []
    with opened(url) as table:
        nrow = table.nrows()
        for start in range(0, nrow, ROWS):
            stop = min(start + ROWS, nrow)
            rows = start + np.flatnonzero(selected(table, chosen, start, stop))
            time = np.asarray(table.getcol("TIME", start, stop - start))[rows - start]
            pieces.append(grouped(time, rows, rows, np.ones_like(rows)))
    if not pieces:
        return grouped(np.empty(0), *(np.empty(0, np.int64),) * 3)
    columns = ("time", "first", "last", "count")
    return grouped(*(np.concatenate([getattr(p, name) for p in pieces]) for name in columns))


def rows_of(table: Any, slab: Slab, at: RowIndex) -> tuple[Rows, Rows]:
    """Rows of a slab, and the place of each in (time, antenna1, antenna2) order.

    Parameters
    ----------
    table : casacore.tables.table
    slab : Slab
    at : RowIndex
        Of the slab's field and data description.

    Returns
    -------
    rows, place : ndarray of int64, or range
        Ranges, which need no memory, where the table is in that order already.
    """
    span = _ordered_span(_identified(table, slab, at))
    if span:
        return span, range(len(span))
    pieces = list(_identified(table, slab, at))
    row, key = (np.concatenate([piece[n] for piece in pieces]) for n in (0, 1))
    place = np.empty_like(row)
    place[np.argsort(key, kind="stable")] = np.arange(len(row))
    return row, place


def _identified(table: Any, slab: Slab, at: RowIndex) -> Iterator[tuple[Numbers, Numbers]]:
    """Rows of a slab and keys that sort by (time, antenna1, antenna2), piece by piece."""
    chosen, times = (slab.field, slab.data_description), at.time[slab.time_start : slab.time_stop]
    first = int(at.first[slab.time_start : slab.time_stop].min())
    stop = int(at.last[slab.time_start : slab.time_stop].max()) + 1
    for start in range(first, stop, ROWS):
        count = min(ROWS, stop - start)
        time = np.asarray(table.getcol("TIME", start, count))
        keep = selected(table, chosen, start, start + count)
        keep &= (time >= times[0]) & (time <= times[-1])
        pair = np.asarray(table.getcol("ANTENNA1", start, count), np.int64) << 16
        pair |= np.asarray(table.getcol("ANTENNA2", start, count))
        key = (np.searchsorted(times, time[keep]) << 32) | pair[keep]
        yield start + np.flatnonzero(keep), key


def _ordered_span(pieces: Iterator[tuple[Numbers, Numbers]]) -> range | None:
    """The rows as a range, if they are contiguous and in order."""
    span, latest = range(0), -1
    for row, key in pieces:
        if not len(row):
            continue
        follows = not span or (row[0] == span.stop and key[0] >= latest)
        contiguous = row[-1] - row[0] + 1 == len(row) and np.all(key[1:] >= key[:-1])
        if not (follows and contiguous):
            return None
        span = range(span.start if span else int(row[0]), int(row[-1]) + 1)
        latest = int(key[-1])
    return span


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
