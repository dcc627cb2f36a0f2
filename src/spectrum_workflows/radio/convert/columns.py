"""Reading columns of a Measurement Set into cells of times × baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.read.msv2 import cells
from spectrum_workflows.radio.read.msv2.visibilities import uvw_of
from spectrum_workflows.radio.read.units import UNIX_EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spectrum_workflows.radio.convert.grid import Cells
    from spectrum_workflows.radio.convert.layout import Block

READ_BYTES = 4 << 20
"""Bytes of a column that are read at a time."""


@dataclass(frozen=True)
class ColumnSource:
    """Some rows of an open main table and the block of cells they fill.

    Attributes
    ----------
    url : str
    table : casacore.tables.table
    cells : Cells
    block : Block
    shape : tuple of int
        Times of the block, baselines, polarizations.
    """

    url: str
    table: Any
    cells: Cells
    block: Block
    shape: tuple[int, int, int]


def visibilities(source: ColumnSource, column: str) -> NDArray[np.complex64]:
    """A data column; NaN where there is no row."""
    out = _padded(source, complex(np.nan, np.nan), np.complex64)
    for cell, view, start, count in _pieces(source, 8):
        out[cell] = _slice(view, source, column, np.complex64, (start, count))
    return _shaped(source, out)


def flags(source: ColumnSource) -> NDArray[np.bool_]:
    """FLAG or FLAG_ROW; set where there is no row."""
    out = _padded(source, True, np.bool_)
    for cell, view, start, count in _pieces(source, 1):
        flag = _slice(view, source, "FLAG", np.bool_, (start, count))
        if "FLAG_ROW" in view.colnames():
            flag[np.asarray(view.getcol("FLAG_ROW", start, count))] = True
        out[cell] = flag
    return _shaped(source, out)


def weights(source: ColumnSource) -> NDArray[np.float32]:
    """WEIGHT_SPECTRUM in rows that have it, else WEIGHT for every channel; NaN without a row."""
    out = _padded(source, np.nan, np.float32)
    for cell, view, start, count in _pieces(source, 4):
        out[cell] = cells.weights(view, _window(source), (start, count))
    return _shaped(source, out)


def coordinates(source: ColumnSource) -> dict[str, NDArray[np.float64]]:
    """UVW (m), TIME_CENTROID (s since 1970) and EFFECTIVE_INTEGRATION_TIME (s).

    NaN where there is no row.  TIME_CENTROID is finite where there is one: a
    row without takes its TIME, so that a reader can tell the two cases.
    """
    ntime, nbaseline, _ = source.shape
    out = {
        "UVW": np.full((ntime * nbaseline, 3), np.nan),
        "TIME_CENTROID": np.full(ntime * nbaseline, np.nan),
        "EFFECTIVE_INTEGRATION_TIME": np.full(ntime * nbaseline, np.nan),
    }
    for cell, view, start, count in _pieces(source, 24):
        out["UVW"][cell] = uvw_of(view, start, count, source.url)
        names = view.colnames()
        if "EXPOSURE" in names:
            out["EFFECTIVE_INTEGRATION_TIME"][cell] = view.getcol("EXPOSURE", start, count)
        time = np.asarray(view.getcol("TIME", start, count))
        own = "TIME_CENTROID" if "TIME_CENTROID" in names else "TIME"
        centroid = np.asarray(view.getcol(own, start, count))
        out["TIME_CENTROID"][cell] = np.where(np.isfinite(centroid), centroid, time) - UNIX_EPOCH
    return {
        name: values.reshape(ntime, nbaseline, *values.shape[1:]) for name, values in out.items()
    }


def _padded(source: ColumnSource, value: Any, dtype: Any) -> NDArray[Any]:
    ntime, nbaseline, npol = source.shape
    nchan = source.block.shape[1]
    return np.full((ntime * nbaseline, nchan, npol), value, dtype)


def _shaped(source: ColumnSource, values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(*source.shape[:2], *values.shape[1:])


def _pieces(source: ColumnSource, nbytes: int) -> Iterator[tuple[NDArray[np.int64], Any, int, int]]:
    """Cells of some rows, and a table, first row and count that give those rows."""
    row, cell = source.cells.row, source.cells.cell
    nchan = source.block.shape[1]
    step = max(1, READ_BYTES // (nbytes * nchan * source.shape[2]))
    for start in range(0, len(row), step):
        some = row[start : start + step]
        if some[-1] - some[0] + 1 == len(some):
            yield cell[start : start + step], source.table, int(some[0]), len(some)
        else:
            yield cell[start : start + step], source.table.selectrows(some), 0, len(some)


def _slice(
    view: Any, source: ColumnSource, column: str, dtype: Any, rows: tuple[int, int]
) -> NDArray[Any]:
    """The block's channels of one column for some consecutive rows."""
    return cells.cut(view, column, _window(source), rows).astype(dtype, copy=False)


def _window(source: ColumnSource) -> cells.Window:
    """The block's channels, all correlations."""
    block, npol = source.block, source.shape[2]
    return [block.chan_start, 0], [block.chan_stop - 1, npol - 1], [1, 1]
