"""A Measurement Set as what is converted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.convert import columns as read
from spectrum_workflows.radio.convert import schema
from spectrum_workflows.radio.convert.grid import cells, grids
from spectrum_workflows.radio.convert.origin import Origin, PartWords, SetWords
from spectrum_workflows.radio.convert.parts import (
    VisibilitySet,
    data_columns,
    left_out,
    part_of,
    without_cross,
)
from spectrum_workflows.radio.read.msv2.antennas import antennas, cell_or, strings
from spectrum_workflows.radio.read.msv2.examining import check_columns
from spectrum_workflows.radio.read.msv2.files import stamp
from spectrum_workflows.radio.read.msv2.observation import (
    longest_baseline,
    responsible,
    telescope,
    time_scale,
)
from spectrum_workflows.radio.read.msv2.probing import probe
from spectrum_workflows.radio.read.msv2.tables import has_subtable, opened
from spectrum_workflows.radio.read.units import UNIX_EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.convert.grid import Grid
    from spectrum_workflows.radio.convert.layout import Block
    from spectrum_workflows.radio.read.msv2.visibilities import SpectralWindow

FAR_FUTURE = 1e11
"""Seconds since 1970, some three thousand years: a date beyond is none."""

COORDINATES = ("UVW", "TIME_CENTROID", "EFFECTIVE_INTEGRATION_TIME")


def origin(url: str, columns: Sequence[str]) -> Origin:
    """A Measurement Set, of which some data columns are wanted, or all.

    Raises
    ------
    DataError, SpecError
        It cannot be read, or has no such column.
    """
    probe(url)
    chosen = tuple(data_columns(url, columns))
    return Origin(
        stamp=stamp(url),
        columns=chosen,
        left_out=() if columns else tuple(left_out(url, chosen)),
        parts=lambda pieces: _parts(url, chosen, pieces),
        words=lambda: _words(url),
        part_words=lambda part: _part_words(url, part),
        filled=lambda part, block, names: _filled(url, part, block, names),
    )


def _parts(url: str, chosen: tuple[str, ...], pieces: int) -> tuple[VisibilitySet, ...]:
    with opened(url) as table:
        check_columns(table, url)
        every = grids(table)
    if not every:
        raise DataError("the set has no rows", url, "name another one")
    return tuple(part_of(url, grid, chosen, pieces, n) for n, grid in enumerate(every))


def _words(url: str) -> SetWords:
    with opened(url, "ANTENNA") as table:
        stations, mounts = tuple(strings(table, "STATION")), tuple(strings(table, "MOUNT"))
    return SetWords(
        form="Measurement Set (version 2)",
        telescope=telescope(url),
        time_scale=time_scale(url),
        antennas=antennas(url),
        stations=stations,
        mounts=mounts,
        observation=_observation(url),
        processor=_processor(url),
        longest=longest_baseline(url),
    )


def _part_words(url: str, part: VisibilitySet) -> PartWords:
    with opened(url) as table:
        interval = float(cell_or(table, "INTERVAL", int(part.grid.at.first[0]), np.nan))
    scans, intents = _scans(url, part.grid)
    return PartWords(
        interval=interval,
        reference_hz=_reference(url, part.window),
        scans=scans,
        intents=intents,
        without_cross=tuple(without_cross(url, part.grid)),
    )


def _filled(
    url: str, part: VisibilitySet, block: Block, names: Sequence[str]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Read one block, one variable after the other."""
    times = slice(block.time_start, block.time_stop)
    shape = (block.shape[0], part.cut.shape[1], part.cut.shape[3])
    by_name = {name: column for column, name in schema.DATA.items()}
    with opened(url) as table:  # anew: casacore keeps all that it has read
        source = read.ColumnSource(url, table, cells(table, part.grid, times, url), block, shape)
        if coordinates := [name for name in names if name in COORDINATES]:
            values = read.coordinates(source)
            yield from ((name, values[name]) for name in coordinates)
        for name in names:
            if name == "FLAG":
                yield name, read.flags(source)
            elif name == "WEIGHT":
                yield name, read.weights(source)
            elif name in by_name:
                yield name, read.visibilities(source, by_name[name])


def _reference(url: str, window: SpectralWindow) -> float:
    """REF_FREQUENCY, Hz, or else that of the first channel."""
    with opened(url, "SPECTRAL_WINDOW") as table:
        given = float(cell_or(table, "REF_FREQUENCY", window.number, np.nan))
    return given if np.isfinite(given) else float(window.frequency[0])


def _scans(url: str, grid: Grid) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The scan of every time, and what they were for."""
    with opened(url) as table:
        numbered = "SCAN_NUMBER" in table.colnames()
        view = table.selectrows(grid.at.first)
        scans = view.getcol("SCAN_NUMBER") if numbered else [0] * len(grid.at.first)
        state = int(cell_or(table, "STATE_ID", int(grid.at.first[0]), -1))
    intents = ""
    if has_subtable(url, "STATE"):
        with opened(url, "STATE") as table:
            intents = str(cell_or(table, "OBS_MODE", state, ""))
    return tuple(map(str, scans)), tuple((intents or "UNSPECIFIED").split(","))


def _observation(url: str) -> dict[str, Any]:
    unknown = {"observer": [""], "release_date": "", "project_UID": ""}
    if not has_subtable(url, "OBSERVATION"):
        return unknown
    with opened(url, "OBSERVATION") as table:
        if not table.nrows():
            return unknown
        date = _date(float(cell_or(table, "RELEASE_DATE", 0, np.nan)) - UNIX_EPOCH)
    who = responsible(url)
    return {"observer": [who.observer], "release_date": date, "project_UID": who.project}


def _date(seconds: float) -> str:
    """Seconds since 1970 as a date; empty where they are none."""
    if not abs(seconds) < FAR_FUTURE:
        return ""
    return str(np.datetime64("1970-01-01", "ms") + np.timedelta64(round(1e3 * seconds), "ms"))


def _processor(url: str) -> dict[str, str]:
    if not has_subtable(url, "PROCESSOR"):
        return {"type": "", "sub_type": ""}
    with opened(url, "PROCESSOR") as table:
        return {
            "type": str(cell_or(table, "TYPE", 0, "")),
            "sub_type": str(cell_or(table, "SUB_TYPE", 0, "")),
        }
