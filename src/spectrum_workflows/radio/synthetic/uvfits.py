"""Writing a simulated observation as a UVFITS file (AIPS memo 117).

Bands are IFs, which have equal numbers of channels. A group holds all of them for one time and
baseline. Coordinates are seconds in single precision, so that an observation is simulated at
what is left of them.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.synthetic import array
from spectrum_workflows.radio.types import SIMULATED, SPEED_OF_LIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from spectrum_workflows.radio.synthetic.schedule import Block, Schedule

STOKES = {"RR": (-1, -1), "LL": (-2, -1), "XX": (-5, -1), "YY": (-6, -1)}
"""Number of a hand on the axis STOKES, and the step from it to the next."""

PARAMETERS = (
    *("UU---SIN", "VV---SIN", "WW---SIN", "DATE", "DATE"),
    *("BASELINE", "SOURCE", "FREQSEL", "INTTIM"),
)
JULIAN_ZERO, DAY = 2_400_000.5, 86_400.0
RECORD = 2880


def rounded(uvw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates (m) that seconds in single precision hold."""
    return (uvw / SPEED_OF_LIGHT).astype(np.float32).astype(np.float64) * SPEED_OF_LIGHT


def write(path: Path, plan: Schedule, blocks: Iterable[Block]) -> None:
    """Write groups and tables; groups are in (time, antenna1, antenna2) order.

    Parameters
    ----------
    path : Path
    plan : Schedule
    blocks : iterable of Block
        Data of consecutive times; only one block is in memory at a time.
    """
    from astropy.io import fits

    with path.open("wb") as file:
        file.write(_header(fits, plan).tostring(padding=True).encode("ascii"))
        for block in blocks:
            file.write(_groups(plan, block).tobytes())
        file.write(b"\0" * (-file.tell() % RECORD))
        for table in (_antennas(fits, plan), _frequencies(fits, plan), _sources(fits, plan)):
            alone = io.BytesIO()  # behind a header of its own, which is one record
            fits.HDUList([fits.PrimaryHDU(), table]).writeto(alone)
            file.write(alone.getvalue()[RECORD:])


def _header(fits: Any, plan: Schedule) -> Any:
    """The primary header: random groups, their axes and parameters."""
    first, start = plan.targets[0], _start(plan)
    frequency, width = plan.bands[0].frequency, plan.bands[0].channel_width
    code, step = STOKES[plan.hands[0]]
    axes = (
        ("COMPLEX", 3, 1.0, 1.0),
        ("STOKES", len(plan.hands), float(code), float(step)),
        ("FREQ", len(frequency), float(frequency[0]), width),
        ("IF", len(plan.bands), 1.0, 1.0),
        ("RA", 1, float(np.degrees(first.right_ascension)), 1.0),
        ("DEC", 1, float(np.degrees(first.declination)), 1.0),
    )
    header = fits.Header()
    header["SIMPLE"], header["BITPIX"], header["NAXIS"] = True, -32, 1 + len(axes)
    header["NAXIS1"] = 0
    for number, (_, length, _, _) in enumerate(axes, start=2):
        header[f"NAXIS{number}"] = length
    header["EXTEND"], header["GROUPS"] = True, True
    header["PCOUNT"], header["GCOUNT"] = len(PARAMETERS), plan.nrow
    for number, (name, _, value, delta) in enumerate(axes, start=2):
        header[f"CTYPE{number}"], header[f"CRVAL{number}"] = name, value
        header[f"CDELT{number}"], header[f"CRPIX{number}"] = delta, 1.0
        header[f"CROTA{number}"] = 0.0
    for number, name in enumerate(PARAMETERS, start=1):
        header[f"PTYPE{number}"], header[f"PSCAL{number}"] = name, 1.0
        header[f"PZERO{number}"] = start if number == PARAMETERS.index("DATE") + 1 else 0.0
    header["OBJECT"] = first.name if len(plan.targets) == 1 else "MULTI"
    header["TELESCOP"] = header["INSTRUME"] = plan.telescope.name
    header["OBSERVER"] = header["PROJECT"] = SIMULATED
    header["DATE-OBS"], header["EPOCH"] = _date(start), 2000.0
    header["SPECSYS"] = "TOPOCENT"
    header["BUNIT"], header["BSCALE"], header["BZERO"] = "JY", 1.0, 0.0
    return header


