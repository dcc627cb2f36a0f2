"""Rows of a Measurement Set on the grid of times × baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.msv2.row_index import ROWS, RowIndex, grouped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]


SPARSE = 1.5
"""Cells per row from which on rows are tried by their integration times."""

GAIN = 0.75
"""Cells that grids by integration time have at most, in one of all, to be taken instead."""

MOST_INTERVALS = 32
"""Integration times of which each has a grid of its own; more are no averaging by baseline."""

MILLISECOND = 3
"""Digits behind the point to which integration times, in s, are compared."""


@dataclass(frozen=True)
class Grid:
    """Times × baselines of one field and data description, autocorrelations included.

    Where baselines were averaged to integration times of their own, hardly any time is that of
    many rows; then a grid holds the rows of one integration time.

    Attributes
    ----------
    field, data_description : int
        Rows of the FIELD and DATA_DESCRIPTION subtables.
    at : RowIndex
        The distinct times, rising, and the table rows of each.
    antenna1, antenna2 : ndarray of int64, shape (nbaseline,)
        The pairs that occur, sorted; the order is that of the set, so that
        (2, 1) is another baseline than (1, 2).
    interval : float or None
        Integration time of its rows, s, to the ms; None for all rows.
    crossed : ndarray of float64 or None
        The times at which there are cross-correlations, where the grid is of one integration
        time.
    """

    field: int
    data_description: int
    at: RowIndex
    antenna1: Numbers
    antenna2: Numbers
    interval: float | None = None
    crossed: NDArray[np.float64] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of times and of baselines."""
        return len(self.at.time), len(self.antenna1)

    @property
    def cells(self) -> int:
        """Number of cells, with a row or without."""
        return len(self.at.time) * len(self.antenna1)

    @property
    def sparse(self) -> bool:
        """Whether many cells are without a row."""
        return self.cells > SPARSE * int(self.at.count.sum())


@dataclass(frozen=True)
class Cells:
    """Rows of some times, and where they belong.

    ``cell`` numbers the cells of (time, baseline) in C order, from the first
    of these times on; both arrays have shape (nrow,).
    """

    row: Numbers
    cell: Numbers


def grids(table: Any) -> tuple[Grid, ...]:
    """One grid for each field and data description of a main table, in that order.

    Where that would leave many cells empty, one for each integration time, if that does not.
    """
    return tuple(
        part
        for grid in _of_all_rows(table)
        for part in (_by_interval(table, grid) if grid.sparse else (grid,))
    )


def _of_all_rows(table: Any) -> tuple[Grid, ...]:
    """One grid for each field and data description."""
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


def rounded(interval: NDArray[Any]) -> NDArray[np.float64]:
    """Integration times (s) as they are compared."""
    return np.asarray(np.round(np.asarray(interval, np.float64), MILLISECOND), np.float64)


def fuller(grid: Grid, parts: Sequence[Grid]) -> tuple[Grid, ...]:
    """Grids by integration time, if they have far fewer cells than the one of all their rows."""
    return tuple(parts) if sum(part.cells for part in parts) <= GAIN * grid.cells else (grid,)


def _by_interval(table: Any, grid: Grid) -> tuple[Grid, ...]:
    """The rows of a grid by their integration time, or the grid, where that does not help."""
    if "INTERVAL" not in table.colnames():
        return (grid,)
    groups: dict[float, list[tuple[RowIndex, Numbers, NDArray[np.float64]]]] = {}
    for start in range(0, table.nrows(), ROWS):
        count = min(ROWS, table.nrows() - start)
        field, description, time, pair = _identifiers(table, start, count)
        interval = rounded(table.getcol("INTERVAL", start, count))
        own = (field == grid.field) & (description == grid.data_description)
        for value in np.unique(interval[own]).tolist():
            here = np.flatnonzero(own & (interval == value))
            rows, cross = start + here, (pair[here] >> 16) != (pair[here] & 0xFFFF)
            at = grouped(time[here], rows, rows, np.ones_like(rows))
            piece = (at, np.unique(pair[here]), np.unique(time[here][cross]))
            groups.setdefault(value, []).append(piece)
        if len(groups) > MOST_INTERVALS:
            return (grid,)
    key = (grid.field, grid.data_description)
    parts = []
    for value, pieces in sorted(groups.items()):
        crossed = np.unique(np.concatenate([cross for _, _, cross in pieces]))
        whole = _joined(key, [(at, pairs) for at, pairs, _ in pieces])
        parts.append(replace(whole, interval=value, crossed=crossed))
    return fuller(grid, parts)


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
        if grid.interval is not None:
            keep &= rounded(table.getcol("INTERVAL", start, count)) == grid.interval
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
