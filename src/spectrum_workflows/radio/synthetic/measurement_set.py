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

    from spectrum_workflows.radio.synthetic.schedule import Block, Schedule, Target

TILE_BYTES = 1 << 20
MANY_CHANNELS = 64
"""Channels of a tile where bands have different numbers of them."""

SLOW_COLUMNS = (
    *("ARRAY_ID", "EXPOSURE", "FEED1", "FEED2", "FIELD_ID", "FLAG_ROW", "INTERVAL"),
    *("OBSERVATION_ID", "PROCESSOR_ID", "SCAN_NUMBER", "STATE_ID", "TIME", "TIME_CENTROID"),
)
"""Columns that stay the same from row to row: stored once per change."""

CORRELATIONS = {"XX": (9, 0), "YY": (12, 1), "RR": (5, 0), "LL": (8, 1)}
"""Hands in casacore's numbering of Stokes parameters, and their receptors."""


def write(path: Path, plan: Schedule, blocks: Iterable[Block]) -> None:
    """Write main table and subtables; rows are in (time, antenna1, antenna2) order.

    Those of several bands follow each other in pieces of a scan.

    Parameters
    ----------
    path : Path
        Must not exist yet.
    plan : Schedule
    blocks : iterable of Block
        Data of consecutive times; only one block is in memory at a time.
    """
    channels = {len(band.frequency) for band in plan.bands}
    nchan = channels.pop() if len(channels) == 1 else None
    done = 0
    with _create(path, nchan, len(plan.hands)) as main:
        main.addrows(plan.nrow * len(plan.bands))
        for block in blocks:
            shared = _columns(plan, block)
            for number, data in enumerate(block.data):
                columns = shared | _of_band(plan, number, data)
                for name, values in columns.items():
                    main.putcol(name, values, done, len(values))
                done += len(data)
    _fill_subtables(path, plan)


def _columns(plan: Schedule, block: Block) -> dict[str, NDArray[Any]]:
    """Columns that are the same in all bands."""
    first, second = array.baselines(plan.telescope)
    nrow, ntime = len(block.uvw), len(block.uvw) // len(first)
    when = np.repeat(plan.time[block.times], len(first))
    columns: dict[str, NDArray[Any]] = {
        "UVW": block.uvw,
        "ANTENNA1": np.tile(first, ntime),
        "ANTENNA2": np.tile(second, ntime),
        "TIME": when,
        "TIME_CENTROID": when,
        "INTERVAL": np.full(nrow, plan.interval),
        "EXPOSURE": np.full(nrow, plan.interval),
    }
    if len(plan.targets) > 1:
        columns["FIELD_ID"] = np.repeat(plan.target[block.times], len(first))
        columns["SCAN_NUMBER"] = np.repeat(plan.scan[block.times], len(first))
    return columns


def _of_band(plan: Schedule, number: int, data: NDArray[np.complex64]) -> dict[str, NDArray[Any]]:
    """Columns that differ from band to band."""
    sigma, shape = plan.bands[number].sigma or 1.0, (len(data), len(plan.hands))
    columns: dict[str, NDArray[Any]] = {
        "WEIGHT": np.full(shape, sigma**-2, np.float32),
        "SIGMA": np.full(shape, sigma, np.float32),
        "DATA": data,
        "FLAG": np.zeros(data.shape, bool),
    }
    if len(plan.bands) > 1:
        columns["DATA_DESC_ID"] = np.full(len(data), number, np.int32)
    return columns


