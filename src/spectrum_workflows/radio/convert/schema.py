"""What stands around the visibilities in the MSv4 schema: coordinates, antennas, fields.

Names, dimensions, units and attributes follow the MSv4 schema 4.0 as xradio's
``xradio.measurement_set.schema`` defines it; a test opens the result with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.convert.columns import UNIX_EPOCH
from spectrum_workflows.radio.read.measurement_set import correlations, opened
from spectrum_workflows.radio.read.observation import field_of, telescope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.convert.grid import Grid

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


def main(url: str, grid: Grid, columns: Sequence[str], made: dict[str, Any]) -> xr.Dataset:
    """Coordinates and attributes of the main dataset, without its large arrays."""
    types, _ = correlations(url, grid.data_description)
    names = np.array(antenna_names(url))
    coords: dict[str, Any] = {
        "time": ("time", grid.at.time - UNIX_EPOCH, _time_attributes(url, grid)),
        "baseline_id": ("baseline_id", np.arange(len(grid.antenna1))),
        "baseline_antenna1_name": ("baseline_id", _text(names[grid.antenna1])),
        "baseline_antenna2_name": ("baseline_id", _text(names[grid.antenna2])),
        "frequency": _frequency(url, grid.data_description),
        "polarization": ("polarization", _text(stokes.NAMES.get(int(t), str(t)) for t in types)),
        "uvw_label": ("uvw_label", _text("uvw")),
        "field_name": ("time", _text([field_name(url, grid.field)] * len(grid.at.time))),
        "scan_name": _scans(url, grid),
    }
    groups = {
        "base" if n == 0 else GROUPS[column]: {
            "correlated_data": DATA[column],
            "flag": "FLAG",
            "weight": "WEIGHT",
            "uvw": "UVW",
            "field_and_source": FIELDS,
            "description": f"column {column} of a Measurement Set (version 2)",
            "date": made["creation_date"],
        }
        for n, column in enumerate(columns)
    }
    attributes = {"schema_version": SCHEMA, "type": "visibility", "data_groups": groups}
    attributes |= {"observation_info": _observation(url), "processor_info": _processor(url)}
    return xr.Dataset(coords=coords, attrs=attributes | made)


def antennas(url: str, types: Sequence[int]) -> xr.Dataset:
    """All antennas of the set."""
    with opened(url, "ANTENNA") as table:
        position, dish = table.getcol("POSITION"), table.getcol("DISH_DIAMETER")
        station, mount = _strings(table, "STATION"), _strings(table, "MOUNT")
    names, name = antenna_names(url), telescope(url)
    receptors = _receptors(types)
    antenna = "antenna_name"
    located = {"type": "location", "units": "m", "frame": "ITRS"}
    located |= {"coordinate_system": "geocentric", "origin_object_name": "earth"}
    metres = {"type": "quantity", "units": "m"}
    return xr.Dataset(
        {
            "ANTENNA_POSITION": ((antenna, "cartesian_pos_label"), position, located),
            "ANTENNA_DISH_DIAMETER": (antenna, dish, metres),
        },
        coords={
            antenna: (antenna, _text(names)),
            "station_name": (antenna, _text(station)),
            "mount": (antenna, _text(mount)),
            "telescope_name": (antenna, _text([name] * len(names))),
            "receptor_label": ("receptor_label", _text(["pol_0", "pol_1"])),
            "polarization_type": ((antenna, "receptor_label"), _text([receptors] * len(names))),
            "cartesian_pos_label": ("cartesian_pos_label", _text("xyz")),
        },
        attrs={"type": "antenna", "overall_telescope_name": name},
    )


def field_and_source(url: str, field: int) -> xr.Dataset:
    """The phase centre of one field."""
    _, centre, frame = field_of(url, field)
    sky = {"type": "sky_coord", "units": "rad", "frame": frame.lower()}
    direction = (("field_name", "sky_dir_label"), np.array([centre]), sky)
    return xr.Dataset(
        {"FIELD_PHASE_CENTER_DIRECTION": direction},
        coords={
            "field_name": ("field_name", _text([field_name(url, field)])),
            "sky_dir_label": ("sky_dir_label", _text(["ra", "dec"])),
            "source_name": ("field_name", _text(["Unknown"])),
        },
        attrs={"type": "field_and_source"},
    )


def field_name(url: str, field: int) -> str:
    """A field's name with its number, as MSv4 makes it unique."""
    return f"{field_of(url, field)[0]}_{field}"


