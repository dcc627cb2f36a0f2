"""Which rows of a Measurement Set belong to which time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 1 << 20
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
    stamp: int,  # noqa: ARG001 - a part of the cache's key
    chosen: tuple[int, int],
) -> RowIndex:
    """Read the identifiers of all rows; remembered per process.

    Parameters
    ----------
    opened : callable
        ``opened(url)``: the table as a context manager.
    url : str
    stamp : int
        When the set was changed: another value reads it again.
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
            pieces.append(_grouped(time, rows, rows, np.ones_like(rows)))
    if not pieces:
        return _grouped(np.empty(0), *(np.empty(0, np.int64),) * 3)
    columns = ("time", "first", "last", "count")
    return _grouped(*(np.concatenate([getattr(p, name) for p in pieces]) for name in columns))


def _grouped(
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
