"""The fields of a Measurement Set, and where their phase centres are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.choices import Named
from spectrum_workflows.radio.read.msv2.antennas import cell_or
from spectrum_workflows.radio.read.msv2.tables import CONTRADICTION, cell, factor, opened
from spectrum_workflows.radio.read.phase_centre import still

if TYPE_CHECKING:
    from collections.abc import Iterable

FRAMES = {"J2000": "FK5", "ICRS": "ICRS"}
"""Direction frames that can be imaged: casacore's name and FITS' RADESYS."""


@dataclass(frozen=True)
class Field:
    """Name of a field, its phase centre (rad), and the frame of that as FITS calls it."""

    name: str
    centre: tuple[float, float]
    frame: str


@dataclass(frozen=True)
class Span:
    """First and last time of an observation, s, and its synthesized beam, rad."""

    begin: float
    end: float
    beam: float


def field_names(url: str, numbers: Iterable[int]) -> list[Named]:
    """Some rows of the FIELD subtable, rising, with their names as far as it has them."""
    with opened(url, "FIELD") as table:
        return [Named(n, str(cell_or(table, "NAME", n, ""))) for n in sorted(numbers)]


def field_of(url: str, field: int, span: Span) -> Field:
    """A field of a Measurement Set at the middle of an observation.

    A direction that is a polynomial in time is evaluated there if it hardly
    moves meanwhile: baseline coordinates follow a phase centre that moves, so
    that the sky would be smeared.

    Raises
    ------
    DataError
        There is no such field, or its direction cannot be imaged.
    """
    of = (url, "FIELD", "FIELD_ID")
    with opened(url, "FIELD") as table:
        terms = np.asarray(cell(table, "PHASE_DIR", field, of), np.float64)
        names = table.colnames()
        frame = _frame(table, field, url)
        _check_ephemeris(table, field, url)
        order = int(table.getcell("NUM_POLY", field)) if "NUM_POLY" in names else len(terms) - 1
        start = float(table.getcell("TIME", field)) if "TIME" in names else 0.0
        name = str(table.getcell("NAME", field)) if "NAME" in names else ""
        scale = factor(table, "PHASE_DIR", "rad", url)
    if terms.ndim != 2 or terms.shape[1] != 2 or not 0 <= order < len(terms):
        message = f"PHASE_DIR of field {field} has shape {terms.shape}, NUM_POLY is {order}"
        raise DataError(message, url, CONTRADICTION)
    if terms[order + 1 :].any():
        message = f"PHASE_DIR of field {field} has {len(terms) - 1} orders, NUM_POLY says {order}"
        raise DataError(message, url, CONTRADICTION)
    terms = scale * terms[: order + 1]
    times = np.linspace(span.begin, span.end, 5) - start if order else np.zeros(5)
    path = np.array([sum(c * t**n for n, c in enumerate(terms)) for t in times])
    return Field(name, still(path, span.beam, f"field {field}", url), FRAMES[frame])


def _frame(table: Any, field: int, url: str) -> str:
    measure = table.getcolkeywords("PHASE_DIR").get("MEASINFO", {})
    frame = measure.get("Ref", "J2000")
    if column := measure.get("VarRefCol"):
        code, codes = table.getcell(column, field), measure.get("TabRefCodes", ())
        names = {int(c): str(n) for c, n in zip(codes, measure["TabRefTypes"], strict=True)}
        frame = names.get(int(code), f"frame {code}")
    if frame not in FRAMES:
        remedy = "convert it with CASA's fixvis or chgcentre"
        raise DataError(f"phase centre in {frame}, not J2000 or ICRS", url, remedy)
    return str(frame)


def _check_ephemeris(table: Any, field: int, url: str) -> None:
    """Refuse a field that follows a body: its PHASE_DIR is an offset from an ephemeris."""
    if "EPHEMERIS_ID" not in table.colnames():
        return
    number = int(table.getcell("EPHEMERIS_ID", field))
    if number >= 0:
        message = f"field {field} follows ephemeris {number}: its phase centre moves over the sky"
        remedy = "shift the data to one direction first (CASA's phaseshift or fixvis)"
        raise DataError(message, url, remedy)
