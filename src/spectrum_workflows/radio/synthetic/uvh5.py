"""Writing a simulated observation as a UVH5 file (pyuvdata's memo, version 1.2).

Bands are spectral windows along one axis of frequency. Its coordinates are the place of antenna 1
less that of antenna 2 with our signs, so that they change them and visibilities are conjugated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.synthetic import array
from spectrum_workflows.radio.types import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from spectrum_workflows.radio.synthetic.schedule import Block, Schedule

POLARIZATIONS = {"RR": -1, "LL": -2, "XX": -5, "YY": -6}
JULIAN_ZERO, DAY = 2_400_000.5, 86_400.0
CHUNK_BYTES = 1 << 20


def write(path: Path, plan: Schedule, blocks: Iterable[Block]) -> None:
    """Write header and data; rows are in (time, antenna1, antenna2) order.

    ``nsamples`` are the weights, inverse variances, as whatever images a file of this kind
    weights by them.

    Parameters
    ----------
    path : Path
    plan : Schedule
    blocks : iterable of Block
        Data of consecutive times; only one block is in memory at a time.
    """
    import h5py

    nchan, nhand = sum(len(band.frequency) for band in plan.bands), len(plan.hands)
    shape = (plan.nrow, nchan, nhand)
    chunks = (max(1, min(plan.nrow, CHUNK_BYTES // (8 * nchan * nhand))), nchan, nhand)
    weight = np.concatenate([np.full(len(b.frequency), b.weight, "f4") for b in plan.bands])
    with h5py.File(path, "w") as file:
        header = file.create_group("Header")
        for name, value in _header(plan).items():
            header[name] = value
        uvw = header.create_dataset("uvw_array", (plan.nrow, 3), "f8")
        store = file.create_group("Data").create_dataset
        data = store("visdata", shape, "c8", chunks=chunks)
        store("flags", shape, "?", chunks=chunks, fillvalue=False)
        samples = store("nsamples", shape, "f4", chunks=chunks, compression="gzip")
        done = 0
        for block in blocks:
            rows = slice(done, done + len(block.uvw))
            uvw[rows] = -block.uvw
            data[rows] = np.conj(np.concatenate(block.data, axis=1))
            samples[rows] = np.broadcast_to(weight[:, None], (len(block.uvw), nchan, nhand))
            done = rows.stop


def _header(plan: Schedule) -> dict[str, Any]:
    """All of the header but the coordinates, and its groups as paths."""
    telescope, bands = plan.telescope, plan.bands
    first, second = array.baselines(telescope)
    ntime, count = len(plan.hour_angle), len(telescope.enu)
    channels = [len(band.frequency) for band in bands]
    header: dict[str, Any] = {
        "latitude": np.degrees(telescope.latitude),
        "longitude": np.degrees(telescope.longitude),
        "altitude": telescope.height,
        "telescope_frame": np.bytes_("itrs"),
        "telescope_name": np.bytes_(telescope.name),
        "instrument": np.bytes_(telescope.name),
        "Nants_data": count,
        "Nants_telescope": count,
        "antenna_names": np.array([f"{telescope.name[0]}{n:03d}" for n in range(count)], "S8"),
        "antenna_numbers": np.arange(count),
        "antenna_positions": array.itrf(telescope) - array.centre(telescope),
        "antenna_diameters": np.full(count, telescope.dish),
        "Nbls": len(first),
        "Ntimes": ntime,
        "Nblts": plan.nrow,
        "ant_1_array": np.tile(first, ntime),
        "ant_2_array": np.tile(second, ntime),
        "time_array": np.repeat(plan.time / DAY + JULIAN_ZERO, len(first)),
        "integration_time": np.full(plan.nrow, plan.interval),
        "Nfreqs": sum(channels),
        "Nspws": len(bands),
        "spw_array": np.arange(len(bands)),
        "flex_spw": len(bands) > 1,
        "flex_spw_id_array": np.repeat(np.arange(len(bands)), channels),
        "freq_array": np.concatenate([band.frequency for band in bands]),
        "channel_width": np.repeat([band.channel_width for band in bands], channels),
        "Npols": len(plan.hands),
        "polarization_array": np.array([POLARIZATIONS[hand] for hand in plan.hands]),
        "vis_units": np.bytes_("Jy"),
        "phase_center_id_array": np.repeat(plan.target, len(first)),
        "Nphase": len(plan.targets),
        "phase_center_app_ra": np.repeat(_of_targets(plan)[0], len(first)),
        "phase_center_app_dec": np.repeat(_of_targets(plan)[1], len(first)),
        "phase_center_frame_pa": np.zeros(plan.nrow),
        "history": np.bytes_(SIMULATED),
        "version": np.bytes_("1.2"),
    }
    for key in ("OBSERVER", "PROJECT"):
        header[f"extra_keywords/{key}"] = np.bytes_(SIMULATED)
    for number, target in enumerate(plan.targets):
        entry = {
            "cat_name": np.bytes_(target.name),
            "cat_type": np.bytes_("sidereal"),
            "cat_frame": np.bytes_("fk5"),
            "cat_epoch": 2000.0,
            "cat_lon": target.right_ascension,
            "cat_lat": target.declination,
        }
        header |= {f"phase_center_catalog/{number}/{name}": v for name, v in entry.items()}
    return header


def _of_targets(plan: Schedule) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ascension and declination at every time, rad."""
    directions = np.array([[each.right_ascension, each.declination] for each in plan.targets])
    return directions[plan.target, 0], directions[plan.target, 1]
