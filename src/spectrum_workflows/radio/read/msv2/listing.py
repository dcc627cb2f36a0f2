"""The inventory of a Measurement Set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.inventory import (
    Inventory,
    ListedField,
    ListedWindow,
    RowBlock,
)
from spectrum_workflows.radio.read.msv2.antennas import antennas, cell_or
from spectrum_workflows.radio.read.msv2.examining import check_columns
from spectrum_workflows.radio.read.msv2.fields import Span, field_of
from spectrum_workflows.radio.read.msv2.observation import (
    SPECTRAL_FRAMES,
    responsible,
    telescope,
    time_scale,
)
from spectrum_workflows.radio.read.msv2.probing import probe
from spectrum_workflows.radio.read.msv2.row_index import ROWS
from spectrum_workflows.radio.read.msv2.tables import opened
from spectrum_workflows.radio.read.msv2.visibilities import uvw_of, window_of

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("DATA", "CORRECTED_DATA", "MODEL_DATA", "FLOAT_DATA")
"""Columns of visibilities that a set may have."""

BLOCK_BYTES = 32 << 20
"""Flags that are in memory at a time."""


def inventory(url: str) -> Inventory:
    """What a Measurement Set says of itself.

    Raises
    ------
    DataError
        It is none, or cannot be read.
    """
    probe(url)
    with opened(url) as table:
        check_columns(table, url)
        columns = tuple(name for name in COLUMNS if name in table.colnames())
        nrow = table.nrows()
        middle = float(table.getcell("TIME", nrow // 2)) if nrow else 0.0
    if not nrow:
        raise DataError("the set has no rows", url, "name another one")
    with opened(url, "FIELD") as table:
        fields = range(table.nrows())
    with opened(url, "DATA_DESCRIPTION") as table:
        descriptions = range(table.nrows())
    who = responsible(url)
    return Inventory(
        telescope=telescope(url),
        observer=who.observer,
        project=who.project,
        columns=columns,
        fields=tuple(_field(url, number, middle) for number in fields),
        windows=tuple(_window(url, number) for number in descriptions),
        antennas=antennas(url),
        time_scale=time_scale(url),
        blocks=lambda: _blocks(url),
    )


def _field(url: str, number: int, time: float) -> ListedField:
    """A field at one time, or why it has no direction that can be imaged."""
    try:
        field = field_of(url, number, Span(time, time, np.inf))
    except DataError as error:
        with opened(url, "FIELD") as table:
            name = str(cell_or(table, "NAME", number, ""))
        return ListedField(number, name, (np.nan, np.nan), "", error.what)
    return ListedField(number, field.name, field.centre, field.frame)


def _window(url: str, number: int) -> ListedWindow:
    window = window_of(url, number)
    with opened(url, "SPECTRAL_WINDOW") as table:
        name = str(cell_or(table, "NAME", window.number, ""))
    return ListedWindow(
        number=number,
        name=name,
        frequency=window.frequency,
        width=window.width,
        frame=SPECTRAL_FRAMES.get(window.frame, ""),
        correlations=tuple(stokes.NAMES.get(int(t), f"type {t}") for t in window.types),
    )


def _blocks(url: str) -> Iterator[RowBlock]:
    """All rows; those of one data description together, as their shapes are the same."""
    with opened(url) as table:
        nrow, varies = table.nrows(), table.isvarcol("FLAG")
        largest = np.prod(table.getcell("FLAG", 0).shape) if nrow and not varies else 0
    step = min(ROWS, max(1, BLOCK_BYTES // int(largest))) if largest else 1 << 13
    for start in range(0, nrow, step):
        with opened(url) as table:  # anew: casacore keeps all that it has read
            count = min(step, nrow - start)
            description = np.asarray(table.getcol("DATA_DESC_ID", start, count))
            for number in np.unique(description).tolist():
                rows = start + np.flatnonzero(description == number)
                view = table if len(rows) == count else table.selectrows(rows)
                begin = start if len(rows) == count else 0
                yield _block(view, number, (begin, len(rows)), url)


def _block(view: Any, number: int, rows: tuple[int, int], url: str) -> RowBlock:
    def column(name: str) -> Any:
        return np.asarray(view.getcol(name, *rows))

    flagged = _flagged(view, rows)
    return RowBlock(
        window=number,
        field=column("FIELD_ID").astype(np.int64),
        first=column("ANTENNA1").astype(np.int64),
        second=column("ANTENNA2").astype(np.int64),
        time=column("TIME"),
        uvw=uvw_of(view, *rows, url),
        flagged=flagged,
        scan=column("SCAN_NUMBER").astype(np.int64) if "SCAN_NUMBER" in view.colnames() else None,
    )


def _flagged(view: Any, rows: tuple[int, int]) -> Any:
    """Flagged values of every row; all of a row where its FLAG_ROW says so."""
    flag = np.asarray(view.getcol("FLAG", *rows))
    flagged = np.count_nonzero(flag, axis=(1, 2))
    if "FLAG_ROW" in view.colnames():
        flagged[np.asarray(view.getcol("FLAG_ROW", *rows))] = flag.shape[1] * flag.shape[2]
    return flagged
