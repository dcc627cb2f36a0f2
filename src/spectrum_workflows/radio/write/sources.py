"""A list of sources as an ECSV table, which astropy and TOPCAT read, and back."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import Source

if TYPE_CHECKING:
    from spectrum_workflows.radio.types import ImagingResult

NAME = "sources.ecsv"

COLUMNS = {
    "number": ("number", ""),
    "right_ascension": ("ra", "deg"),
    "declination": ("dec", "deg"),
    "east": ("east", "arcsec"),
    "north": ("north", "arcsec"),
    "peak": ("peak", "Jy / beam"),
    "flux": ("flux", "Jy"),
    "island": ("island_flux", "Jy"),
    "snr": ("snr", ""),
    "major": ("major", "arcsec"),
    "minor": ("minor", "arcsec"),
    "angle": ("position_angle", "deg"),
    "primary_beam": ("primary_beam", ""),
    "planted": ("planted", ""),
    "planted_flux": ("planted_flux", "Jy"),
}
"""Attributes of a source, and name and unit of their columns."""


def encode(result: ImagingResult) -> bytes:
    """The sources of all planes of a result; a column says the plane's number.

    What is not known of a source (primary beam, planted flux) is not a number.
    """
    from astropy import units
    from astropy.table import Column, Table

    rows = [(plane.plane.number, s) for plane in result.planes for s in plane.sources or ()]
    table = Table()
    table["plane"] = Column([number for number, _ in rows], dtype="i8")
    for attribute, (name, unit) in COLUMNS.items():
        values = [getattr(source, attribute) for _, source in rows]
        kind = {"number": "i8", "planted": "str"}.get(attribute, "f8")
        filled = [float("nan") if value is None else value for value in values]
        if attribute == "planted":
            filled = [_line(value) for value in values]
        table[name] = Column(filled, dtype=kind, unit=units.Unit(unit) if unit else None)
    table.meta = {"origin": result.observation.origin} if result.observation.origin else {}
    table.meta |= {"image": result.name, "weighting": result.weighting}
    text = io.StringIO()
    table.write(text, format="ascii.ecsv", delimiter=",")
    return text.getvalue().encode()


def decode(data: bytes, where: str) -> dict[int, tuple[Source, ...]]:
    """The sources in a file made by `encode`, by the number of their plane.

    Raises
    ------
    DataError
        It is not such a file.
    """
    from astropy.table import Table

    try:
        table = Table.read(data.decode().splitlines(), format="ascii.ecsv")
        lists: dict[int, list[Source]] = {}
        for row in table:
            values = {a: _plain(a, row[name]) for a, (name, _) in COLUMNS.items()}
            lists.setdefault(int(row["plane"]), []).append(Source(**values))
    except (ValueError, LookupError, TypeError) as error:
        message = f"not a list of sources of this package ({type(error).__name__}: {error})"
        raise DataError(message, where, "run the workflow again") from error
    return {number: tuple(sources) for number, sources in lists.items()}


def _line(text: str) -> str:
    """A name as a table has it: in one line, with single blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _plain(attribute: str, value: Any) -> Any:
    if attribute == "number":
        return int(value)
    if attribute == "planted":
        return "" if np.ma.is_masked(value) else str(value)
    number = float(value)
    unknown = attribute in ("primary_beam", "planted_flux") and math.isnan(number)
    return None if unknown else number
