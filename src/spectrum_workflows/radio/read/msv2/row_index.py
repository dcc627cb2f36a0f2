"""Rows of a Measurement Set by their times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
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


@dataclass(frozen=True)
class _Identifiers:
    """Some rows of a main table: their numbers, and what tells one from another.

    ``baseline`` is a number that sorts baselines; every array has shape (n,).
    """

    row: Numbers
    time: NDArray[np.float64]
    baseline: Numbers
    field: Numbers
    data_description: Numbers

    def of(self, chosen: tuple[int, int]) -> _Identifiers:
        """Those of one field and data description."""
        own = np.flatnonzero((self.field == chosen[0]) & (self.data_description == chosen[1]))
        numbers = (self.baseline, self.field, self.data_description)
        return _Identifiers(self.row[own], self.time[own], *(column[own] for column in numbers))


def _identifiers(
    table: Any, start: int, stop: int, selection: Selection, *, autocorrelations: bool
) -> _Identifiers:
    """The chosen rows among some, of every field and data description."""

    def column(name: str) -> NDArray[Any]:
        return np.asarray(table.getcol(name, start, stop - start))

    first, second = column("ANTENNA1").astype(np.int64), column("ANTENNA2")
    time, keep = column("TIME"), np.ones(len(first), np.bool_)
    if not autocorrelations:
        keep &= first != second
    if not selection.any_time:
        keep &= selection.hold_times(time, column("SCAN_NUMBER") if selection.scans else None)
    if not selection.any_baseline:
        keep &= selection.hold_baselines(first, second)
    own = np.flatnonzero(keep)
    numbers = (column(name)[own] for name in ("FIELD_ID", "DATA_DESC_ID"))
    return _Identifiers(start + own, time[own], ((first << 16) | second)[own], *numbers)


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
    every = _identifiers(table, start, stop, selection, autocorrelations=autocorrelations)
    own = every.of(chosen)
    return own.row, own.time, own.baseline


def row_index(
    opened: Any,
    url: str,
    stamp: tuple[int, int],
    chosen: tuple[int, int],
    selection: Selection = EVERYTHING,
) -> RowIndex:
    """The rows of one field and data description; see `row_indexes`.

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
    none = grouped(np.empty(0), *(np.empty(0, np.int64),) * 3)
    return row_indexes(opened, url, stamp, selection).get(chosen, none)


@lru_cache(maxsize=4)
def row_indexes(
    opened: Any,
    url: str,
    stamp: tuple[int, int],  # noqa: ARG001 - a part of the cache's key
    selection: Selection,
) -> dict[tuple[int, int], RowIndex]:
    """Read the identifiers of all rows once; remembered per process.

    Returns
    -------
    dict of (int, int) to RowIndex
        By field and data description, for those that have chosen rows.
    """
    pieces: dict[tuple[int, int], list[_Piece]] = {}
    with opened(url) as table:
        nrow = table.nrows()
        for start in range(0, nrow, ROWS):
            stop = min(start + ROWS, nrow)
            every = _identifiers(table, start, stop, selection, autocorrelations=False)
            for chosen in pairs_in(every.field, every.data_description):
                pieces.setdefault(chosen, []).append(_piece(every.of(chosen)))
    return {chosen: _index_of(own) for chosen, own in pieces.items()}


def pairs_in(field: NDArray[Any], data_description: NDArray[Any]) -> list[tuple[int, int]]:
    """The pairs of field and data description that occur among some rows, in order."""
    at = _begins(field, data_description)  # neighbours are mostly of one pair
    return sorted(set(zip(field[at].tolist(), data_description[at].tolist(), strict=True)))


def _begins(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """Rows in which a column has another value than in the row before; the first row."""
    other = [column[1:] != column[:-1] for column in columns]
    return np.flatnonzero(np.append(len(columns[0]) > 0, np.logical_or.reduce(other)))


@dataclass(frozen=True)
class _Piece:
    """Rows of one field and data description in a block of the table, one at least.

    Attributes
    ----------
    at : RowIndex
    begin, end : tuple of (float, int)
        Time and baseline of the first and of the last row.
    ordered : bool
        Whether they rise by time and then baseline.
    doubles : int
        Rows of the time and baseline of the row before.
    backwards : bool
        Whether antenna 1 is the larger number anywhere.
    """

    at: RowIndex
    begin: tuple[float, int]
    end: tuple[float, int]
    ordered: bool
    doubles: int
    backwards: bool


def _piece(own: _Identifiers) -> _Piece:
    time, baseline = own.time, own.baseline
    later, farther = np.diff(time), np.diff(baseline)
    return _Piece(
        at=grouped(time, own.row, own.row, np.ones_like(own.row)),
        begin=(float(time[0]), int(baseline[0])),
        end=(float(time[-1]), int(baseline[-1])),
        ordered=bool(np.all((later > 0) | ((later == 0) & (farther >= 0)))),
        doubles=int(np.count_nonzero((later == 0) & (farther == 0))),
        backwards=bool(((baseline >> 16) > (baseline & 0xFFFF)).any()),
    )


def _index_of(pieces: list[_Piece]) -> RowIndex:
    """The rows of all blocks."""
    columns = ("time", "first", "last", "count")
    index = grouped(*(np.concatenate([getattr(p.at, name) for p in pieces]) for name in columns))
    steps = list(pairwise(pieces))
    ordered = all(p.ordered for p in pieces) and all(a.end <= b.begin for a, b in steps)
    if not ordered or any(p.backwards for p in pieces):
        return replace(index, ordered=ordered)
    again = sum(a.end == b.begin for a, b in steps)
    return replace(index, ordered=True, doubles=sum(p.doubles for p in pieces) + again)


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
    if not len(time):
        return RowIndex(time, first, last, count)
    if not (time[1:] >= time[:-1]).all():
        order = np.argsort(time, kind="stable")
        time, first, last, count = time[order], first[order], last[order], count[order]
    begin = _begins(time)
    low, high = np.minimum.reduceat(first, begin), np.maximum.reduceat(last, begin)
    return RowIndex(time[begin], low, high, np.add.reduceat(count, begin))
