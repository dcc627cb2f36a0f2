"""The tables behind the visibilities of a UVFITS file: antennas, sources, frequencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.rows.numbered import Numbered
from spectrum_workflows.radio.read.rows.rowfile import Band, Field
from spectrum_workflows.radio.types import Antennas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.uvfits.header import Header

FRAMES = {"FK5": "FK5", "ICRS": "ICRS", "J2000": "FK5"}

TIME_SCALES = {"UTC": "UTC", "IAT": "TAI", "TAI": "TAI"}
"""AIPS' names of the scale of times, and FITS' (TIMESYS)."""

SPECTRAL_FRAMES = {"LSRK", "LSRD", "BARYCENT", "GEOCENTR", "TOPOCENT", "GALACTOC"}

WITHIN = 1e-6
"""Relative difference up to which a width in single precision means the one of the header."""


def text(value: Any) -> str:
    """A word of a table or header without what pads it."""
    word = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return word.replace("\0", "").strip()


def antennas_of(table: Any | None, seen: NDArray[np.int64], url: str) -> Numbered[Antennas]:
    """The antennas by their station numbers; without a table those that occur.

    The only thing is the `Antennas`.
    """
    if table is None:
        numbers = tuple(int(n) for n in seen)
        names = tuple(f"antenna {n}" for n in numbers)
        unknown = np.full((len(numbers), 3), np.nan)
        return Numbered(numbers, (Antennas(names, unknown, unknown[:, 0].copy()),))
    data, header = table.data, table.header
    numbers = tuple(int(n) for n in data["NOSTA"])
    if len(set(numbers)) < len(numbers):
        raise DataError("its antenna table gives a number twice", url, "write it again")
    names = tuple(text(name) for name in data["ANNAME"])
    if len(set(names)) < len(names):
        names = tuple(f"{name}_{number}" for name, number in zip(names, numbers, strict=True))
    position = np.array(data["STABXYZ"], np.float64).reshape(len(numbers), 3)
    diameter = np.full(len(numbers), np.nan)
    if "DIAMETER" in data.names:
        given = np.array(data["DIAMETER"], np.float64)
        diameter = np.where(given > 0, given, np.nan)
    return Numbered(numbers, (Antennas(names, _geocentric(position, header), diameter),))


def _geocentric(position: NDArray[np.float64], header: Any) -> NDArray[np.float64]:
    """Positions (m) in the Earth's frame: relative ones are turned to the array's meridian."""
    if text(header.get("XYZHAND", "RIGHT")).upper() == "LEFT":
        position = position * [1.0, -1.0, 1.0]
    centre = np.array([float(header.get(f"ARRAY{axis}", 0.0)) for axis in "XYZ"])
    if not centre.any():
        return position
    angle = np.arctan2(centre[1], centre[0])
    sin, cos = np.sin(angle), np.cos(angle)
    return np.asarray(position @ [[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]] + centre)


def time_scale(table: Any | None) -> str:
    """The scale of the times; CASA writes the keyword without its E."""
    header = table.header if table is not None else {}
    known = text(header.get("TIMESYS", header.get("TIMSYS", "UTC"))).upper()
    return TIME_SCALES.get(known, "UTC")


def fields_of(table: Any | None, primary: Any, header: Header) -> Numbered[Field]:
    """The sources of the groups' parameter SOURCE; without a table the one of the header."""
    frame, fault = _frame(primary, _epoch(primary))
    if table is None or "SOURCE" not in header.parameters:
        ra, dec = (_direction(primary, header, axis) for axis in ("RA", "DEC"))
        name = text(primary.get("OBJECT", ""))
        remedy = "shift the data to J2000 first (AIPS: UVFIX)"
        field = Field(0, name, (np.radians(ra), np.radians(dec)), frame, fault, remedy)
        return Numbered((0,), (field,))
    data = table.data
    key = "ID. NO." if "ID. NO." in data.names else "ID. NO"
    fields = [_source(data, row, primary) for row in range(len(data))]
    return Numbered(tuple(int(n) for n in data[key]), tuple(fields))


