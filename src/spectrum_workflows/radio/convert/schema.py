"""Coordinates, antennas and fields of a set in the MSv4 schema.

Names, dimensions, units and attributes follow the MSv4 schema 4.0 as xradio's
``xradio.measurement_set.schema`` defines it; a test opens the result with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.units import UNIX_EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.convert.origin import PartWords, SetWords
    from spectrum_workflows.radio.convert.parts import VisibilitySet
    from spectrum_workflows.radio.read.msv2.visibilities import SpectralWindow

SCHEMA = "4.0.1"

DATA = {"DATA": "VISIBILITY", "CORRECTED_DATA": "VISIBILITY_CORRECTED"}
DATA |= {"MODEL_DATA": "VISIBILITY_MODEL"}
"""Data columns of a Measurement Set and what MSv4 calls them."""

GROUPS = {"DATA": "base", "CORRECTED_DATA": "corrected", "MODEL_DATA": "model"}

OBSERVERS = ("REST", "lsrk", "lsrd", "BARY", "gcrs", "TOPO", "GALACTO", "LGROUP", "CMB")
"""Spectral frames in the order of casacore's MFrequency types."""

FIELDS = "field_and_source_base_xds"

SECONDS = {"units": "s", "type": "quantity"}
UTC = {"type": "time", "units": "s", "scale": "utc", "format": "unix"}


@dataclass(frozen=True)
class Variable:
    """A large array: its dimensions, type, value where there is no row, and attributes."""

    dims: tuple[str, ...]
    dtype: str
    fill: Any
    attributes: dict[str, Any]


def variables(columns: Sequence[str], frame: str) -> dict[str, Variable]:
    """The arrays that are filled block by block, by their MSv4 names.

    Parameters
    ----------
    columns : sequence of str
        Data columns of the Measurement Set.
    frame : str
        Frame of the phase centre, which is that of the UVW: ``fk5`` or ``icrs``.
    """
    cell, nan = ("time", "baseline_id"), float("nan")
    full = (*cell, "frequency", "polarization")
    data = Variable(full, "complex64", complex(nan, nan), {"type": "quanta", "units": "Jy"})
    uvw = {"type": "uvw", "units": "m", "frame": frame}
    return {DATA[column]: data for column in columns} | {
        "FLAG": Variable(full, "bool", True, {}),
        "WEIGHT": Variable(full, "float32", nan, {"type": "quanta", "units": "1/Jy**2"}),
        "UVW": Variable((*cell, "uvw_label"), "float64", nan, uvw),
        "TIME_CENTROID": Variable(cell, "float64", nan, UTC),
        "EFFECTIVE_INTEGRATION_TIME": Variable(cell, "float64", nan, SECONDS),
    }


def main(words: SetWords, own: PartWords, part: VisibilitySet, made: dict[str, Any]) -> xr.Dataset:
    """Coordinates and attributes of the main dataset, without its large arrays."""
    grid, columns, types = part.grid, part.columns, part.window.types
    names = np.array(words.antennas.name)
    coords: dict[str, Any] = {
        "time": ("time", grid.at.time - UNIX_EPOCH, _time_attributes(words, own)),
        "baseline_id": ("baseline_id", np.arange(len(grid.antenna1))),
        "baseline_antenna1_name": ("baseline_id", _text(names[grid.antenna1])),
        "baseline_antenna2_name": ("baseline_id", _text(names[grid.antenna2])),
        "frequency": _frequency(own, part.window),
        "polarization": ("polarization", _text(stokes.NAMES.get(int(t), str(t)) for t in types)),
        "uvw_label": ("uvw_label", _text("uvw")),
        "field_name": ("time", _text([field_name(part)] * len(grid.at.time))),
        "scan_name": ("time", _text(own.scans), {"scan_intents": list(own.intents)}),
    }
    groups = {
        "base" if n == 0 else GROUPS[column]: {
            "correlated_data": DATA[column],
            "flag": "FLAG",
            "weight": "WEIGHT",
            "uvw": "UVW",
            "field_and_source": FIELDS,
            "description": f"column {column} of a {words.form}",
            "date": made["creation_date"],
        }
        for n, column in enumerate(columns)
    }
    attributes = {"schema_version": SCHEMA, "type": "visibility", "data_groups": groups}
    attributes |= {"observation_info": words.observation, "processor_info": words.processor}
    return xr.Dataset(coords=coords, attrs=attributes | made)