def _start(plan: Schedule) -> float:
    """Julian date of the midnight before the first time."""
    return float(np.floor(plan.time[0] / DAY)) + JULIAN_ZERO


def _date(julian: float) -> str:
    return str(np.datetime64("1858-11-17") + np.timedelta64(int(julian - JULIAN_ZERO), "D"))


def _groups(plan: Schedule, block: Block) -> NDArray[np.float32]:
    """Parameters and data of the groups of a block, shape (n, numbers), big-endian."""
    first, second = array.baselines(plan.telescope)
    nrow, ntime = len(block.uvw), len(block.uvw) // len(first)
    days = plan.time[block.times] / DAY + (JULIAN_ZERO - _start(plan))
    coarse = days.astype(np.float32)
    fine = (days - coarse).astype(np.float32)
    a, b = (np.tile(number + 1, ntime) for number in (first, second))
    small = len(plan.telescope.enu) < 256
    baseline = 256 * a + b if small else 65_536 + 2048 * a + b
    target = np.repeat(plan.target[block.times] + 1, len(first))
    each = [np.repeat(values, len(first)) for values in (coarse, fine)]
    same = (np.ones(nrow), np.full(nrow, plan.interval))
    numbers = [*(block.uvw / SPEED_OF_LIGHT).T, *each, baseline, target, *same]
    nchan, nhand = block.data[0].shape[1:]
    values = np.empty((nrow, len(plan.bands), nchan, nhand, 3), ">f4")
    for n, (band, data) in enumerate(zip(plan.bands, block.data, strict=True)):
        values[:, n, ..., 0], values[:, n, ..., 1] = data.real, data.imag
        values[:, n, ..., 2] = band.weight
    groups = np.empty((nrow, len(numbers) + values[0].size), ">f4")
    groups[:, : len(numbers)] = np.stack(numbers, axis=1)
    groups[:, len(numbers) :] = values.reshape(nrow, -1)
    return groups


def _table(fits: Any, name: str, columns: Iterable[tuple[str, str, str, Any]]) -> Any:
    """A binary table, of name, format, unit and values of each column."""
    made = [fits.Column(n, form, unit or None, array=values) for n, form, unit, values in columns]
    table = fits.BinTableHDU.from_columns(made, name=name)
    table.header["EXTVER"] = 1
    return table


