"""The header of a UVH5 file: antennas, phase centres and spectral windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.rows.conventions import STOKES
from spectrum_workflows.radio.read.rows.numbered import Numbered
from spectrum_workflows.radio.read.rows.rowfile import Band, Field
from spectrum_workflows.radio.types import Antennas

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAMES = {"fk5": "FK5", "icrs": "ICRS"}
UNPHASED = "phase it to one direction first (pyuvdata: UVData.phase)"

MAJOR, FLATTENING = 6_378_137.0, 1 / 298.257_223_563
"""The ellipsoid WGS84: its larger half axis in m."""


def value(header: Any, name: str, default: Any = None) -> Any:
    """A number, array or text of the header; texts without their ends."""
    if name not in header:
        return default
    stored = header[name][()]
    if isinstance(stored, bytes | np.bytes_):
        return bytes(stored).decode("utf-8", "replace").strip("\0 ")
    return stored


def needed(header: Any, name: str, url: str) -> NDArray[Any]:
    """An array of the header.

    Raises
    ------
    DataError
        It is not there.
    """
    if name not in header:
        raise DataError(f"its header has no {name}", url, "write it again (pyuvdata: write_uvh5)")
    return np.asarray(header[name][()])


def antennas_of(header: Any, url: str) -> Numbered[Antennas]:
    """The antennas by their numbers."""
    numbers = tuple(int(n) for n in needed(header, "antenna_numbers", url))
    names = tuple(_texts(needed(header, "antenna_names", url)))
    relative = np.asarray(needed(header, "antenna_positions", url), np.float64)
    unknown = np.full(len(numbers), np.nan)
    diameter = np.asarray(value(header, "antenna_diameters", unknown), np.float64)
    position = relative.reshape(len(numbers), 3) + _location(header)
    if len(set(names)) < len(names):
        names = tuple(f"{name}_{number}" for name, number in zip(names, numbers, strict=True))
    return Numbered(numbers, (Antennas(names, position, np.broadcast_to(diameter, len(numbers))),))


def _texts(array: NDArray[Any]) -> list[str]:
    return [
        word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
        for word in array.tolist()
    ]


def _location(header: Any) -> NDArray[np.float64]:
    """The array's place, geocentric, m; NaN where the header does not say."""
    words = [value(header, name, np.nan) for name in ("latitude", "longitude", "altitude")]
    latitude, longitude, height = (float(word) for word in words)
    latitude, longitude = np.radians(latitude), np.radians(longitude)
    squared = FLATTENING * (2 - FLATTENING)
    normal = MAJOR / np.sqrt(1 - squared * np.sin(latitude) ** 2)
    out = (normal + height) * np.cos(latitude)
    polar = (normal * (1 - squared) + height) * np.sin(latitude)
    return np.array([out * np.cos(longitude), out * np.sin(longitude), polar])


def fields_of(header: Any, url: str) -> Numbered[Field]:
    """The phase centres by their numbers in ``phase_center_id_array``."""
    if "phase_center_catalog" not in header:
        return Numbered((0,), (_older(header),))
    catalogue = header["phase_center_catalog"]
    listed = catalogue.items() if hasattr(catalogue, "keys") else ()
    entries = {int(key): entry for key, entry in listed if hasattr(entry, "keys")}
    if not entries or any("cat_name" not in entry for entry in entries.values()):
        raise DataError("its catalogue of phase centres is not readable", url, UNPHASED)
    numbers = tuple(sorted(entries))
    return Numbered(numbers, tuple(_field(n, entries[key]) for n, key in enumerate(numbers)))


def _field(number: int, entry: Any) -> Field:
    name = str(value(entry, "cat_name", ""))
    kind = str(value(entry, "cat_type", "sidereal"))
    frame = str(value(entry, "cat_frame", "icrs"))
    ra, dec = (np.ravel(value(entry, f"cat_{axis}", np.nan)) for axis in ("lon", "lat"))
    fault = ""
    if kind != "sidereal" or len(ra) != 1:
        fault = f"its phase centre does not stay in one direction ({kind})"
    epoch = value(entry, "cat_epoch")
    return _checked(Field(number, name, (float(ra[0]), float(dec[0])), frame, fault), epoch)


def _older(header: Any) -> Field:
    """The one phase centre of a file without a catalogue."""
    phased = str(value(header, "phase_type", "drift"))
    ra, dec = (float(value(header, f"phase_center_{axis}", np.nan)) for axis in ("ra", "dec"))
    fault = "" if phased == "phased" else "its visibilities are not phased to a direction"
    frame = str(value(header, "phase_center_frame", "icrs"))
    field = Field(0, str(value(header, "object_name", "")), (ra, dec), frame, fault)
    return _checked(field, value(header, "phase_center_epoch"))


def _checked(field: Field, epoch: Any) -> Field:
    """The field with FITS' name of its frame, or with what is wrong about that."""
    frame, fault = FRAMES.get(field.frame.lower(), ""), field.fault
    if not fault and not frame:
        fault = f"phase centre in {field.frame}, not fk5 or icrs"
    if not fault and frame == "FK5" and epoch is not None and float(epoch) != 2000:
        fault = f"phase centre of epoch {float(epoch):g}, not 2000"
    return Field(field.number, field.name, field.centre, frame, fault, UNPHASED)


def bands_of(header: Any, url: str) -> tuple[Band, ...]:
    """The spectral windows, and which channels of the file each of them has."""
    frequency = np.ravel(needed(header, "freq_array", url)).astype(np.float64)
    types = tuple(STOKES.get(int(n), 0) for n in needed(header, "polarization_array", url))
    if "flex_spw_polarization_array" in header:
        message = "its spectral windows are of different polarizations"
        raise DataError(message, url, "write one file for each (pyuvdata: UVData.select)")
    widths = np.abs(np.asarray(value(header, "channel_width", np.nan), np.float64))
    widths = np.broadcast_to(np.ravel(widths), frequency.shape)
    widths = np.where(widths > 0, widths, np.nan)
    windows = needed(header, "spw_array", url).ravel().tolist()
    of = np.ravel(value(header, "flex_spw_id_array", np.full(len(frequency), windows[0])))
    if of.shape != frequency.shape or not np.isin(of, windows).all():
        raise DataError("its channels are of windows that it does not have", url, "write it again")
    return tuple(
        Band(n, 0, f"spw{number}", types, frequency[of == number], widths[of == number])
        for n, number in enumerate(windows)
    )


def channels_of(header: Any, bands: tuple[Band, ...], url: str) -> tuple[NDArray[np.int64], ...]:
    """Places of each window's channels on the file's frequency axis."""
    if "flex_spw_id_array" not in header:
        return (np.arange(len(bands[0].frequency)),)
    windows = needed(header, "spw_array", url).ravel().tolist()
    of = needed(header, "flex_spw_id_array", url).ravel()
    return tuple(np.flatnonzero(of == number) for number in windows)
