"""Cells of a column: each row may have a shape of its own, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.msv2.tables import TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Window = tuple[list[int], list[int], list[int]]
    """First, last and step of channel and correlation."""

FIXED = 4
"""Bit of a column's option that says that all cells have the shape of its description."""

EMPTY: tuple[int, ...] = ()
"""The shape of a cell without a value."""


@dataclass(frozen=True)
class Shapes:
    """Shapes of some cells; `EMPTY` where there is no value, or an array of none.

    Attributes
    ----------
    distinct : tuple of tuple of int
    which : ndarray of int64, shape (nrow,)
        For every row the place in ``distinct``.
    """

    distinct: tuple[tuple[int, ...], ...]
    which: NDArray[np.int64]

    def other_than(self, *shapes: tuple[int, ...]) -> NDArray[np.int64]:
        """Rows whose cell has none of these shapes."""
        wrong = [n for n, shape in enumerate(self.distinct) if shape not in shapes]
        return np.flatnonzero(np.isin(self.which, wrong))

    def of(self, row: int) -> tuple[int, ...]:
        """The shape of one row's cell."""
        return self.distinct[self.which[row]]


def selected(view: Any, rows: NDArray[np.int64]) -> Any:
    """Some rows of a table, rising, as a table; casacore notes them one by one only if it must."""
    if len(rows) == view.nrows():
        return view
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return view.query(offset=int(rows[0]), limit=len(rows))
    return view.selectrows(rows)


def shapes(view: Any, column: str) -> Shapes:
    """The shapes of all cells of a column of arrays."""
    nrow = view.nrows()
    if not view.isvarcol(column):
        return Shapes((tuple(map(int, view.getcoldesc(column)["shape"])),), np.zeros(nrow, int))
    filled = defined(view, column)
    if not filled.any():
        return Shapes((EMPTY,), np.zeros(nrow, int))
    held = selected(view, np.flatnonzero(filled))
    texts, which = np.unique(held.getcolshapestring(column), return_inverse=True)
    distinct = [tuple(int(n) for n in text.strip("[]").split(",")) for text in texts]
    distinct = [shape if all(shape) else EMPTY for shape in distinct]
    every = np.full(nrow, len(distinct))
    every[filled] = which
    return Shapes((*distinct, EMPTY), every)


def defined(view: Any, column: str) -> NDArray[np.bool_]:
    """Mask of the rows that have a cell."""
    import casacore.tables as casa

    return np.asarray(casa.taql(f"calc isdefined({column}) from $1", tables=[view]), np.bool_)


def cut(view: Any, column: str, window: Window, rows: tuple[int, int]) -> NDArray[Any]:
    """Part of the cells of some consecutive rows, in the column's own type."""
    start, count = rows
    (a, b), (c, d), (e, f) = window
    shape = (count, (c - a) // e + 1, (d - b) // f + 1)
    values: NDArray[Any] = np.empty(shape, TYPES[view.coldatatype(column)])
    view.getcolslicenp(column, values, *window, start, count)
    return values


def weights(view: Any, window: Window, rows: tuple[int, int]) -> NDArray[np.float32]:
    """WEIGHT_SPECTRUM in each row that has it, else WEIGHT for every channel.

    Returns
    -------
    ndarray of float32, shape (nrow, nchan or 1, ncorr)
        One channel where no row has a WEIGHT_SPECTRUM.
    """
    start, count = rows
    if "WEIGHT_SPECTRUM" not in view.colnames():
        return _plain(view, window, rows)
    if view.iscelldefined("WEIGHT_SPECTRUM", start):
        try:
            return cut(view, "WEIGHT_SPECTRUM", window, rows).astype(np.float32, copy=False)
        except RuntimeError:  # not in every row
            pass
    some = selected(view, np.arange(start, start + count))
    own = np.zeros(count, np.bool_)
    own[shapes(some, "WEIGHT_SPECTRUM").other_than(EMPTY)] = True
    if not own.any():
        return _plain(view, window, rows)
    with_own, without = (np.flatnonzero(which) for which in (own, ~own))
    held = selected(some, with_own)
    spectrum = cut(held, "WEIGHT_SPECTRUM", window, (0, len(with_own)))
    out = np.empty((count, *spectrum.shape[1:]), np.float32)
    out[with_own] = spectrum
    if len(without):
        out[without] = _plain(selected(some, without), window, (0, len(without)))
    return out


def _plain(view: Any, window: Window, rows: tuple[int, int]) -> NDArray[np.float32]:
    """WEIGHT of some rows as if it had one channel."""
    (_, first), (_, last), (_, step) = window
    given = np.asarray(view.getcol("WEIGHT", *rows), np.float32)
    return given[:, None, first : last + 1 : step]


def check_type(view: Any, column: str, *allowed: str, url: str) -> None:
    """Refuse a column of another type of value."""
    kind = view.coldatatype(column)
    if kind not in allowed or view.isscalarcol(column):
        contents = f"single {kind} values" if view.isscalarcol(column) else kind
        raise DataError(
            f"{column} holds {contents}, not arrays of {allowed[0]}", url, "choose another"
        )
