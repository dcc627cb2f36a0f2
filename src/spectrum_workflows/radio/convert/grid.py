"""Rows of a Measurement Set on the grid of times × baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.msv2.row_index import ROWS, RowIndex, grouped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Times × baselines of one field and data description, autocorrelations included.

    Attributes
    ----------
    field, data_description : int
        Rows of the FIELD and DATA_DESCRIPTION subtables.
    at : RowIndex
        The distinct times, rising, and the table rows of each.
    antenna1, antenna2 : ndarray of int64, shape (nbaseline,)
        The pairs that occur, sorted; the order is that of the set, so that
        (2, 1) is another baseline than (1, 2).
    """

    field: int
    data_description: int
    at: RowIndex
    antenna1: Numbers
    antenna2: Numbers

    @property
    def shape(self) -> tuple[int, int]:
        """Number of times and of baselines."""
        return len(self.at.time), len(self.antenna1)


@dataclass(frozen=True)
class Cells:
    """Rows of some times, and where they belong.

    ``cell`` numbers the cells of (time, baseline) in C order, from the first
    of these times on; both arrays have shape (nrow,).
    """

    row: Numbers
    cell: Numbers


def grids(table: Any) -> tuple[Grid, ...]:
    """One grid for each field and data description of a main table, in that order."""
    groups: dict[tuple[int, int], list[tuple[RowIndex, Numbers]]] = {}
    for start in range(0, table.nrows(), ROWS):
        count = min(ROWS, table.nrows() - start)
        field, description, time, pair = _identifiers(table, start, count)
        chosen = (field.astype(np.int64) << 32) | description
        for key in np.unique(chosen).tolist():
            here = np.flatnonzero(chosen == key)
            rows = start + here
            at = grouped(time[here], rows, rows, np.ones_like(rows))
            pieces = groups.setdefault((key >> 32, key & 0xFFFFFFFF), [])
            pieces.append((at, np.unique(pair[here])))
    return tuple(_joined(key, pieces) for key, pieces in sorted(groups.items()))


def cells(table: Any, grid: Grid, times: slice, where: str) -> Cells:
    """The rows of some times of a grid, in the table's order.

    Raises
    ------
    DataError
        Two rows have the same time and baseline.
    """
    pieces = list(_located(table, grid, times))
    row, cell = (np.concatenate([piece[n] for piece in pieces]) for n in (0, 1))
    check_single(cell, where)
    return Cells(row, cell)


def check_single(cell: Numbers, where: str) -> None:
    """Refuse rows of which two have the same time and baseline.

    Raises
    ------
    DataError
        A Zarr set has one cell for both.
    """
    if len(np.unique(cell)) < len(cell):
        remedy = (
            "image the set itself, which takes every row,"
            " or split it by ARRAY_ID, FEED1 or SCAN_NUMBER first"
        )
        message = "several rows of the same time and baseline, of which a Zarr set has one cell"
        raise DataError(message, where, remedy)


def _located(table: Any, grid: Grid, times: slice) -> Iterator[tuple[Numbers, Numbers]]:
    at, known = grid.at, (grid.antenna1 << 16) | grid.antenna2
    instants = at.time[times]
    first, stop = int(at.first[times].min()), int(at.last[times].max()) + 1
    for start in range(first, stop, ROWS):
        count = min(ROWS, stop - start)
        field, description, time, pair = _identifiers(table, start, count)
        keep = (field == grid.field) & (description == grid.data_description)
        keep &= (time >= instants[0]) & (time <= instants[-1])
        cell = np.searchsorted(instants, time[keep]) * len(known)
        yield start + np.flatnonzero(keep), cell + np.searchsorted(known, pair[keep])


def _identifiers(table: Any, start: int, count: int) -> tuple[NDArray[Any], ...]:
    """Field, data description, time and antenna pair of some rows."""

    def column(name: str) -> NDArray[Any]:
        return np.asarray(table.getcol(name, start, count))

    pair = (column("ANTENNA1").astype(np.int64) << 16) | column("ANTENNA2")
    return column("FIELD_ID"), column("DATA_DESC_ID"), column("TIME"), pair


def _joined(key: tuple[int, int], pieces: list[tuple[RowIndex, Numbers]]) -> Grid:
    columns = ("time", "first", "last", "count")
    at = grouped(*(np.concatenate([getattr(at, name) for at, _ in pieces]) for name in columns))
    pair = np.unique(np.concatenate([pair for _, pair in pieces]))
    return Grid(*key, at, pair >> 16, pair & 0xFFFF)
