"""Reading Measurement Sets (version 2, CASA memo 229) with python-casacore."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.frequencies import rising
from spectrum_workflows.radio.read.msv2.cells import cut, weights
from spectrum_workflows.radio.read.msv2.row_index import RowIndex, row_index, rows_of
from spectrum_workflows.radio.read.msv2.tables import cell, factor, opened
from spectrum_workflows.radio.types import EVERYTHING, Chunk, Rows, Visibilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Selection

BLOCK_BYTES = 4 << 20
"""Correlated data held at a time while they are combined to Stokes I."""


def index(url: str, chosen: tuple[int, int], selection: Selection = EVERYTHING) -> RowIndex:
    """The chosen rows of each time of a field and data description."""
    files = [p.stat() for p in storage.local_path(url).glob("table.*") if p.suffix != ".lock"]
    stamp = (max(f.st_mtime_ns for f in files), sum(f.st_size for f in files))
    return row_index(opened, url, stamp, chosen, selection)


def _index(chunk: Chunk) -> RowIndex:
    """The rows that a chunk's times are counted in."""
    return index(chunk.url, (chunk.field, chunk.data_description), chunk.selection)


@dataclass(frozen=True)
class SpectralWindow:
    """Channels and correlations of a data description, as the subtables give them.

    Attributes
    ----------
    number : int
        Row of the SPECTRAL_WINDOW subtable.
    types : ndarray of int32, shape (ncorr,)
        Correlations by their number.
    frequency, width : ndarray of float64, shape (nchan,)
        Of the channels, Hz; widths are positive, and NaN where not known.
    frame : int
        casacore's number of the frame of the frequencies.
    name : str
        Empty where the set has none.
    """

    number: int
    types: NDArray[np.int32]
    frequency: NDArray[np.float64]
    width: NDArray[np.float64]
    frame: int
    name: str = ""


def window_of(url: str, data_description: int) -> SpectralWindow:
    """The spectral window and polarization of a data description."""
    with opened(url, "DATA_DESCRIPTION") as table:
        of = (url, "DATA_DESCRIPTION", "DATA_DESC_ID")
        window = int(cell(table, "SPECTRAL_WINDOW_ID", data_description, of))
        polarization = int(cell(table, "POLARIZATION_ID", data_description, of))
    with opened(url, "POLARIZATION") as table:
        of = (url, "POLARIZATION", "POLARIZATION_ID")
        types = np.asarray(cell(table, "CORR_TYPE", polarization, of))
    with opened(url, "SPECTRAL_WINDOW") as table:
        of = (url, "SPECTRAL_WINDOW", "SPECTRAL_WINDOW_ID")
        frequency = np.asarray(cell(table, "CHAN_FREQ", window, of), np.float64)
        frequency *= factor(table, "CHAN_FREQ", "Hz", url)
        width = _widths(table, window, frequency, url)
        known = _has(table, "MEAS_FREQ_REF")
        frame = int(table.getcell("MEAS_FREQ_REF", window)) if known else -1
        name = str(table.getcell("NAME", window)) if _has(table, "NAME") else ""
    return SpectralWindow(window, types, frequency, width, frame, name)


def _has(table: Any, column: str) -> bool:
    return column in table.colnames()


def _widths(
    table: Any, window: int, frequency: NDArray[np.float64], url: str
) -> NDArray[np.float64]:
    """Widths of the channels, Hz, where the set says them."""
    unknown = np.full(len(frequency), np.nan)
    if not _has(table, "CHAN_WIDTH") or not table.iscelldefined("CHAN_WIDTH", window):
        return unknown
    width = np.ravel(np.abs(np.asarray(table.getcell("CHAN_WIDTH", window), np.float64)))
    if width.shape != frequency.shape:
        return unknown
    width *= factor(table, "CHAN_WIDTH", "Hz", url)
    return np.where(np.isfinite(width) & (width > 0), width, np.nan)


