"""Describing and reading a file of rows, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.choices import (
    Described,
    Named,
    channels_in,
    describe_times,
    field_in,
    nothing_left,
    remarks,
    selection_in,
    windows_in,
    with_channels,
)
from spectrum_workflows.radio.read.frequencies import check_frequencies, rising
from spectrum_workflows.radio.read.phase_centre import beam_of, still
from spectrum_workflows.radio.read.rows.index import Index, doubles, index_of, spans
from spectrum_workflows.radio.types import (
    Observation,
    Responsible,
    Rows,
    Selection,
    Visibilities,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.reader import Choice
    from spectrum_workflows.radio.read.rows.rowfile import Band, Field, RowFile
    from spectrum_workflows.radio.types import Chunk

    Opening = Callable[[str], RowFile]

FARTHEST = 1e10
"""No two antennas are that far apart, m: such a number is no coordinate."""


@dataclass(frozen=True)
class _BandRows:
    """A band of the chosen field, and the rows that are chosen of it."""

    band: Band
    index: Index


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
    if choice.select.scans:
        raise DataError("the set does not say its scans", url, "choose select.times")
    field = field_in(choice.field, fields(opened, url), url)
    setups = np.unique(file.rows.setup[file.rows.field == field])
    bands = [band for band in file.bands if band.setup in setups]
    described = [Described(band.number, Named(band.number, band.name)) for band in bands]
    chosen = windows_in(choice, described, url)
    selection = selection_in(choice, file.antennas, url)
    parts = [_BandRows(file.bands[n], _index(opened, url, (field, n), selection)) for n in chosen]
    parts = [part for part in parts if len(part.index.row)]
    if not parts:
        held = np.unique(file.rows.time[file.rows.field == field])
        raise nothing_left(choice, selection, describe_times(held, None), url)
    windows = with_channels([_window(file, part, choice) for part in parts], url)
    parts = [part for part in parts if part.band.number in {w.number for w in windows}]
    notes = dict.fromkeys(file.notes)
    for part in parts:
        stokes.hands(part.band.types, url, choice.hands)
        of = f"spectral window {part.band.number}"
        notes |= dict.fromkeys(check_frequencies(part.band.frequency, of, url))
    highest = np.array([part.band.frequency.max() for part in parts])
    where = phase_centre(file, field, beam_of(file.longest, highest))
    lost = [number for number in chosen if number not in {w.number for w in windows}]
    return Observation(
        url=url,
        column=choice.column,
        telescope=file.telescope,
        object_name=where.name,
        field=field,
        phase_centre=where.centre,
        frame=where.frame,
        windows=windows,
        longest_baseline=file.longest,
        identity=file.identity,
        time_scale=file.time_scale,
        antennas=file.antennas,
        weight_column=file.weights,
        notes=(*notes, *_doubled(file, parts), *remarks(choice, lost, windows)),
        selection=selection,
        responsible=Responsible(file.about.get("observer", ""), file.about.get("project", "")),
    )


def fields(opened: Opening, url: str) -> list[Named]:
    """The fields that occur among the rows of a file."""
    file = opened(url)
    present = [file.fields[number] for number in np.unique(file.rows.field)]
    return [Named(each.number, each.name) for each in present]


def _window(file: RowFile, part: _BandRows, choice: Choice) -> Window:
    """What is imaged of a band."""
    band = part.band
    return Window(
        number=band.number,
        frequency=band.frequency,
        rows_per_time=part.index.count,
        times=part.index.time,
        visibility_bytes=file.stored_bytes * len(band.types),
        spectral_window=band.number,
        name=band.name,
        width=band.width,
        spectral_frame=band.frame,
        correlations=tuple(stokes.NAMES.get(kind, f"type {kind}") for kind in band.types),
        chosen=channels_in(choice.select, band.frequency),
    )


def phase_centre(file: RowFile, field: int, beam: float) -> Field:
    """A field of a file.

    Raises
    ------
    DataError
        Its phase centre cannot be imaged.
    """
    where = file.fields[field]
    if where.fault:
        raise DataError(f"{where.fault} (field {field})", file.url, where.remedy)
    return replace(where, centre=still(np.array([where.centre]), beam, f"field {field}", file.url))


def _doubled(file: RowFile, parts: Sequence[_BandRows]) -> tuple[str, ...]:
    """A warning where a visibility may be there twice."""
    if many := max(doubles(file.rows, part.index) for part in parts):
        return (f"{many:,} rows repeat the time and baseline of another: all are imaged",)
    return ()


def _index(opened: Opening, url: str, chosen: tuple[int, int], selection: Selection) -> Index:
    """The chosen rows of a field and band, remembered."""
    return _indexed(opened, url, opened(url).identity, chosen, selection)


@lru_cache(maxsize=16)
def _indexed(
    opened: Opening,
    url: str,
    identity: str,  # noqa: ARG001 - a part of the cache's key
    chosen: tuple[int, int],
    selection: Selection,
) -> Index:
    file = opened(url)
    return index_of(file.rows, chosen[0], file.bands[chosen[1]], selection)


def _rows_of(opened: Opening, chunk: Chunk) -> tuple[RowFile, Index, NDArray[np.int64]]:
    """The file, its rows that are chosen, and those of a chunk in order."""
    file = opened(chunk.url)
    if chunk.field < len(file.fields) and chunk.data_description < len(file.bands):
        chosen = (chunk.field, chunk.data_description)
        index = _index(opened, chunk.url, chosen, chunk.selection)
        if chunk.time_stop <= len(index.time):
            rows = index.of(chunk)
            if chunk.is_of(len(rows) * (chunk.chan_stop - chunk.chan_start)):
                return file, index, rows
    raise DataError("the set has changed since the run was planned", chunk.where, "run again")


def coordinates(opened: Opening, chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UVW (m) of a chunk's rows and frequencies (Hz); what is not finite is 0."""
    file, _, rows = _rows_of(opened, chunk)
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
    file, index, chosen_rows = _rows_of(opened, chunk)
    band = file.bands[chunk.data_description]
    hand = stokes.hands(band.types, chunk.url, chunk.selection.hands)
    hands = slice(hand[0], hand[-1] + 1, max(hand[-1] - hand[0], 1))
    channels = slice(chunk.chan_start, chunk.chan_stop)
    order = np.argsort(chosen_rows, kind="stable")
    rows = chosen_rows[order]
    times = np.arange(chunk.time_start, chunk.time_stop)
    shape = (len(rows), chunk.chan_stop - chunk.chan_start)
    out = Visibilities(
        uvw=np.empty((len(rows), 3)),
        frequency=band.frequency[channels],
        visibility=np.empty(shape, np.complex64),
        weight=np.empty(shape, np.float32),
        unflagged=0,
        rows=Rows(
            time=np.repeat(times, index.count[times]).astype(np.int32),
            first=file.rows.first[chosen_rows].astype(np.int16),
            second=file.rows.second[chosen_rows].astype(np.int16),
        ),
    )
    either = chunk.selection.hands == "either"
    unflagged = 0
    with file.reading() as reading:
        for some, start, stop in spans(rows, file.row_bytes):
            source, target = rows[some] - start, order[some]
            uvw, data, flag, weight = reading.block(start, stop, band, channels, hands)
            weight[~np.isfinite(uvw).all(axis=1)] = 0.0  # unusable, though not flagged
            out.uvw[target] = np.nan_to_num(uvw[source], posinf=0.0, neginf=0.0)
            block = (data, flag, weight)
            unflagged += stokes.combine(block, source, target, out.visibility, out.weight, either)
    return rising(replace(out, unflagged=unflagged))