def _source(data: Any, row: int, primary: Any) -> Field:
    frame, fault = _frame(primary, float(data["EPOCH"][row]))
    name = text(data["SOURCE"][row])
    remedy = "shift the data to J2000 first (AIPS: UVFIX)"
    centre = (np.radians(float(data["RAEPO"][row])), np.radians(float(data["DECEPO"][row])))
    return Field(row, name, centre, frame, fault, remedy)


def _direction(primary: Any, header: Header, axis: str) -> float:
    """A coordinate of the phase centre, deg, from the axis or from OBSRA and OBSDEC."""
    axes = [a for a in header.axes if a.name.startswith(axis)]
    return axes[0].value if axes else float(primary.get(f"OBS{axis}", np.nan))


def _epoch(primary: Any) -> float:
    """Of the coordinates; NaN where the header does not say."""
    return float(primary.get("EPOCH", primary.get("EQUINOX", np.nan)))


def _frame(primary: Any, epoch: float) -> tuple[str, str]:
    """The frame of the phase centre as FITS calls it, or why it has none that is imaged."""
    keys = ("RADESYS", "RADESYSA", "PHSFRAME")
    given = next((text(primary[key]) for key in keys if key in primary), "")
    if not given:
        given = "ICRS" if np.isnan(epoch) else "FK5" if epoch == 2000 else f"epoch {epoch:g}"
    known = FRAMES.get(given.upper(), "")
    if known == "FK5" and not np.isnan(epoch) and epoch != 2000:
        return "", f"phase centre of epoch {epoch:g}, not 2000"
    return (known, "") if known else ("", f"phase centre in {given}, not J2000 or ICRS")


def bands_of(
    table: Any | None, primary: Any, header: Header, url: str
) -> Numbered[tuple[Band, ...]]:
    """The frequency setups of the parameter FREQSEL, each a tuple of bands, one for every IF."""
    axis, count = header.axis("FREQ"), header.axis("IF").length
    frame = text(primary.get("SPECSYS", "")).upper()
    frame = frame if frame in SPECTRAL_FRAMES else ""
    if table is None:
        if count > 1:
            message = f"it has {count} IFs and no table AIPS FQ of their frequencies"
            raise DataError(message, url, "write it again, with its tables")
        numbers: tuple[int, ...] = (1,)
        offsets, steps = np.zeros((1, 1)), np.full((1, 1), axis.step)
    else:
        data = table.data
        numbers = tuple(int(n) for n in np.ravel(data["FRQSEL"]))
        offsets, widths, sides = (
            np.array(data[name], np.float64).reshape(len(numbers), -1)
            for name in ("IF FREQ", "CH WIDTH", "SIDEBAND")
        )
        if offsets.shape[1] != count:
            message = f"its table AIPS FQ has {offsets.shape[1]} IFs, its data {count}"
            raise DataError(message, url, "the file contradicts itself: write it again")
        down = (widths < 0) | (sides < 0)
        steps = _precise(np.where(down, -np.abs(widths), np.abs(widths)), axis.step)
    places = np.arange(axis.length, dtype=np.float64) + 1 - axis.reference
    setups = []
    for setup in range(len(numbers)):
        bands = []
        for number in range(count):
            step = float(steps[setup, number])
            frequency = axis.value + float(offsets[setup, number]) + places * step
            width = np.full(axis.length, abs(step) if step else np.nan)
            at = setup * count + number
            name = f"IF{number + 1}"
            bands.append(Band(at, setup, name, header.types, frequency, width, frame))
        setups.append(tuple(bands))
    return Numbered(numbers, tuple(setups))


def _precise(steps: NDArray[np.float64], exact: float) -> NDArray[np.float64]:
    """The header's width in place of what is the same in single precision."""
    same = np.abs(np.abs(steps) - abs(exact)) <= WITHIN * abs(exact)
    return np.where(same, np.copysign(exact, steps), steps)