def antenna_names(url: str) -> list[str]:
    """NAME_STATION of every antenna; with its number where that is not unique."""
    with opened(url, "ANTENNA") as table:
        pairs = zip(_strings(table, "NAME"), _strings(table, "STATION"), strict=True)
        names = [f"{name}_{station}" for name, station in pairs]
    if len(set(names)) == len(names):
        return names
    return [f"{name}_{number}" for number, name in enumerate(names)]


def _text(words: Any) -> NDArray[Any]:
    """Text of fixed length, which is what xradio's schema asks for."""
    return np.array(list(words), dtype=np.str_)


def _strings(table: Any, column: str) -> list[str]:
    return [str(value) for value in table.getcol(column)]


def _receptors(types: Sequence[int]) -> list[str]:
    hands = {letter for t in types for letter in stokes.NAMES.get(int(t), "")}
    return ["R", "L"] if hands & {"R", "L"} else ["X", "Y"]


def _time_attributes(url: str, grid: Grid) -> dict[str, Any]:
    with opened(url) as table:
        interval = float(table.getcell("INTERVAL", int(grid.at.first[0])))
    return {**UTC, "integration_time": {"data": interval, "dims": [], "attrs": SECONDS}}


def _frequency(url: str, description: int) -> tuple[str, NDArray[np.float64], dict[str, Any]]:
    _, frequency = correlations(url, description)
    with opened(url, "DATA_DESCRIPTION") as table:
        window = int(table.getcell("SPECTRAL_WINDOW_ID", description))
    with opened(url, "SPECTRAL_WINDOW") as table:
        name, frame = table.getcell("NAME", window), int(table.getcell("MEAS_FREQ_REF", window))
        width = float(np.ravel(table.getcell("CHAN_WIDTH", window))[0])
        reference = float(table.getcell("REF_FREQUENCY", window))
    observer = OBSERVERS[frame] if 0 <= frame < len(OBSERVERS) else "Undefined"
    spectral = {"units": "Hz", "observer": observer, "type": "spectral_coord"}
    hertz = {"units": "Hz", "type": "quantity"}
    attributes = {
        **spectral,
        "spectral_window_name": f"{name or 'spw'}_{window}",
        "spectral_window_intents": ["UNSPECIFIED"],
        "reference_frequency": {"attrs": spectral, "data": reference, "dims": []},
        "channel_width": {"attrs": hertz, "data": width, "dims": []},
    }
    return "frequency", frequency, attributes


def _scans(url: str, grid: Grid) -> tuple[str, NDArray[Any], dict[str, Any]]:
    """The scan of every time, and what it was for."""
    with opened(url) as table:
        scans = table.selectrows(grid.at.first).getcol("SCAN_NUMBER")
        state = int(table.getcell("STATE_ID", int(grid.at.first[0])))
    with opened(url, "STATE") as table:
        known = 0 <= state < table.nrows()
        intents = str(table.getcell("OBS_MODE", state)).split(",") if known else ["UNSPECIFIED"]
    return "time", _text(map(str, scans)), {"scan_intents": intents}


def _observation(url: str) -> dict[str, Any]:
    with opened(url, "OBSERVATION") as table:
        if not table.nrows():
            return {"observer": [""], "release_date": "", "project_UID": ""}
        released = float(table.getcell("RELEASE_DATE", 0)) - UNIX_EPOCH
        date = np.datetime64("1970-01-01", "ms") + np.timedelta64(round(1e3 * released), "ms")
        observer, project = table.getcell("OBSERVER", 0), table.getcell("PROJECT", 0)
    return {"observer": [str(observer)], "release_date": str(date), "project_UID": str(project)}


def _processor(url: str) -> dict[str, str]:
    with opened(url, "PROCESSOR") as table:
        if not table.nrows():
            return {"type": "", "sub_type": ""}
        return {
            "type": str(table.getcell("TYPE", 0)),
            "sub_type": str(table.getcell("SUB_TYPE", 0)),
        }
