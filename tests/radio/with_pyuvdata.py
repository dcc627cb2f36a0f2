"""For an environment with pyuvdata: ``python with_pyuvdata.py NAME.ms FOLDER/NAME [FILE ...]``.

Writes ``NAME.uvfits`` and ``NAME.uvh5``, and what pyuvdata reads of each file into ``FILE.npz``.
"""

import sys
import warnings

import numpy as np
from astropy.coordinates import EarthLocation
from astropy.utils import iers

warnings.simplefilter("ignore")
iers.conf.auto_download = False  # no network
EarthLocation.get_site_names = classmethod(lambda cls, **_: [])

from pyuvdata import UVData


def write(ms: str, name: str) -> None:
    uv = UVData()
    uv.read_ms(ms, run_check=False)
    uv.vis_units = "Jy"
    uv.write_uvfits(f"{name}.uvfits", run_check=False)
    uv.write_uvh5(f"{name}.uvh5", run_check=False)


def tell(path: str) -> None:
    """Its numbers, in the convention of Measurement Sets."""
    uv = UVData.from_file(path)
    telescope, known = uv.telescope, np.asarray(uv.telescope.antenna_numbers)
    origin = [axis.to_value("m") for axis in telescope.location.geocentric]
    order = np.argsort(known)
    place = np.empty(known.max() + 1, int)
    place[known[order]] = np.arange(len(known))
    [centre] = uv.phase_center_catalog.values()
    np.savez(
        f"{path}.npz",
        time=(uv.time_array - 2_400_000.5) * 86_400,
        first=place[uv.ant_1_array],
        second=place[uv.ant_2_array],
        uvw=-uv.uvw_array,
        frequency=uv.freq_array,
        width=uv.channel_width,
        data=uv.data_array.conj(),
        flag=uv.flag_array,
        samples=uv.nsample_array,
        duration=uv.integration_time,
        position=(telescope.antenna_positions + origin)[order],
        centre=[centre["cat_lon"], centre["cat_lat"]],
        telescope=telescope.name,
    )


ms, name, *others = sys.argv[1:]
write(ms, name)
for other in others:
    tell(other)
