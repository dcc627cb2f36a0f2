"""Writing a simulated observation as a Measurement Set (version 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.synthetic import array
from spectrum_workflows.radio.types import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from spectrum_workflows.radio.synthetic.schedule import Schedule

TILE_BYTES = 1 << 20
SLOW_COLUMNS = (
    *("ARRAY_ID", "EXPOSURE", "FEED1", "FEED2", "FIELD_ID", "FLAG_ROW", "INTERVAL"),
    *("OBSERVATION_ID", "PROCESSOR_ID", "SCAN_NUMBER", "STATE_ID", "TIME", "TIME_CENTROID"),
)
"""Columns that stay the same from row to row: stored once per change."""

CORRELATIONS = {"linear": (9, 12), "circular": (5, 8)}
"""XX, YY and RR, LL in casacore's numbering of Stokes parameters."""


def write(path: Path, plan: Schedule, blocks: Iterable[NDArray[np.complex64]], feeds: str) -> None:
    """Write main table and subtables; rows are in (time, antenna1, antenna2) order.

    Parameters
    ----------
    path : Path
        Must not exist yet.
    plan : Schedule
    blocks : iterable of ndarray of complex64, shape (ntime, nbaseline, nchan, 2)
        Data of consecutive times, Jy; only one block is in memory at a time.
    feeds : str
        ``linear`` or ``circular``.
    """
    pairs = array.baselines(plan.telescope)
    begin, done = 0, 0
    with _create(path, len(plan.frequency)) as main:
        main.addrows(len(pairs[0]) * len(plan.hour_angle))
        for block in blocks:
            end = begin + len(block)
            data = block.reshape(-1, *block.shape[2:])
            columns = _columns(plan, slice(begin, end), pairs)
            columns |= {"DATA": data, "FLAG": np.zeros(data.shape, bool)}
            for name, values in columns.items():
                main.putcol(name, values, done, len(values))
            begin, done = end, done + len(data)
    _fill_subtables(path, plan, feeds)


def _columns(
    plan: Schedule, times: slice, pairs: tuple[NDArray[np.int32], NDArray[np.int32]]
) -> dict[str, NDArray[Any]]:
    """All columns but DATA and FLAG for a range of times."""
    hour_angle = plan.hour_angle[times]
    nrow = len(hour_angle) * len(pairs[0])
    uvw = array.uvw(plan.telescope, hour_angle, plan.declination).reshape(-1, 3)
    when = np.repeat(plan.time[times], len(pairs[0]))
    sigma = plan.sigma or 1.0
    return {
        "UVW": uvw,
        "ANTENNA1": np.tile(pairs[0], len(hour_angle)),
        "ANTENNA2": np.tile(pairs[1], len(hour_angle)),
        "TIME": when,
        "TIME_CENTROID": when,
        "INTERVAL": np.full(nrow, plan.interval),
        "EXPOSURE": np.full(nrow, plan.interval),
        "WEIGHT": np.full((nrow, 2), sigma**-2, np.float32),
        "SIGMA": np.full((nrow, 2), sigma, np.float32),
    }


