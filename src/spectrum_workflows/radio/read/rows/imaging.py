"""Describing and reading a file of rows, whatever its format."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.choices import chosen
from spectrum_workflows.radio.read.frequencies import check_frequencies, rising
from spectrum_workflows.radio.read.phase_centre import beam_of, still
from spectrum_workflows.radio.read.rows.index import Index, doubles, index_of, spans
from spectrum_workflows.radio.types import Observation, Rows, Visibilities

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.reader import Choice
    from spectrum_workflows.radio.read.rows.rowfile import Field, RowFile
    from spectrum_workflows.radio.types import Chunk

    Opening = Callable[[str], RowFile]

FARTHEST = 1e10
"""No two antennas are that far apart, m: such a number is no coordinate."""


def describe(opened: Opening, choice: Choice, url: str) -> Observation:
    """Everything about a file of rows but its visibilities.

    Raises
    ------
    DataError
        It cannot be imaged.
    SpecError
        More must be chosen, or chooses what the file does not hold.
    """
    file = opened(url)
    if choice.column != "DATA":
        raise DataError(f"no column {choice.column}", url, 'it has DATA only: column = "DATA"')
    field = chosen(choice.field, np.unique(file.rows.field).tolist(), "field", url)
    setups = np.unique(file.rows.setup[file.rows.field == field])
    numbers = [band.number for band in file.bands if band.setup in setups]
    band = file.bands[chosen(choice.data_description, numbers, "data_description", url)]
    stokes.hands(band.types, url)
    notes = check_frequencies(band.frequency, f"spectral window {band.number}", url)
    index = _index(opened, url, file.identity, (field, band.number))
    if not len(index.row):
        remedy = "choose another field or data_description"
        raise DataError("no cross-correlations of this field", url, remedy)
    where = phase_centre(file, field, beam_of(file.longest, band.frequency))
    return Observation(
        url=url,
        column=choice.column,
        telescope=file.telescope,
        object_name=where.name,
        field=field,
        data_description=band.number,
        phase_centre=where.centre,
        frame=where.frame,
        spectral_frame=band.frame,
        frequency=band.frequency,
        rows_per_time=index.count,
        longest_baseline=file.longest,
        visibility_bytes=file.stored_bytes * len(band.types),
        identity=file.identity,
        channel_width=band.width,
        times=index.time,
        time_scale=file.time_scale,
        antennas=file.antennas,
        weight_column=file.weights,
        notes=(*notes, *file.notes, *_doubled(file, index)),
    )


def phase_centre(file: RowFile, field: int, beam: float) -> Field:
    """A field of a file.

    Raises
    ------
    DataError
        Its phase centre cannot be imaged.
    """
    where = file.fields[field]
    if where.trouble:
        raise DataError(f"{where.trouble} (field {field})", file.url, where.remedy)
    return replace(where, centre=still(np.array([where.centre]), beam, f"field {field}", file.url))


def _doubled(file: RowFile, index: Index) -> tuple[str, ...]:
    if many := doubles(file.rows, index):
        return (f"{many:,} rows repeat the time and baseline of another: all are imaged",)
    return ()


@lru_cache(maxsize=4)
def _index(
    opened: Opening,
    url: str,
    identity: str,  # noqa: ARG001 - a part of the cache's key
    chosen: tuple[int, int],
) -> Index:
    file = opened(url)
    return index_of(file.rows, chosen[0], file.bands[chosen[1]])


def _rows_of(opened: Opening, chunk: Chunk) -> tuple[RowFile, NDArray[np.int64]]:
    """The file, and the rows of a chunk in order."""
    file = opened(chunk.url)
    known = chunk.field < len(file.fields) and chunk.data_description < len(file.bands)
    if known:
        at = _index(opened, chunk.url, file.identity, (chunk.field, chunk.data_description))
        if chunk.time_stop <= len(at.time):
            rows = at.of(chunk)
            if len(rows) * (chunk.chan_stop - chunk.chan_start) == chunk.size:
                return file, rows
    raise DataError("the set has changed since the run was planned", chunk.where, "run again")


def coordinates(opened: Opening, chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UVW (m) of a chunk's rows and frequencies (Hz); what is not finite is 0."""
    file, rows = _rows_of(opened, chunk)
    rows = np.sort(rows)
    uvw = np.empty((len(rows), 3))
    with file.reading() as reading:
        for some, start, stop in spans(rows, file.row_bytes):
            uvw[some] = reading.uvw(start, stop)[rows[some] - start]
    uvw[~np.isfinite(uvw).all(axis=1)] = 0.0
    frequency = file.bands[chunk.data_description].frequency
    return uvw, frequency[chunk.chan_start : chunk.chan_stop]


def read(opened: Opening, chunk: Chunk) -> Visibilities:
    """Stokes I of one chunk, rows in (time, antenna1, antenna2) order.

    Raises
    ------
    DataError
        The file cannot be read, or has changed since the run was planned.
    """
    file, wanted = _rows_of(opened, chunk)
    band = file.bands[chunk.data_description]
    hand = stokes.hands(band.types, chunk.url)
    hands = slice(hand[0], hand[-1] + 1, max(hand[-1] - hand[0], 1))
    channels = slice(chunk.chan_start, chunk.chan_stop)
    order = np.argsort(wanted, kind="stable")
    rows = wanted[order]
    counts = np.diff(_index(opened, chunk.url, file.identity, (chunk.field, band.number)).start)
    times = np.arange(chunk.time_start, chunk.time_stop)
    shape = (len(rows), chunk.chan_stop - chunk.chan_start)
    out = Visibilities(
        uvw=np.empty((len(rows), 3)),
        frequency=band.frequency[channels],
        visibility=np.empty(shape, np.complex64),
        weight=np.empty(shape, np.float32),
        unflagged=0,
        rows=Rows(
            time=np.repeat(times, counts[times]).astype(np.int32),
            first=file.rows.first[wanted].astype(np.int16),
            second=file.rows.second[wanted].astype(np.int16),
        ),
    )
    unflagged = 0
    with file.reading() as reading:
        for some, start, stop in spans(rows, file.row_bytes):
            source, target = rows[some] - start, order[some]
            uvw, data, flag, weight = reading.block(start, stop, band, channels, hands)
            weight[~np.isfinite(uvw).all(axis=1)] = 0.0  # unusable, though not flagged
            out.uvw[target] = np.nan_to_num(uvw[source], posinf=0.0, neginf=0.0)
            block = (data, flag, weight)
            unflagged += stokes.combine(block, source, target, out.visibility, out.weight)
    return rising(replace(out, unflagged=unflagged))