def _create(path: Path, nchan: int | None, nhand: int = 2) -> Any:
    """An empty Measurement Set, its columns stored as CASA stores them.

    Without a number of channels every row may have its own.
    """
    import casacore.tables as casa

    cells: dict[str, Any] = {"ndim": 2}
    if nchan is not None:
        cells = {"shape": [nchan, nhand], "options": 4}
    columns = [
        casa.makearrcoldesc("DATA", 0j, valuetype="complex", **cells),
        casa.makearrcoldesc("FLAG", False, valuetype="boolean", **cells),
        casa.makearrcoldesc("WEIGHT", 0.0, shape=[nhand], valuetype="float", options=4),
        casa.makearrcoldesc("SIGMA", 0.0, shape=[nhand], valuetype="float", options=4),
    ]
    across = nchan or MANY_CHANNELS
    rows = max(1, TILE_BYTES // (8 * nhand * across))
    tiles = {"DATA": [nhand, across, rows], "FLAG": [nhand, across, 8 * rows]}
    tiles |= {"UVW": [3, 4096], "WEIGHT": [nhand, 16384], "SIGMA": [nhand, 16384]}
    managers: list[tuple[str, list[str], dict[str, Any]]] = [
        ("IncrementalStMan", list(SLOW_COLUMNS), {})
    ]
    for name, tile in tiles.items():
        varies = nchan is None and name in ("DATA", "FLAG")
        kind = "TiledShapeStMan" if varies else "TiledColumnStMan"
        managers.append((kind, [name], {"DEFAULTTILESHAPE": tile}))
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


def _fill_subtables(path: Path, plan: Schedule) -> None:
    """Fill the subtables that the standard requires."""
    time, numbers = plan.time, range(len(plan.bands))
    observation = {
        "TELESCOPE_NAME": plan.telescope.name,
        "TIME_RANGE": np.array([time[0], time[-1]]),
        "OBSERVER": SIMULATED,
        "PROJECT": SIMULATED,
        "RELEASE_DATE": time[-1],
    }
    codes, receptors = np.array([CORRELATIONS[hand] for hand in plan.hands], np.int32).T
    polarization = {
        "NUM_CORR": len(codes),
        "CORR_TYPE": codes,
        "CORR_PRODUCT": np.stack([receptors, receptors], axis=1),
    }
    antennas = _antennas(plan.telescope)
    _put(path, "ANTENNA", antennas)
    _put(path, "FEED", [_feed(number, plan) for number in range(len(antennas))])
    _put(path, "FIELD", [_field(target, time[0]) for target in plan.targets])
    _put(path, "OBSERVATION", [observation])
    _put(path, "SPECTRAL_WINDOW", [_spectral_window(number, plan) for number in numbers])
    _put(path, "POLARIZATION", [polarization])
    descriptions = [{"SPECTRAL_WINDOW_ID": n, "POLARIZATION_ID": 0} for n in numbers]
    _put(path, "DATA_DESCRIPTION", descriptions)


def _field(target: Target, start: float) -> dict[str, Any]:
    direction = np.array([[target.right_ascension, target.declination]])
    field = {"NAME": target.name, "TIME": start, "SOURCE_ID": -1}
    return field | {f"{kind}_DIR": direction for kind in ("DELAY", "PHASE", "REFERENCE")}


def _antennas(telescope: array.Telescope) -> list[dict[str, Any]]:
    names = [f"{telescope.name[0]}{n:03d}" for n in range(len(telescope.enu))]
    fixed = {"TYPE": "GROUND-BASED", "MOUNT": "ALT-AZ", "OFFSET": np.zeros(3)}
    return [
        {"NAME": name, "STATION": name, "POSITION": at, "DISH_DIAMETER": telescope.dish, **fixed}
        for name, at in zip(names, array.itrf(telescope), strict=True)
    ]


def _feed(antenna: int, plan: Schedule) -> dict[str, Any]:
    types = ["X", "Y"] if plan.hands[0] in ("XX", "YY") else ["R", "L"]
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


def _spectral_window(number: int, plan: Schedule) -> dict[str, Any]:
    band, topocentric = plan.bands[number], 5
    nchan = len(band.frequency)
    width = np.full(nchan, band.channel_width)
    return {
        "NAME": f"SPW{number}",
        "NUM_CHAN": nchan,
        "CHAN_FREQ": band.frequency,
        "CHAN_WIDTH": width,
        "EFFECTIVE_BW": width,
        "RESOLUTION": width,
        "REF_FREQUENCY": band.frequency[0],
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
