"""Looking at every row before any is imaged: what a Measurement Set may not leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.msv2.cells import (
    EMPTY,
    Shapes,
    check_type,
    defined,
    selected,
    shapes,
)
from spectrum_workflows.radio.read.msv2.row_index import ROWS, identified
from spectrum_workflows.radio.read.msv2.tables import CONTRADICTION, opened
from spectrum_workflows.radio.types import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.msv2.row_index import RowIndex
    from spectrum_workflows.radio.types import Selection

NEEDED = ("UVW", "FLAG", "WEIGHT", "TIME", "DATA_DESC_ID", "FIELD_ID", "ANTENNA1", "ANTENNA2")
"""Columns of the main table without which there is no image."""

FARTHEST = 1e10
"""No two antennas are that far apart, m: such a number is no coordinate."""

TOGETHER = 1 << 24
"""Rows that are looked through for doubles at a time."""


@dataclass(frozen=True)
class Asked:
    """Part of a set that is looked at.

    Attributes
    ----------
    field, data_description : int
    columns : tuple of str
        Data columns.
    shape : tuple of int
        Channels and correlations that the subtables promise.
    autocorrelations : bool
        Whether these are looked at too.
    selection : Selection
        Of the rows.
    """

    field: int
    data_description: int
    columns: tuple[str, ...]
    shape: tuple[int, int]
    autocorrelations: bool = False
    selection: Selection = EVERYTHING

    @property
    def chosen(self) -> tuple[int, int]:
        """Field and data description."""
        return self.field, self.data_description


def check_columns(table: Any, url: str) -> None:
    """Refuse a main table that lacks what every image needs.

    Raises
    ------
    DataError
        It is another kind of table.
    """
    if missing := [name for name in NEEDED if name not in table.colnames()]:
        raise DataError(f"no column {', '.join(missing)}", url, "name a Measurement Set")
    units = [str(u) for u in np.ravel(table.getcolkeywords("TIME").get("QuantumUnits", "s"))]
    if units != ["s"]:
        raise DataError(f"TIME is in {', '.join(units)}, not in s", url, "give it in s")


def check_rows(url: str, asked: Asked) -> None:
    """Refuse rows that lack what an image needs, or say it in another shape than promised.

    Raises
    ------
    DataError
        Naming the column and the first such row.
    """
    with opened(url, "ANTENNA") as table:
        nantenna = table.nrows()
    with opened(url) as table:
        for name in asked.columns:
            check_type(table, name, "complex", "dcomplex", url=url)
        check_type(table, "FLAG", "boolean", url=url)
        check_type(table, "WEIGHT", "float", "double", url=url)
        nrow, uniform = table.nrows(), _uniform(table, asked.shape)
    for start in range(0, nrow, ROWS):
        with opened(url) as table:  # anew: casacore keeps all that it has read
            stop = min(start + ROWS, nrow)
            rows, time, _ = identified(
                table,
                asked.chosen,
                start,
                stop,
                autocorrelations=asked.autocorrelations,
                selection=asked.selection,
            )
            _check_numbers(table, (start, stop, nantenna), rows, time, url)
            if len(rows):
                _check_cells(selected(table, rows), asked, uniform, rows, url)


def _uniform(table: Any, shape: tuple[int, int]) -> set[str]:
    """Columns whose storage manager has cells of this shape only, wherever it has one."""
    columns: set[str] = set()
    for manager in table.getdminfo().values():
        cubes = manager["SPEC"].get("HYPERCUBES") if manager["TYPE"].startswith("Tiled") else None
        sizes = {tuple(map(int, cube["CellShape"][::-1])) for cube in (cubes or {}).values()}
        if sizes == {shape}:
            columns |= set(manager["COLUMNS"])
    return columns


def _check_numbers(
    table: Any,
    limits: tuple[int, int, int],
    rows: NDArray[np.int64],
    time: NDArray[np.float64],
    url: str,
) -> None:
    start, stop, nantenna = limits
    for name in ("ANTENNA1", "ANTENNA2"):
        number = np.asarray(table.getcol(name, start, stop - start))[rows - start]
        wrong = (number < 0) | (number >= nantenna)
        if wrong.any():
            row, value = rows[wrong][0], number[wrong][0]
            message = (
                f"{name} is {value} in row {row}, but the ANTENNA subtable has {nantenna} rows"
            )
            raise DataError(message, url, CONTRADICTION)
    if not np.isfinite(time).all():
        row = rows[~np.isfinite(time)][0]
        raise DataError(f"TIME is not a number in row {row}", url, "set it or leave the row out")


def _check_cells(
    view: Any, asked: Asked, uniform: set[str], rows: NDArray[np.int64], url: str
) -> None:
    for name in (*asked.columns, "FLAG"):
        _refuse(_shapes(view, name, asked.shape, uniform), name, asked.shape, rows, url)
    names = view.colnames()
    spectrum = np.zeros(len(rows), np.bool_)
    if "WEIGHT_SPECTRUM" in names:
        check_type(view, "WEIGHT_SPECTRUM", "float", "double", url=url)
        cell_shapes = _shapes(view, "WEIGHT_SPECTRUM", asked.shape, uniform)
        spectrum[cell_shapes.other_than(EMPTY)] = True
        _refuse(cell_shapes, "WEIGHT_SPECTRUM", asked.shape, rows, url, EMPTY)
    plain = np.flatnonzero(~spectrum)
    if len(plain):
        cell_shapes = shapes(selected(view, plain), "WEIGHT")
        _refuse(cell_shapes, "WEIGHT", asked.shape[1:], rows[plain], url)
    _refuse(shapes(view, "UVW"), "UVW", (3,), rows, url)
    uvw = np.asarray(view.getcol("UVW"))
    with np.errstate(invalid="ignore"):
        far = (np.abs(uvw) > FARTHEST).any(axis=1) & np.isfinite(uvw).all(axis=1)
    if far.any():
        message = f"UVW of row {rows[far][0]} is larger than any baseline"
        raise DataError(message, url, "set it, or leave the row out")


def _shapes(view: Any, name: str, shape: tuple[int, int], uniform: set[str]) -> Shapes:
    """The shapes of a column's cells; where they can only be one, at little cost."""
    if name not in uniform or not view.isvarcol(name):
        return shapes(view, name)
    return Shapes((shape, EMPTY), (~defined(view, name)).astype(np.int64))


