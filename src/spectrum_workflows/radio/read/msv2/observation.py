"""Description of a Measurement Set, and whether it can be imaged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.choices import (
    Described,
    Named,
    channels_in,
    describe_times,
    field_in,
    not_corrected,
    nothing_left,
    remarks,
    selection_in,
    windows_in,
    with_channels,
)
from spectrum_workflows.radio.read.frequencies import check_frequencies
from spectrum_workflows.radio.read.msv2.antennas import antennas, cell_or
from spectrum_workflows.radio.read.msv2.examining import (
    Asked,
    check_columns,
    check_rows,
    doubles,
    has_values,
)
from spectrum_workflows.radio.read.msv2.fields import Span, field_names, field_of
from spectrum_workflows.radio.read.msv2.files import beside, stamp
from spectrum_workflows.radio.read.msv2.identity import identity
from spectrum_workflows.radio.read.msv2.probing import probe
from spectrum_workflows.radio.read.msv2.row_index import ROWS, RowIndex, pairs_in
from spectrum_workflows.radio.read.msv2.tables import has_subtable, opened
from spectrum_workflows.radio.read.msv2.visibilities import (
    index,
    uvw_of,
    visibility_bytes,
    window_of,
)
from spectrum_workflows.radio.read.phase_centre import beam_of
from spectrum_workflows.radio.types import Observation, Responsible, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.read.msv2.visibilities import SpectralWindow
    from spectrum_workflows.radio.read.reader import Choice
    from spectrum_workflows.radio.types import Selection


VISIBLE = ("complex", "dcomplex")
"""Types of the columns that hold visibilities."""

SPECTRAL_FRAMES = {1: "LSRK", 2: "LSRD", 3: "BARYCENT", 4: "GEOCENTR", 5: "TOPOCENT"}
SPECTRAL_FRAMES |= {6: "GALACTOC", 7: "LOCALGRP", 8: "CMBDIPOL"}
"""casacore's MFrequency types and FITS' SPECSYS."""


TIME_SCALES = {"UTC": "UTC", "TAI": "TAI", "TT": "TT", "TDT": "TT", "TDB": "TDB", "UT1": "UT1"}
"""casacore's MEpoch types and FITS' TIMESYS."""


@dataclass(frozen=True)
class _WindowRows:
    """A data description of the chosen field: its window, and the rows that are chosen of it."""

    number: int
    window: SpectralWindow
    at: RowIndex

    @property
    def looks(self) -> list[int]:
        """Rows in which values are looked for."""
        first, last = self.at.first, self.at.last
        return [int(first[0]), int(last[-1]), int(first[len(first) // 2])]


def describe(choice: Choice, url: str) -> Observation:
    """Read everything about a Measurement Set but its visibilities.

    Raises
    ------
    DataError
        It is not a Measurement Set, or cannot be imaged.
    SpecError
        More must be chosen, or chooses what the set does not hold.
    """
    probe(url)
    with opened(url) as table:
        check_columns(table, url)
        pairs = _present(table)
        if "SCAN_NUMBER" not in table.colnames() and choice.select.scans:
            raise DataError("the set does not say its scans", url, "choose select.times")
    if not pairs:
        raise DataError("the set has no rows", url, "name another one")
    field = field_in(choice.field, field_names(url, {field for field, _ in pairs}), url)
    numbers = sorted(description for of, description in pairs if of == field)
    chosen = windows_in(choice, _described(url, numbers), url)
    known = antennas(url)
    selection = selection_in(choice, known, url)
    parts = _parts(url, field, chosen, selection)
    if not parts:
        raise nothing_left(choice, selection, _held(url, field, chosen), url)
    windows = with_channels([_window(part, choice) for part in parts], url)
    parts = [part for part in parts if part.number in {window.number for window in windows}]
    notes: dict[str, None] = {}
    for part in parts:
        stokes.hands(part.window.types.tolist(), url, choice.hands)
        of = f"spectral window {part.window.number}"
        notes |= dict.fromkeys(check_frequencies(part.window.frequency, of, url))
        check_column(choice.column, url, part.looks)
        shape = (len(part.window.frequency), len(part.window.types))
        columns = (choice.column,)
        check_rows(url, Asked(field, part.number, columns, shape, selection=selection))
    longest = longest_baseline(url)
    every = np.concatenate([window.times for window in windows])
    highest = np.array([part.window.frequency.max() for part in parts])
    span = Span(float(every.min()), float(every.max()), beam_of(longest, highest))
    where = field_of(url, field, span)
    for part in parts:
        notes |= dict.fromkeys(_doubled(url, (field, part.number), part.at, selection))
        notes |= dict.fromkeys(_other(choice.column, url, part.at))
    lost = [number for number in chosen if number not in {w.number for w in windows}]
    return Observation(
        url=url,
        column=choice.column,
        telescope=telescope(url),
        object_name=where.name,
        field=field,
        phase_centre=where.centre,
        frame=where.frame,
        windows=windows,
        longest_baseline=longest,
        identity=identity(url),
        time_scale=time_scale(url),
        antennas=known,
        weight_column=_weight_column(url, parts),
        notes=(*beside(url), *notes, *remarks(choice, lost, windows)),
        selection=selection,
        responsible=responsible(url),
    )


def fields(url: str) -> list[Named]:
    """The fields that occur in the main table.

    Raises
    ------
    DataError
        It is not a Measurement Set.
    """
    probe(url)
    with opened(url) as table:
        check_columns(table, url)
        numbers = {field for field, _ in _present(table)}
    if not numbers:
        raise DataError("the set has no rows", url, "name another one")
    return field_names(url, numbers)


def _parts(url: str, field: int, chosen: Sequence[int], selection: Selection) -> list[_WindowRows]:
    """The data descriptions that have chosen rows."""
    parts = [_WindowRows(n, window_of(url, n), index(url, (field, n), selection)) for n in chosen]
    return [part for part in parts if len(part.at.time)]


def _window(part: _WindowRows, choice: Choice) -> Window:
    """What is imaged of a data description."""
    window = part.window
    return Window(
        number=part.number,
        frequency=window.frequency,
        rows_per_time=part.at.count,
        times=part.at.time,
        visibility_bytes=visibility_bytes(len(window.types)),
        spectral_window=window.number,
        name=window.name,
        width=window.width,
        spectral_frame=SPECTRAL_FRAMES.get(window.frame, ""),
        correlations=tuple(stokes.NAMES.get(int(t), f"type {t}") for t in window.types),
        chosen=channels_in(choice.select, window.frequency),
    )


def _described(url: str, numbers: Sequence[int]) -> list[Described]:
    """Some data descriptions and their spectral windows, as far as the subtables tell."""
    with opened(url, "DATA_DESCRIPTION") as table:
        rows = [int(cell_or(table, "SPECTRAL_WINDOW_ID", number, -1)) for number in numbers]
    with opened(url, "SPECTRAL_WINDOW") as table:
        names = [str(cell_or(table, "NAME", row, "")) for row in rows]
    described = zip(numbers, rows, names, strict=True)
    return [Described(number, Named(row, name)) for number, row, name in described]


def _held(url: str, field: int, chosen: Sequence[int]) -> str:
    """Times and scans of a field in some data descriptions, in words."""
    at = [index(url, (field, number)) for number in chosen]
    times = np.unique(np.concatenate([each.time for each in at]))
    with opened(url) as table:
        if "SCAN_NUMBER" not in table.colnames():
            return describe_times(times, None)
        rows = np.unique(np.concatenate([each.first for each in at]))
        scans = table.selectrows(rows).getcol("SCAN_NUMBER") if len(rows) else []
    return describe_times(times, np.unique(scans).tolist())


def _weight_column(url: str, parts: Sequence[_WindowRows]) -> str:
    """The column that weights are taken from, of two where rows differ."""
    rows = [row for part in parts for row in (int(part.at.first[0]), int(part.at.last[-1]))]
    every = [has_values(url, "WEIGHT_SPECTRUM", [row]) for row in rows]
    if all(every):
        return "WEIGHT_SPECTRUM"
    return "WEIGHT_SPECTRUM or WEIGHT" if any(every) else "WEIGHT"


def _doubled(
    url: str, chosen: tuple[int, int], at: RowIndex, selection: Selection
) -> tuple[str, ...]:
    """A warning where a visibility may be there twice."""
    if many := doubles(url, chosen, at, selection):
        return (f"{many:,} rows repeat the time and baseline of another: all are imaged",)
    return ()


def _other(column: str, url: str, at: RowIndex) -> tuple[str, ...]:
    """A warning where calibrated data are there, and are not what is imaged."""
    rows = [int(at.first[0]), int(at.last[-1])]
    present = column == "DATA" and has_values(url, "CORRECTED_DATA", rows)
    return (not_corrected(),) if present else ()


def _present(table: Any) -> set[tuple[int, int]]:
    """Pairs of field and data description that occur in the main table."""
    pairs: set[tuple[int, int]] = set()
    for start in range(0, table.nrows(), ROWS):
        count = min(ROWS, table.nrows() - start)
        columns = (table.getcol(name, start, count) for name in ("FIELD_ID", "DATA_DESC_ID"))
        pairs.update(pairs_in(*map(np.asarray, columns)))
    return pairs


def data_columns(table: Any) -> list[str]:
    """The columns of a main table that hold visibilities."""
    names = [name for name in table.colnames() if table.coldatatype(name) in VISIBLE]
    return [name for name in names if not table.isscalarcol(name)]


def check_column(column: str, url: str, rows: Sequence[int]) -> None:
    """Refuse a set without the data column, or without a value in it in some rows."""
    with opened(url) as table:
        names, columns = table.colnames(), data_columns(table)
    filled = [name for name in columns if has_values(url, name, rows)]
    if column not in names:
        remedy = f"it has {', '.join(filled) or 'no column of visibilities'}"
        raise DataError(f"no column {column}", url, remedy)
    if column in columns and column not in filled:
        remedy = f"image {filled[0]}" if filled else "choose another field or set"
        raise DataError(f"{column} holds no values", url, remedy)


def longest_baseline(url: str) -> float:
    """Largest hypot(u, v), m; looked for once for every state of a set."""
    return _longest_baseline(url, stamp(url))


@lru_cache(maxsize=4)
def _longest_baseline(url: str, state: str) -> float:  # noqa: ARG001 - a part of the cache's key
    longest = 0.0
    with opened(url) as table:
        nrow = table.nrows()
    for start in range(0, nrow, ROWS):
        with opened(url) as table:  # anew: casacore keeps all that it has read
            u, v, _ = uvw_of(table, start, min(ROWS, nrow - start), url).T
        length = np.hypot(u, v)
        longest = max(longest, float(np.max(length[np.isfinite(length)], initial=0.0)))
    return longest


def time_scale(url: str) -> str:
    """The scale of the column TIME, as FITS calls it."""
    with opened(url) as table:
        measure = table.getcolkeywords("TIME").get("MEASINFO", {})
    return TIME_SCALES.get(str(measure.get("Ref", "UTC")), "UTC")


def telescope(url: str) -> str:
    """Name of the telescope, if the set has an observation."""
    if not has_subtable(url, "OBSERVATION"):
        return ""
    with opened(url, "OBSERVATION") as table:
        return str(table.getcell("TELESCOPE_NAME", 0)) if table.nrows() else ""


def responsible(url: str) -> Responsible:
    """Observer and project, as far as the set has an observation that names them."""
    if not has_subtable(url, "OBSERVATION"):
        return Responsible()
    with opened(url, "OBSERVATION") as table:
        if not table.nrows():
            return Responsible()
        names = (str(cell_or(table, column, 0, "")) for column in ("OBSERVER", "PROJECT"))
        return Responsible(*names)