def _antennas(fits: Any, plan: Schedule) -> Any:
    telescope = plan.telescope
    count = len(telescope.enu)
    names = np.array([f"{telescope.name[0]}{n:03d}" for n in range(count)])
    hands = ("X", "Y") if plan.hands[0] in ("XX", "YY") else ("R", "L")
    zero = np.zeros(count)
    table = _table(
        fits,
        "AIPS AN",
        (
            ("ANNAME", "8A", "", names),
            ("STABXYZ", "3D", "METERS", array.equatorial(telescope)),
            ("NOSTA", "1J", "", np.arange(1, count + 1)),
            ("MNTSTA", "1J", "", np.zeros(count, int)),
            ("STAXOF", "1E", "METERS", zero),
            ("DIAMETER", "1E", "METERS", np.full(count, telescope.dish)),
            ("POLTYA", "1A", "", np.full(count, hands[0])),
            ("POLAA", "1E", "DEGREES", zero),
            ("POLCALA", "1E", "", zero),
            ("POLTYB", "1A", "", np.full(count, hands[1])),
            ("POLAB", "1E", "DEGREES", zero),
            ("POLCALB", "1E", "", zero),
        ),
    )
    for axis, value in zip("XYZ", array.centre(telescope), strict=True):
        table.header[f"ARRAY{axis}"] = float(value)
    sidereal = (plan.targets[0].right_ascension + plan.hour_angle[0]) - telescope.longitude
    turned = 360.985_647_366_29 * (plan.time[0] / DAY - (_start(plan) - JULIAN_ZERO))
    words: dict[str, Any] = {
        "GSTIA0": float((np.degrees(sidereal) - turned) % 360),
        "DEGPDY": 360.985_647_366_29,
    }
    words |= {"FREQ": float(plan.bands[0].frequency[0]), "RDATE": _date(_start(plan))}
    words |= {"POLARX": 0.0, "POLARY": 0.0, "UT1UTC": 0.0, "DATUTC": 0.0, "TIMSYS": "UTC"}
    words |= {"ARRNAM": telescope.name, "XYZHAND": "RIGHT", "FRAME": "ITRF", "NUMORB": 0}
    words |= {"NOPCAL": 0, "POLTYPE": "", "FREQID": 1}
    for key, word in words.items():
        table.header[key] = word
    return table


def _frequencies(fits: Any, plan: Schedule) -> Any:
    count = len(plan.bands)
    offset = [[band.frequency[0] - plan.bands[0].frequency[0] for band in plan.bands]]
    width = [[band.channel_width for band in plan.bands]]
    total = [[band.channel_width * len(band.frequency) for band in plan.bands]]
    table = _table(
        fits,
        "AIPS FQ",
        (
            ("FRQSEL", "1J", "", np.array([1])),
            ("IF FREQ", f"{count}D", "HZ", np.array(offset)),
            ("CH WIDTH", f"{count}E", "HZ", np.array(width)),
            ("TOTAL BANDWIDTH", f"{count}E", "HZ", np.array(total)),
            ("SIDEBAND", f"{count}J", "", np.ones((1, count), int)),
        ),
    )
    table.header["NO_IF"] = count
    return table


def _sources(fits: Any, plan: Schedule) -> Any:
    count, many = len(plan.targets), len(plan.bands)
    degrees = np.degrees([[each.right_ascension, each.declination] for each in plan.targets])
    zero, of_bands = np.zeros(count), np.zeros((count, many))
    flux = [(f"{letter}FLUX", f"{many}E", "JY", of_bands) for letter in "IQUV"]
    table = _table(
        fits,
        "AIPS SU",
        (
            ("ID. NO.", "1J", "", np.arange(1, count + 1)),
            ("SOURCE", "16A", "", np.array([target.name[:16] for target in plan.targets])),
            ("QUAL", "1J", "", np.zeros(count, int)),
            ("CALCODE", "4A", "", np.full(count, "")),
            *flux,
            ("FREQOFF", f"{many}D", "HZ", of_bands),
            ("BANDWIDTH", "1D", "HZ", np.full(count, plan.bands[0].channel_width)),
            ("RAEPO", "1D", "DEGREES", degrees[:, 0]),
            ("DECEPO", "1D", "DEGREES", degrees[:, 1]),
            ("EPOCH", "1D", "YEARS", np.full(count, 2000.0)),
            ("RAAPP", "1D", "DEGREES", degrees[:, 0]),
            ("DECAPP", "1D", "DEGREES", degrees[:, 1]),
            ("LSRVEL", f"{many}D", "M/SEC", of_bands),
            ("RESTFREQ", f"{many}D", "HZ", of_bands),
            ("PMRA", "1D", "DEG/DAY", zero),
            ("PMDEC", "1D", "DEG/DAY", zero),
        ),
    )
    table.header["NO_IF"], table.header["FREQID"] = many, 1
    table.header["VELTYP"], table.header["VELDEF"] = "TOPOCENT", "RADIO"
    return table