def _refuse(
    shapes: Shapes,
    name: str,
    shape: tuple[int, ...],
    rows: NDArray[np.int64],
    url: str,
    *others: tuple[int, ...],
) -> None:
    """Raise where a cell has another shape than this one, or one of the others."""
    wrong = shapes.other_than(shape, *others)
    if not len(wrong):
        return
    is_shape, row = shapes.of(int(wrong[0])), rows[wrong[0]]
    if is_shape != EMPTY:
        message = f"{name} has shape {is_shape} in row {row}, not {shape}"
        raise DataError(message, url, CONTRADICTION)
    many = f"{len(wrong)} rows, the first of them row {row}" if len(wrong) > 1 else f"row {row}"
    raise DataError(f"{name} holds no value in {many}", url, "fill it or leave these rows out")


def has_values(url: str, column: str, rows: Sequence[int] = (0,)) -> bool:
    """Whether a data column is there and holds something in one of some rows."""
    with opened(url) as table:
        if column not in table.colnames():
            return False
        for row in rows:
            if table.iscelldefined(column, row) and np.size(table.getcell(column, row)):
                return True
    return False


def doubles(
    url: str, chosen: tuple[int, int], at: RowIndex, selection: Selection = EVERYTHING
) -> int:
    """Rows of a time and baseline that another row has too, in either order of the antennas."""
    if at.doubles is not None:
        return at.doubles
    with opened(url) as table:
        nrow = table.nrows()
        passes = -(-nrow // TOGETHER)
        return sum(_doubles(table, chosen, selection, n, passes) for n in range(passes))


def _doubles(
    table: Any, chosen: tuple[int, int], selection: Selection, number: int, passes: int
) -> int:
    """Those among the rows whose key falls into one of several parts."""
    nrow = table.nrows()
    keys = []
    for start in range(0, nrow, ROWS):
        stop = min(start + ROWS, nrow)
        _, time, pair = identified(table, chosen, start, stop, selection=selection)
        low, high = np.minimum(pair >> 16, pair & 0xFFFF), np.maximum(pair >> 16, pair & 0xFFFF)
        key = _mixed(time.view(np.uint64) + ((low << 16) | high).astype(np.uint64) * ODD)
        keys.append(key[key % np.uint64(passes) == number])
    every = np.concatenate(keys) if keys else np.empty(0, np.uint64)
    return len(every) - len(np.unique(every))


ODD = np.uint64(0x9E3779B97F4A7C15)
"""A multiplier that spreads small numbers over 64 bits (Knuth, TAOCP 3, 6.4)."""


def _mixed(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of the key depends on all (the finaliser of splitmix64)."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
