"""The antennas of a Measurement Set."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrum_workflows.radio.read.msv2.tables import opened
from spectrum_workflows.radio.types import Antennas


def antennas(url: str) -> Antennas:
    """All rows of the ANTENNA subtable, with the names that MSv4 gives them."""
    with opened(url, "ANTENNA") as table:
        count = table.nrows()
        position = [cell_or(table, "POSITION", n, np.full(3, np.nan)) for n in range(count)]
        diameter = [float(cell_or(table, "DISH_DIAMETER", n, np.nan)) for n in range(count)]
    return Antennas(
        name=tuple(antenna_names(url)),
        position=np.array(position, np.float64).reshape(count, 3),
        diameter=np.array(diameter, np.float64),
    )


def antenna_names(url: str) -> list[str]:
    """NAME_STATION of every antenna; with its number where that is not unique."""
    with opened(url, "ANTENNA") as table:
        pairs = zip(strings(table, "NAME"), strings(table, "STATION"), strict=True)
        names = [f"{name}_{station}" for name, station in pairs]
    if len(set(names)) == len(names):
        return names
    return [f"{name}_{number}" for number, name in enumerate(names)]


def strings(table: Any, column: str) -> list[str]:
    """A column of text; empty text where the set has no such column."""
    if column not in table.colnames():
        return [""] * table.nrows()
    return [str(value) for value in table.getcol(column)]


def cell_or(table: Any, column: str, row: int, otherwise: Any) -> Any:
    """A cell, or something else where the set has no such column, row or value."""
    exists = column in table.colnames() and 0 <= row < table.nrows()
    return table.getcell(column, row) if exists and table.iscelldefined(column, row) else otherwise