def antennas(words: SetWords, types: Sequence[int]) -> xr.Dataset:
    """All antennas of the set."""
    known, name = words.antennas, words.telescope
    names = known.name
    receptors = _receptors(types)
    antenna = "antenna_name"
    located = {"type": "location", "units": "m", "frame": "ITRS"}
    located |= {"coordinate_system": "geocentric", "origin_object_name": "earth"}
    metres = {"type": "quantity", "units": "m"}
    return xr.Dataset(
        {
            "ANTENNA_POSITION": ((antenna, "cartesian_pos_label"), known.position, located),
            "ANTENNA_DISH_DIAMETER": (antenna, known.diameter, metres),
        },
        coords={
            antenna: (antenna, _text(names)),
            "station_name": (antenna, _text(words.stations)),
            "mount": (antenna, _text(words.mounts)),
            "telescope_name": (antenna, _text([name] * len(names))),
            "receptor_label": ("receptor_label", _text(["pol_0", "pol_1"])),
            "polarization_type": ((antenna, "receptor_label"), _text([receptors] * len(names))),
            "cartesian_pos_label": ("cartesian_pos_label", _text("xyz")),
        },
        attrs={"type": "antenna", "overall_telescope_name": name},
    )


def field_and_source(part: VisibilitySet) -> xr.Dataset:
    """The phase centre of one field."""
    sky = {"type": "sky_coord", "units": "rad", "frame": part.field.frame.lower()}
    direction = (("field_name", "sky_dir_label"), np.array([part.field.centre]), sky)
    return xr.Dataset(
        {"FIELD_PHASE_CENTER_DIRECTION": direction},
        coords={
            "field_name": ("field_name", _text([field_name(part)])),
            "sky_dir_label": ("sky_dir_label", _text(["ra", "dec"])),
            "source_name": ("field_name", _text(["Unknown"])),
        },
        attrs={"type": "field_and_source"},
    )


def field_name(part: VisibilitySet) -> str:
    """A field's name with its number, as MSv4 makes it unique."""
    return f"{part.field.name}_{part.grid.field}"


def _text(words: Any) -> NDArray[Any]:
    """Text of fixed length, which is what xradio's schema asks for."""
    return np.array(list(words), dtype=np.str_)


def _receptors(types: Sequence[int]) -> list[str]:
    hands = {letter for t in types for letter in stokes.NAMES.get(int(t), "")}
    return ["R", "L"] if hands & {"R", "L"} else ["X", "Y"]


def _time_attributes(words: SetWords, own: PartWords) -> dict[str, Any]:
    data = own.interval if np.isfinite(own.interval) else 0.0
    scale = {"scale": words.time_scale.lower()}
    return {**UTC, **scale, "integration_time": {"data": data, "dims": [], "attrs": SECONDS}}


def _frequency(
    own: PartWords, window: SpectralWindow
) -> tuple[str, NDArray[np.float64], dict[str, Any]]:
    number, frame, frequency = window.number, window.frame, window.frequency
    known = window.width[np.isfinite(window.width)]
    apart = np.abs(np.diff(frequency)).mean() if len(frequency) > 1 else 0.0
    width = float(known[0]) if len(known) else float(apart)
    observer = OBSERVERS[frame] if 0 <= frame < len(OBSERVERS) else "Undefined"
    spectral = {"units": "Hz", "observer": observer, "type": "spectral_coord"}
    hertz = {"units": "Hz", "type": "quantity"}
    attributes = {
        **spectral,
        "spectral_window_name": f"{window.name or 'spw'}_{number}",
        "spectral_window_intents": ["UNSPECIFIED"],
        "reference_frequency": {"attrs": spectral, "data": own.reference_hz, "dims": []},
        "channel_width": {"attrs": hertz, "data": width, "dims": []},
    }
    return "frequency", frequency, attributes
