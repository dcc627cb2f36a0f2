"""In an environment with pyuvdata: ``python write_with_pyuvdata.py NAME.ms FOLDER/NAME``.

Writes ``NAME.uvfits`` and ``NAME.uvh5``.  pyuvdata needs an older numba than the package has.
"""

import sys
import warnings

from astropy.coordinates import EarthLocation
from astropy.utils import iers

warnings.simplefilter("ignore")
iers.conf.auto_download = False  # no network
EarthLocation.get_site_names = classmethod(lambda cls, **_: [])

from pyuvdata import UVData

uv = UVData()
uv.read_ms(sys.argv[1], run_check=False)
uv.vis_units = "Jy"
uv.write_uvfits(f"{sys.argv[2]}.uvfits", run_check=False)
uv.write_uvh5(f"{sys.argv[2]}.uvh5", run_check=False)
