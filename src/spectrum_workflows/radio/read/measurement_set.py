"""Reading Measurement Sets (version 2, CASA memo 229) with python-casacore."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.row_index import RowIndex, row_index, rows_of
from spectrum_workflows.radio.types import Slab, Visibilities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BLOCK_BYTES = 4 << 20
"""Correlated data held at a time while they are combined to Stokes I."""


@contextmanager
def opened(url: str, subtable: str = "") -> Iterator[Any]:
    """A casacore table, without locks and without chatter.

    Raises
    ------
    DataError
        It is not a Measurement Set, or is damaged.
    """
    import casacore.tables as casa

    os.environ.setdefault("HOME", os.sep)  # casacore wants one, which a bare container lacks
    path = storage.local_path(url)
    name = f"{path}::{subtable}" if subtable else str(path)
    try:
        with casa.table(name, ack=False, lockoptions="usernoread") as table:
            yield table
    except RuntimeError as error:
        if not (path / "table.dat").is_file():
            remedy = "name a folder that casacore can open"
            raise DataError("not a Measurement Set", url, remedy) from None
        said = str(error).splitlines()[0].replace(str(path), path.name)
        remedy = "the set is damaged or incomplete: copy it again"
        raise DataError(f"{subtable or 'main table'} unreadable ({said})", url, remedy) from error


def index(url: str, chosen: tuple[int, int]) -> RowIndex:
    """The rows of each time of the chosen field and data description."""
    files = [p.stat() for p in storage.local_path(url).glob("table.*") if p.suffix != ".lock"]
    stamp = (max(f.st_mtime_ns for f in files), sum(f.st_size for f in files))
    return row_index(opened, url, stamp, chosen)


def correlations(url: str, data_description: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Correlation types and channel frequencies (Hz) of a data description."""
    with opened(url, "DATA_DESCRIPTION") as table:
        window = table.getcell("SPECTRAL_WINDOW_ID", data_description)
        polarization = table.getcell("POLARIZATION_ID", data_description)
    with opened(url, "POLARIZATION") as table:
        types = np.asarray(table.getcell("CORR_TYPE", polarization))
    with opened(url, "SPECTRAL_WINDOW") as table:
        return types, np.asarray(table.getcell("CHAN_FREQ", window), np.float64)


def read(slab: Slab) -> Visibilities:
    """Stokes I of one slab, rows in (time, antenna1, antenna2) order.

    At most `BLOCK_BYTES` of correlated data are in memory besides the result.

    Raises
    ------
    DataError
        The set cannot be read, or has changed since the run was planned.
    """
    types, frequency = correlations(slab.url, slab.data_description)
    hand = stokes.hands(types.tolist(), slab.url)
    with opened(slab.url) as table:
        rows, place = rows_of(table, slab, index(slab.url, (slab.field, slab.data_description)))
        shape = (len(rows), slab.chan_stop - slab.chan_start)
        if shape[0] * shape[1] != slab.size:
            raise DataError(
                "the set has changed since the run was planned", slab.where, "run again"
            )
        out = Visibilities(
            uvw=np.empty((len(rows), 3)),
            frequency=frequency[slab.chan_start : slab.chan_stop],
            visibility=np.empty(shape, np.complex64),
            weight=np.empty(shape, np.float32),
            unflagged=0,
        )
        unflagged = 0
        step = max(1, BLOCK_BYTES // (8 * shape[1] * len(hand)))
        for start in range(0, len(rows), step):
            block = tuple(np.asarray(what[start : start + step]) for what in (rows, place))
            unflagged += _read_block(table, slab, hand, block, out)
    storage.count(slab.size * visibility_bytes(len(types)))
    return rising(replace(out, unflagged=unflagged))


def coordinates(slab: Slab) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UVW (m) of a slab's rows, in any order, and frequencies (Hz); what is not finite is 0."""
    _, frequency = correlations(slab.url, slab.data_description)
    with opened(slab.url) as table:
        rows, _ = rows_of(table, slab, index(slab.url, (slab.field, slab.data_description)))
        if isinstance(rows, range):
            uvw = np.asarray(table.getcol("UVW", rows.start, len(rows)))
        else:
            uvw = np.asarray(table.selectrows(rows).getcol("UVW"))
    uvw[~np.isfinite(uvw).all(axis=1)] = 0.0
    return uvw, frequency[slab.chan_start : slab.chan_stop]


def visibility_bytes(ncorr: int) -> int:
    """Bytes of one visibility: data (8) and flags (1) of all its correlations."""
    return ncorr * 9


def _read_block(
    table: Any,
    slab: Slab,
    hand: tuple[int, ...],
    block: tuple[NDArray[np.int64], ...],
    out: Visibilities,
) -> int:
    """Read some rows, put their Stokes I where it belongs, count the unflagged."""
    rows, place = block
    span = int(rows[-1] - rows[0]) + 1
    if span == len(rows):  # other rows may have other shapes
        view, start, count, source = table, int(rows[0]), span, rows - rows[0]
    else:
        view, start, count, source = table.selectrows(rows), 0, len(rows), np.arange(len(rows))
    uvw = np.empty((count, 3))
    view.getcolslicenp("UVW", uvw, [0], [2], [1], start, count)
    data, flag, weight = _pieces(view, slab, hand, (start, count))
    flag[np.asarray(view.getcol("FLAG_ROW", start, count))] = True
    flag[~np.isfinite(uvw).all(axis=1)] = True
    out.uvw[place] = np.nan_to_num(uvw[source], posinf=0.0, neginf=0.0)
    unflagged: int = stokes.combine((data, flag, weight), source, place, out.visibility, out.weight)
    return unflagged


def _pieces(
    view: Any, slab: Slab, hand: tuple[int, ...], rows: tuple[int, int]
) -> tuple[NDArray[np.complex64], NDArray[np.bool_], NDArray[np.float32]]:
    """Data, flags and weights of the parallel hands: (n, nchan, nhand) each."""
    start, count = rows
    step = max(hand[-1] - hand[0], 1)
    window = ([slab.chan_start, hand[0]], [slab.chan_stop - 1, hand[-1]], [1, step])
    shape = (count, slab.chan_stop - slab.chan_start, len(hand))

    def cut(name: str, dtype: type) -> NDArray[Any]:
        values: NDArray[Any] = np.empty(shape, dtype)
        view.getcolslicenp(name, values, *window, start, count)
        return values

    if "WEIGHT_SPECTRUM" in view.colnames() and view.iscelldefined("WEIGHT_SPECTRUM", start):
        weight = cut("WEIGHT_SPECTRUM", np.float32)
    else:
        weight = np.asarray(view.getcol("WEIGHT", start, count), np.float32)[:, None, list(hand)]
    return cut(slab.column, np.complex64), cut("FLAG", np.bool_), weight


def rising(data: Visibilities) -> Visibilities:
    """Channels in order of rising frequency, as the gridder wants them."""
    order = np.argsort(data.frequency, kind="stable")
    if np.array_equal(order, np.arange(len(order))):
        return data
    return replace(
        data,
        frequency=data.frequency[order],
        visibility=np.ascontiguousarray(data.visibility[:, order]),
        weight=np.ascontiguousarray(data.weight[:, order]),
    )
