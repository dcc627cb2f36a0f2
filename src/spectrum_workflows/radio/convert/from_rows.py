"""A file of rows, UVFITS or UVH5, as what is converted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio.convert.grid import (
    MOST_INTERVALS,
    Grid,
    check_single,
    fuller,
    rounded,
)
from spectrum_workflows.radio.convert.layout import layout
from spectrum_workflows.radio.convert.origin import Origin, PartWords, SetWords
from spectrum_workflows.radio.convert.parts import VisibilitySet, check_filling
from spectrum_workflows.radio.read.frequencies import check_frequencies
from spectrum_workflows.radio.read.msv2.fields import Field
from spectrum_workflows.radio.read.msv2.observation import SPECTRAL_FRAMES
from spectrum_workflows.radio.read.msv2.row_index import RowIndex
from spectrum_workflows.radio.read.msv2.visibilities import SpectralWindow
from spectrum_workflows.radio.read.phase_centre import beam_of
from spectrum_workflows.radio.read.rows.imaging import phase_centre
from spectrum_workflows.radio.read.rows.index import Index, index_of, spans
from spectrum_workflows.radio.read.units import UNIX_EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.convert.layout import Block
    from spectrum_workflows.radio.read.rows.rowfile import Band, RowFile

FRAMES = {fits: number for number, fits in SPECTRAL_FRAMES.items()}
"""FITS' SPECSYS and casacore's numbers."""


def origin(file: RowFile, form: str, columns: Sequence[str]) -> Origin:
    """A file of rows.

    Raises
    ------
    SpecError
        Another column than DATA is asked for.
    """
    if unknown := [name for name in columns if name != "DATA"]:
        raise SpecError(f"there is no column {unknown[0]}", file.url, "it has DATA only")
    return Origin(
        stamp=file.identity,
        columns=("DATA",),
        left_out=(),
        parts=lambda pieces: _parts(file, pieces),
        words=lambda: _words(file, form),
        part_words=lambda part: _part_words(file, part),
        filled=lambda part, block, names: _filled(file, part, block, names),
    )


def _parts(file: RowFile, pieces: int) -> tuple[VisibilitySet, ...]:
    """One part for each field and band that has rows."""
    parts: list[VisibilitySet] = []
    for field in np.unique(file.rows.field).tolist():
        setups = np.unique(file.rows.setup[file.rows.field == field])
        for band in (band for band in file.bands if band.setup in setups):
            for grid in _grids(file, field, band):
                parts.append(_part(file, grid, pieces, len(parts)))
    return tuple(parts)


def _grids(file: RowFile, field: int, band: Band) -> tuple[Grid, ...]:
    """The grid of a field and band, or those of its integration times where that is fuller."""
    whole = _grid(file, field, band)
    every = _index(file, whole)
    values = np.unique(rounded(file.rows.exposure[every.row]))
    if not whole.sparse or not np.isfinite(values).all() or len(values) > MOST_INTERVALS:
        return (whole,)
    return fuller(whole, [_grid(file, field, band, value) for value in values.tolist()])


def _grid(file: RowFile, field: int, band: Band, interval: float | None = None) -> Grid:
    none = np.empty(0, np.int64)
    empty = Grid(field, band.number, RowIndex(np.empty(0), none, none, none), none, none, interval)
    index = _index(file, empty)
    first, second = (getattr(file.rows, n)[index.row].astype(np.int64) for n in ("first", "second"))
    pair = np.unique((first << 16) | second)
    at = RowIndex(index.time, index.start[:-1], index.start[1:] - 1, index.count)
    crossed = np.unique(file.rows.time[index.row][first != second])
    return Grid(field, band.number, at, pair >> 16, pair & 0xFFFF, interval, crossed)


def _part(file: RowFile, grid: Grid, pieces: int, number: int) -> VisibilitySet:
    field, band = grid.field, file.bands[grid.data_description]
    check_frequencies(band.frequency, f"spectral window {band.number}", file.url)
    check_filling(grid, file.url)
    where = phase_centre(file, field, beam_of(file.longest, band.frequency))
    window = SpectralWindow(
        number=band.number,
        types=np.array(band.types, np.int32),
        frequency=band.frequency,
        width=band.width,
        frame=FRAMES.get(band.frame, -1),
        name=band.name,
    )
    name = file.url.rstrip("/").rpartition("/")[2].partition(".")[0]
    cut = layout((*grid.shape, len(band.frequency), len(band.types)), pieces)
    described = Field(where.name, where.centre, where.frame)
    return VisibilitySet(f"{name}_{number}", grid, cut, ("DATA",), window, described)


def _index(file: RowFile, grid: Grid) -> Index:
    """The rows of a grid."""
    band = file.bands[grid.data_description]
    index = index_of(file.rows, grid.field, band, autocorrelations=True)
    if grid.interval is None:
        return index
    row = index.row[rounded(file.rows.exposure[index.row]) == grid.interval]
    time, start = np.unique(file.rows.time[row], return_index=True)
    return Index(row, time, np.append(start, len(row)).astype(np.int64))


def _words(file: RowFile, form: str) -> SetWords:
    names = file.antennas.name
    observer, project = file.about.get("observer", ""), file.about.get("project", "")
    return SetWords(
        form=form,
        telescope=file.telescope,
        time_scale=file.time_scale,
        antennas=file.antennas,
        stations=("",) * len(names),
        mounts=("",) * len(names),
        observation={"observer": [observer], "release_date": "", "project_UID": project},
        processor={"type": "", "sub_type": ""},
        longest=file.longest,
    )


def _part_words(file: RowFile, part: VisibilitySet) -> PartWords:
    band = file.bands[part.grid.data_description]
    index, crossed = _index(file, part.grid), part.grid.crossed
    assert crossed is not None
    without = ~np.isin(index.time, crossed)
    return PartWords(
        interval=float(file.rows.exposure[index.row[0]]),
        reference_hz=float(band.frequency[0]),
        scans=("0",) * len(index.time),
        intents=("UNSPECIFIED",),
        without_cross=tuple(np.flatnonzero(without).tolist()),
    )


def _filled(
    file: RowFile, part: VisibilitySet, block: Block, names: Sequence[str]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays of a block, all read at once: a row has its numbers together."""
    band = file.bands[part.grid.data_description]
    index = _index(file, part.grid)
    begin, end = index.start[block.time_start], index.start[block.time_stop]
    row = index.row[begin:end]
    time = np.repeat(np.arange(block.shape[0]), index.count[block.time_start : block.time_stop])
    known = (part.grid.antenna1 << 16) | part.grid.antenna2
    pair = (file.rows.first[row].astype(np.int64) << 16) | file.rows.second[row]
    cell = time * len(known) + np.searchsorted(known, pair)
    check_single(cell, file.url)
    out = _empty(part, block, names)
    order = np.argsort(row, kind="stable")
    rows, channels = row[order], slice(block.chan_start, block.chan_stop)
    with file.reading() as reading:
        for some, start, stop in spans(rows, file.row_bytes):
            here, own = rows[some] - start, cell[order[some]]
            content = reading.block(start, stop, band, channels, slice(None))
            centre = file.rows.time[rows[some]] - UNIX_EPOCH
            values = {
                "UVW": content.uvw[here],
                "TIME_CENTROID": centre,
                "EFFECTIVE_INTEGRATION_TIME": file.rows.exposure[rows[some]],
                "VISIBILITY": content.data[here],
                "FLAG": content.flag[here],
                "WEIGHT": content.weight[here],
            }
            for name in names:
                out[name][own] = values[name]
    for name in names:
        shape = (block.shape[0], len(known), *out[name].shape[1:])
        yield name, out.pop(name).reshape(shape)


def _empty(part: VisibilitySet, block: Block, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Arrays of a block without any row."""
    count = block.shape[0] * part.cut.shape[1]
    out = {}
    for name in names:
        variable = part.variables[name]
        rest: tuple[int, ...] = ()
        if "frequency" in variable.dims:
            rest = (block.shape[1], part.cut.shape[3])
        elif "uvw_label" in variable.dims:
            rest = (3,)
        out[name] = np.full((count, *rest), variable.fill, variable.dtype)
    return out