def correlations(url: str, data_description: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Correlation types and channel frequencies (Hz) of a data description."""
    window = window_of(url, data_description)
    return window.types, window.frequency


def read(chunk: Chunk) -> Visibilities:
    """Stokes I of one chunk, rows in (time, antenna1, antenna2) order.

    At most `BLOCK_BYTES` of correlated data are in memory besides the result.

    Raises
    ------
    DataError
        The set cannot be read, or has changed since the run was planned.
    """
    types, frequency = correlations(chunk.url, chunk.data_description)
    hand = stokes.hands(types.tolist(), chunk.url, chunk.selection.hands)
    with opened(chunk.url) as table:
        at = _index(chunk)
        rows, place = rows_of(table, chunk, at)
        shape = (len(rows), chunk.chan_stop - chunk.chan_start)
        if not chunk.is_of(shape[0] * shape[1]):
            raise DataError(
                "the set has changed since the run was planned", chunk.where, "run again"
            )
        out = Visibilities(
            uvw=np.empty((len(rows), 3)),
            frequency=frequency[chunk.chan_start : chunk.chan_stop],
            visibility=np.empty(shape, np.complex64),
            weight=np.empty(shape, np.float32),
            unflagged=0,
            rows=Rows(
                time=np.empty(len(rows), np.int32),
                first=np.empty(len(rows), np.int16),
                second=np.empty(len(rows), np.int16),
            ),
        )
        times = at.time[chunk.time_start : chunk.time_stop]
        unflagged = 0
        step = max(1, BLOCK_BYTES // (8 * shape[1] * len(hand)))
        for start in range(0, len(rows), step):
            block = tuple(np.asarray(array[start : start + step]) for array in (rows, place))
            unflagged += _read_block(table, chunk, hand, block, times, out)
    storage.count(out.weight.size * visibility_bytes(len(types)), chunk.url)
    return rising(replace(out, unflagged=unflagged))


def coordinates(chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UVW (m) of a chunk's rows, in any order, and frequencies (Hz); what is not finite is 0."""
    _, frequency = correlations(chunk.url, chunk.data_description)
    with opened(chunk.url) as table:
        rows, _ = rows_of(table, chunk, _index(chunk))
        if isinstance(rows, range):
            uvw = uvw_of(table, rows.start, len(rows), chunk.url)
        else:
            uvw = uvw_of(table.selectrows(rows), 0, len(rows), chunk.url)
    uvw[~np.isfinite(uvw).all(axis=1)] = 0.0
    return uvw, frequency[chunk.chan_start : chunk.chan_stop]


def uvw_of(view: Any, start: int, count: int, url: str) -> NDArray[np.float64]:
    """Baseline coordinates of some rows, m."""
    uvw = np.asarray(view.getcol("UVW", start, count), np.float64)
    scale = factor(view, "UVW", "m", url)
    return uvw if scale == 1.0 else uvw * scale


def visibility_bytes(ncorr: int) -> int:
    """Bytes of one visibility: data (8) and flags (1) of all its correlations."""
    return ncorr * 9


def _read_block(
    table: Any,
    chunk: Chunk,
    hand: tuple[int, ...],
    block: tuple[NDArray[np.int64], ...],
    times: NDArray[np.float64],
    out: Visibilities,
) -> int:
    """Read some rows, put their Stokes I where it belongs, count the unflagged."""
    rows, place = block
    span = int(rows[-1] - rows[0]) + 1
    if span == len(rows):  # other rows may have other shapes
        view, start, count, source = table, int(rows[0]), span, rows - rows[0]
    else:
        view, start, count, source = table.selectrows(rows), 0, len(rows), np.arange(len(rows))
    uvw = uvw_of(view, start, count, chunk.url)
    data, flag, weight = _pieces(view, chunk, hand, (start, count))
    if _has(view, "FLAG_ROW"):
        flag[np.asarray(view.getcol("FLAG_ROW", start, count))] = True
    weight[~np.isfinite(uvw).all(axis=1)] = 0.0  # unusable, though not flagged
    assert out.rows is not None
    time = np.asarray(view.getcol("TIME", start, count))[source]
    out.rows.time[place] = chunk.time_start + np.searchsorted(times, time)
    out.rows.first[place] = np.asarray(view.getcol("ANTENNA1", start, count))[source]
    out.rows.second[place] = np.asarray(view.getcol("ANTENNA2", start, count))[source]
    out.uvw[place] = np.nan_to_num(uvw[source], posinf=0.0, neginf=0.0)
    unflagged: int = stokes.combine(
        (data, flag, weight),
        source,
        place,
        out.visibility,
        out.weight,
        chunk.selection.hands == "either",
    )
    return unflagged


def _pieces(
    view: Any, chunk: Chunk, hand: tuple[int, ...], rows: tuple[int, int]
) -> tuple[NDArray[np.complex64], NDArray[np.bool_], NDArray[np.float32]]:
    """Data, flags and weights of the parallel hands: (n, nchan, nhand) each."""
    step = max(hand[-1] - hand[0], 1)
    window = ([chunk.chan_start, hand[0]], [chunk.chan_stop - 1, hand[-1]], [1, step])
    data = cut(view, chunk.column, window, rows).astype(np.complex64, copy=False)
    return data, cut(view, "FLAG", window, rows), weights(view, window, rows)