def _create(path: Path, nchan: int) -> Any:
    """An empty Measurement Set, its columns stored as CASA stores them."""
    import casacore.tables as casa

    shape, fixed = [nchan, 2], 4
    columns = [
        casa.makearrcoldesc("DATA", 0j, shape=shape, valuetype="complex", options=fixed),
        casa.makearrcoldesc("FLAG", False, shape=shape, valuetype="boolean", options=fixed),
        casa.makearrcoldesc("WEIGHT", 0.0, shape=[2], valuetype="float", options=fixed),
        casa.makearrcoldesc("SIGMA", 0.0, shape=[2], valuetype="float", options=fixed),
    ]
    rows = max(1, TILE_BYTES // (16 * nchan))
    tiles = {"DATA": [2, nchan, rows], "FLAG": [2, nchan, 8 * rows]}
    tiles |= {"UVW": [3, 4096], "WEIGHT": [2, 16384], "SIGMA": [2, 16384]}
    managers: list[tuple[str, list[str], dict[str, Any]]] = [
        ("IncrementalStMan", list(SLOW_COLUMNS), {})
    ]
    managers += [
        ("TiledColumnStMan", [name], {"DEFAULTTILESHAPE": tile}) for name, tile in tiles.items()
    ]
    layout = {
        f"*{number}": {
            "TYPE": kind,
            "NAME": f"{kind}{number}",
            "SEQNR": number,
            "COLUMNS": names,
            "SPEC": options,
        }
        for number, (kind, names, options) in enumerate(managers, start=10)
    }
    return casa.default_ms(str(path), casa.maketabdesc(columns), layout)


def _fill_subtables(path: Path, plan: Schedule, feeds: str) -> None:
    """Fill the subtables that the standard requires."""
    direction = np.array([[plan.right_ascension, plan.declination]])
    time = plan.time
    field = {"NAME": SIMULATED.upper(), "TIME": time[0], "SOURCE_ID": -1}
    field |= {f"{kind}_DIR": direction for kind in ("DELAY", "PHASE", "REFERENCE")}
    observation = {
        "TELESCOPE_NAME": plan.telescope.name,
        "TIME_RANGE": np.array([time[0], time[-1]]),
        "OBSERVER": SIMULATED,
        "PROJECT": SIMULATED,
        "RELEASE_DATE": time[-1],
    }
    polarization = {
        "NUM_CORR": 2,
        "CORR_TYPE": np.array(CORRELATIONS[feeds], np.int32),
        "CORR_PRODUCT": np.array([[0, 0], [1, 1]], np.int32),
    }
    antennas = _antennas(plan.telescope)
    _put(path, "ANTENNA", antennas)
    _put(path, "FEED", [_feed(number, plan, feeds) for number in range(len(antennas))])
    _put(path, "FIELD", [field])
    _put(path, "OBSERVATION", [observation])
    _put(path, "SPECTRAL_WINDOW", [_spectral_window(plan)])
    _put(path, "POLARIZATION", [polarization])
    _put(path, "DATA_DESCRIPTION", [{"SPECTRAL_WINDOW_ID": 0, "POLARIZATION_ID": 0}])


def _antennas(telescope: array.Telescope) -> list[dict[str, Any]]:
    names = [f"{telescope.name[0]}{n:03d}" for n in range(len(telescope.enu))]
    fixed = {"TYPE": "GROUND-BASED", "MOUNT": "ALT-AZ", "OFFSET": np.zeros(3)}
    return [
        {"NAME": name, "STATION": name, "POSITION": at, "DISH_DIAMETER": telescope.dish, **fixed}
        for name, at in zip(names, array.itrf(telescope), strict=True)
    ]


def _feed(antenna: int, plan: Schedule, feeds: str) -> dict[str, Any]:
    types = ["X", "Y"] if feeds == "linear" else ["R", "L"]
    return {
        "ANTENNA_ID": antenna,
        "SPECTRAL_WINDOW_ID": -1,
        "TIME": plan.time[0],
        "NUM_RECEPTORS": 2,
        "BEAM_ID": -1,
        "BEAM_OFFSET": np.zeros((2, 2)),
        "POLARIZATION_TYPE": {"shape": [2], "array": types},
        "POL_RESPONSE": np.eye(2, dtype=np.complex64),
        "POSITION": np.zeros(3),
        "RECEPTOR_ANGLE": np.zeros(2),
    }


def _spectral_window(plan: Schedule) -> dict[str, Any]:
    nchan, topocentric = len(plan.frequency), 5
    width = np.full(nchan, plan.channel_width)
    return {
        "NAME": "SPW0",
        "NUM_CHAN": nchan,
        "CHAN_FREQ": plan.frequency,
        "CHAN_WIDTH": width,
        "EFFECTIVE_BW": width,
        "RESOLUTION": width,
        "REF_FREQUENCY": plan.frequency[0],
        "TOTAL_BANDWIDTH": width.sum(),
        "MEAS_FREQ_REF": topocentric,
        "NET_SIDEBAND": 1,
    }


def _put(path: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Append rows to a subtable."""
    import casacore.tables as casa

    with casa.table(f"{path}::{name}", readonly=False, ack=False) as table:
        table.addrows(len(rows))
        for number, row in enumerate(rows):
            for column, value in row.items():
                table.putcell(column, number, value)
