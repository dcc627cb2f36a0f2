"""Description of a Measurement Set, and whether it can be imaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.choices import chosen, not_corrected
from spectrum_workflows.radio.read.frequencies import check_frequencies
from spectrum_workflows.radio.read.msv2.antennas import antennas
from spectrum_workflows.radio.read.msv2.examining import (
    Asked,
    check_columns,
    check_rows,
    doubles,
    has_values,
)
from spectrum_workflows.radio.read.msv2.fields import Span, field_of
from spectrum_workflows.radio.read.msv2.files import beside
from spectrum_workflows.radio.read.msv2.identity import identity
from spectrum_workflows.radio.read.msv2.probing import probe
from spectrum_workflows.radio.read.msv2.row_index import ROWS, RowIndex
from spectrum_workflows.radio.read.msv2.tables import has_subtable, opened
from spectrum_workflows.radio.read.msv2.visibilities import (
    index,
    uvw_of,
    visibility_bytes,
    window_of,
)
from spectrum_workflows.radio.read.phase_centre import beam_of
from spectrum_workflows.radio.types import Observation

if TYPE_CHECKING:
    from spectrum_workflows.radio.read.reader import Choice


DATA_COLUMNS = ("DATA", "CORRECTED_DATA")
"""Columns that can be imaged."""

SPECTRAL_FRAMES = {1: "LSRK", 2: "LSRD", 3: "BARYCENT", 4: "GEOCENTR", 5: "TOPOCENT"}
SPECTRAL_FRAMES |= {6: "GALACTOC", 7: "LOCALGRP", 8: "CMBDIPOL"}
"""casacore's MFrequency types and FITS' SPECSYS."""


TIME_SCALES = {"UTC": "UTC", "TAI": "TAI", "TT": "TT", "TDT": "TT", "TDB": "TDB", "UT1": "UT1"}
"""casacore's MEpoch types and FITS' TIMESYS."""


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
        fields, descriptions = _present(table)
    if not fields:
        raise DataError("the set has no rows", url, "name another one")
    field = chosen(choice.field, fields, "field", url)
    description = chosen(choice.data_description, descriptions, "data_description", url)
    window = window_of(url, description)
    stokes.hands(window.types.tolist(), url)
    notes = check_frequencies(window.frequency, f"spectral window {window.number}", url)
    at = index(url, (field, description))
    if not len(at.time):
        remedy = "choose another field or data_description"
        raise DataError("no cross-correlations of this field", url, remedy)
    check_column(choice.column, url, at)
    shape = (len(window.frequency), len(window.types))
    check_rows(url, Asked(field, description, (choice.column,), shape))
    longest = longest_baseline(url)
    span = Span(float(at.time[0]), float(at.time[-1]), beam_of(longest, window.frequency))
    where = field_of(url, field, span)
    return Observation(
        url=url,
        column=choice.column,
        telescope=telescope(url),
        object_name=where.name,
        field=field,
        data_description=description,
        phase_centre=where.centre,
        frame=where.frame,
        spectral_frame=SPECTRAL_FRAMES.get(window.frame, ""),
        frequency=window.frequency,
        rows_per_time=at.count,
        longest_baseline=longest,
        visibility_bytes=visibility_bytes(len(window.types)),
        identity=identity(url),
        channel_width=window.width,
        times=at.time,
        time_scale=time_scale(url),
        antennas=antennas(url),
        weight_column=_weight_column(url, at),
        notes=(
            *notes,
            *beside(url),
            *_doubled(url, (field, description), at),
            *_other(choice.column, url, at),
        ),
    )


def _weight_column(url: str, at: RowIndex) -> str:
    """The column that weights are taken from, of two where rows differ."""
    rows = [int(at.first[0]), int(at.last[-1])]
    every = [has_values(url, "WEIGHT_SPECTRUM", [row]) for row in rows]
    if all(every):
        return "WEIGHT_SPECTRUM"
    return "WEIGHT_SPECTRUM or WEIGHT" if any(every) else "WEIGHT"


def _doubled(url: str, chosen: tuple[int, int], at: RowIndex) -> tuple[str, ...]:
    """A warning where a visibility may be there twice."""
    if many := doubles(url, chosen, at):
        return (f"{many:,} rows repeat the time and baseline of another: all are imaged",)
    return ()


def _other(column: str, url: str, at: RowIndex) -> tuple[str, ...]:
    """A warning where calibrated data are there, and are not what is imaged."""
    rows = [int(at.first[0]), int(at.last[-1])]
    present = column == "DATA" and has_values(url, "CORRECTED_DATA", rows)
    return (not_corrected(),) if present else ()


def _present(table: Any) -> tuple[list[int], list[int]]:
    """Field and data description numbers that occur in the main table."""
    fields: set[int] = set()
    descriptions: set[int] = set()
    for start in range(0, table.nrows(), ROWS):
        count = min(ROWS, table.nrows() - start)
        fields |= set(np.unique(table.getcol("FIELD_ID", start, count)).tolist())
        descriptions |= set(np.unique(table.getcol("DATA_DESC_ID", start, count)).tolist())
    return sorted(fields), sorted(descriptions)


def check_column(column: str, url: str, at: RowIndex) -> None:
    """Refuse a set without the data column, or without a value in it."""
    with opened(url) as table:
        names = table.colnames()
    rows = [int(at.first[0]), int(at.last[-1]), int(at.first[len(at.first) // 2])]
    filled = [name for name in DATA_COLUMNS if has_values(url, name, rows)]
    if column not in names:
        remedy = f"it has {', '.join(filled) or 'neither DATA nor CORRECTED_DATA'}"
        raise DataError(f"no column {column}", url, remedy)
    if column not in filled:
        remedy = f"image {filled[0]}" if filled else "choose another field or set"
        raise DataError(f"{column} holds no values", url, remedy)


def longest_baseline(url: str) -> float:
    """Largest hypot(u, v), m."""
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
