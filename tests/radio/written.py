"""Small writers of UVFITS and UVH5, from the published memos, so that tests need no other program.

UVFITS: AIPS memo 117; UVH5: pyuvdata's memo.  `write_with_pyuvdata.py` writes both with pyuvdata.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import casacore.tables as casa
import numpy as np

C = 299_792_458.0
STEP = 2.0**-42
"""Seconds: UVFITS holds whole multiples of it to the bit, up to a kilometre."""

STOKES = {5: -1, 6: -3, 7: -4, 8: -2, 9: -5, 10: -7, 11: -8, 12: -6}


@dataclass(frozen=True)
class Columns:
    """What one field and data description of a Measurement Set holds, in its own convention."""

    time: np.ndarray
    first: np.ndarray
    second: np.ndarray
    uvw: np.ndarray
    data: np.ndarray
    flag: np.ndarray
    weight: np.ndarray
    frequency: np.ndarray
    types: np.ndarray
    position: np.ndarray
    names: list[str]
    directions: np.ndarray
    source: np.ndarray
    exposure: np.ndarray

    def rows(self, which: Any) -> "Columns":
        names = ("time", "first", "second", "uvw", "data", "flag", "weight", "source", "exposure")
        return replace(self, **{name: getattr(self, name)[which] for name in names})


def rounded(ms: Path) -> None:
    """Give a set coordinates that single precision seconds hold."""
    with casa.table(str(ms), readonly=False, ack=False) as table:
        table.putcol("UVW", np.rint(table.getcol("UVW") / C / STEP) * STEP * C)


def columns_of(ms: Path) -> Columns:
    with casa.table(str(ms), ack=False) as table:
        names = ("TIME", "ANTENNA1", "ANTENNA2", "UVW", "DATA", "FLAG", "WEIGHT", "EXPOSURE")
        time, first, second, uvw, data, flag, weight, exposure = (table.getcol(n) for n in names)
        source = table.getcol("FIELD_ID")
    with casa.table(f"{ms}::SPECTRAL_WINDOW", ack=False) as table:
        frequency = table.getcell("CHAN_FREQ", 0)
    with casa.table(f"{ms}::POLARIZATION", ack=False) as table:
        types = table.getcell("CORR_TYPE", 0)
    with casa.table(f"{ms}::ANTENNA", ack=False) as table:
        position, names = table.getcol("POSITION"), table.getcol("NAME")
    with casa.table(f"{ms}::FIELD", ack=False) as table:
        directions = table.getcol("PHASE_DIR")[:, 0]
    return Columns(
        *(time, first, second, uvw, data, flag),
        np.repeat(weight[:, None], data.shape[1], axis=1),
        *(frequency, types, position, list(names), directions, source, exposure),
    )


def write_uvfits(
    path: Path,
    columns: Columns,
    *,
    ifs: int = 1,
    baseline: str = "antennas",
    sources: bool = False,
    setups: tuple[np.ndarray, list[float]] | None = None,
    durations: bool = False,
    change: Any = lambda hdus: None,
    keys: dict[str, Any] | None = None,
) -> Path:
    """Groups with IFs of equal numbers of channels; ``baseline`` is antennas, 256 or 2048.

    ``setups``: the frequency setup of each row, and how far each is from the first, Hz.
    """
    from astropy.io import fits

    nrow, nchan, ncorr = columns.data.shape
    order = np.argsort([abs(STOKES[int(t)]) for t in columns.types])
    values = np.stack(
        [
            columns.data.real,
            columns.data.imag,
            np.where(columns.flag, -1, 1) * np.abs(columns.weight),
        ],
        axis=-1,
    )[:, :, order].astype(np.float32)
    cube = values.reshape(nrow, 1, 1, ifs, nchan // ifs, ncorr, 3)
    days = columns.time / 86_400 + 2_400_000.5
    zero = np.floor(days[0] - 0.5) + 0.5
    coarse = (days - zero).astype(np.float32)
    fine = (days - zero - coarse).astype(np.float32)
    seconds = columns.uvw / C
    names = ["UU---SIN", "VV---SIN", "WW---SIN", "DATE", "DATE"]
    numbers = [*seconds.T, coarse, fine]
    first, second = columns.first + 1, columns.second + 1
    if baseline == "antennas":
        names += ["SUBARRAY", "ANTENNA1", "ANTENNA2"]
        numbers += [np.ones(nrow), first, second]
    else:
        names += ["BASELINE"]
        large = baseline == "2048"
        numbers += [65_536 + 2048 * first + second if large else 256 * first + second]
    if sources:
        names, numbers = [*names, "SOURCE"], [*numbers, 10 + columns.source]
    which, shift = setups or (None, [0.0])
    if which is not None:
        names, numbers = [*names, "FREQSEL"], [*numbers, 1 + which]
    if durations:
        names, numbers = [*names, "INTTIM"], [*numbers, columns.exposure]
    groups = fits.GroupsHDU(
        fits.GroupData(cube, bitpix=-32, parnames=names, pardata=[n.astype("f4") for n in numbers])
    )
    header = groups.header
    header["PZERO4"] = zero
    step = columns.frequency[1] - columns.frequency[0]
    codes = sorted((STOKES[int(t)] for t in columns.types), key=abs)
    axes = {
        "COMPLEX": (1.0, 1.0),
        "STOKES": (codes[0], codes[1] - codes[0] if len(codes) > 1 else -1),
        "FREQ": (columns.frequency[0], step),
        "IF": (1.0, 1.0),
        "RA": (np.degrees(columns.directions[0, 0]) % 360, 1.0),
        "DEC": (np.degrees(columns.directions[0, 1]), 1.0),
    }
    for number, (name, (value, delta)) in enumerate(axes.items(), start=2):
        header[f"CTYPE{number}"], header[f"CRVAL{number}"] = name, value
        header[f"CDELT{number}"], header[f"CRPIX{number}"] = delta, 1.0
    header["OBJECT"], header["TELESCOP"], header["EPOCH"] = "SIMULATED", "VLA", 2000.0
    header["BUNIT"] = "JY"
    hdus = fits.HDUList([groups, _antennas(fits, columns), _frequencies(fits, columns, ifs, shift)])
    if sources:
        hdus.append(_sources(fits, columns, ifs))
    change(hdus)
    hdus.writeto(path, output_verify="ignore")
    for key, value in (keys or {}).items():
        _put(fits, path, key, value)
    return path


def _put(fits: Any, path: Path, key: str, value: Any) -> None:
    """Write another card over one of the primary header, or over END and a new END."""
    data, card = path.read_bytes(), fits.Card(key, value).image.encode()
    names = [data[n : n + 80][:8].strip().decode() for n in range(0, 2880 * 2, 80)]
    names = names[: 1 + names.index("END")]
    place = 80 * (names.index(key) if key in names else len(names) - 1)
    after = b"" if key in names else b"END".ljust(80)
    path.write_bytes(data[:place] + card + after + data[place + len(card + after) :])


def _antennas(fits: Any, columns: Columns) -> Any:
    centre = columns.position.mean(axis=0)
    angle = np.arctan2(centre[1], centre[0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    local = columns.position - centre
    local[:, :2] = local[:, :2] @ turn
    count = len(local)
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("ANNAME", "8A", array=np.array(columns.names)),
            fits.Column("STABXYZ", "3D", array=local),
            fits.Column("NOSTA", "1J", array=np.arange(1, count + 1)),
            fits.Column("DIAMETER", "1E", array=np.full(count, 25.0)),
        ],
        name="AIPS AN",
    )
    for axis, value in zip("XYZ", centre, strict=True):
        table.header[f"ARRAY{axis}"] = value
    table.header["TIMSYS"] = "UTC"
    return table


def _frequencies(fits: Any, columns: Columns, ifs: int, shift: list[float]) -> Any:
    step = columns.frequency[1] - columns.frequency[0]
    first = columns.frequency.reshape(ifs, -1)[:, 0] - columns.frequency[0]
    many = {"D": f"{ifs}D", "E": f"{ifs}E", "J": f"{ifs}J"}
    count = len(shift)
    every = np.ones((count, ifs))
    return fits.BinTableHDU.from_columns(
        [
            fits.Column("FRQSEL", "1J", array=1 + np.arange(count)),
            fits.Column("IF FREQ", many["D"], array=first + np.array(shift)[:, None]),
            fits.Column("CH WIDTH", many["E"], array=abs(step) * every),
            fits.Column("SIDEBAND", many["J"], array=np.sign(step).astype(int) * every),
        ],
        name="AIPS FQ",
    )


def _sources(fits: Any, columns: Columns, ifs: int) -> Any:
    degrees = np.degrees(columns.directions)
    count = len(degrees)
    return fits.BinTableHDU.from_columns(
        [
            fits.Column("ID. NO.", "1J", array=10 + np.arange(count)),
            fits.Column("SOURCE", "16A", array=[f"SOURCE {n}" for n in range(count)]),
            fits.Column("FREQOFF", f"{ifs}D", array=np.zeros((count, ifs))),
            fits.Column("RAEPO", "1D", array=degrees[:, 0] % 360),
            fits.Column("DECEPO", "1D", array=degrees[:, 1]),
            fits.Column("EPOCH", "1D", array=np.full(count, 2000.0)),
        ],
        name="AIPS SU",
    )


def write_uvh5(
    path: Path, columns: Columns, *, windows: int = 1, change: Any = lambda file: None
) -> Path:
    """A file of version 1.2 with windows of equal numbers of channels."""
    import h5py

    nrow, nchan, _ = columns.data.shape
    place = np.mean(columns.position, axis=0)
    latitude, longitude, altitude = _geodetic(place)
    origin = _geocentric(latitude, longitude, altitude)
    header = {
        "latitude": np.degrees(latitude),
        "longitude": np.degrees(longitude),
        "altitude": altitude,
        "telescope_name": np.bytes_("VLA"),
        "antenna_names": np.array(columns.names, dtype="S8"),
        "antenna_numbers": np.arange(len(columns.names)),
        "antenna_positions": columns.position - origin,
        "antenna_diameters": np.full(len(columns.names), 25.0),
        "ant_1_array": columns.first,
        "ant_2_array": columns.second,
        "time_array": columns.time / 86_400 + 2_400_000.5,
        "integration_time": columns.exposure,
        "uvw_array": -columns.uvw,
        "freq_array": columns.frequency,
        "channel_width": np.full(nchan, abs(np.diff(columns.frequency).mean())),
        "polarization_array": np.array([STOKES[int(t)] for t in columns.types]),
        "spw_array": np.arange(windows),
        "flex_spw_id_array": np.repeat(np.arange(windows), nchan // windows),
        "phase_center_id_array": columns.source,
        "vis_units": np.bytes_("Jy"),
        "version": np.bytes_("1.2"),
    }
    with h5py.File(path, "w") as file:
        for name, value in header.items():
            file[f"Header/{name}"] = value
        for number, (ra, dec) in enumerate(columns.directions):
            entry = {"cat_name": np.bytes_("SIMULATED"), "cat_type": np.bytes_("sidereal")}
            entry |= {"cat_frame": np.bytes_("fk5"), "cat_epoch": 2000.0}
            entry |= {"cat_lon": ra, "cat_lat": dec}
            for name, value in entry.items():
                file[f"Header/phase_center_catalog/{number}/{name}"] = value
        chunks = (min(nrow, 200), nchan, columns.data.shape[2])
        store = file.create_group("Data").create_dataset
        store("visdata", data=np.conj(columns.data), chunks=chunks, compression="gzip")
        store("flags", data=columns.flag, chunks=chunks)
        store("nsamples", data=columns.weight.astype("f4"), chunks=chunks)
        change(file)
    return path


def _geodetic(place: np.ndarray) -> tuple[float, float, float]:
    from astropy.coordinates import EarthLocation

    found = EarthLocation.from_geocentric(*place, unit="m").geodetic
    return float(found.lat.rad), float(found.lon.rad), float(found.height.to_value("m"))


def _geocentric(latitude: float, longitude: float, altitude: float) -> np.ndarray:
    from astropy.coordinates import EarthLocation

    found = EarthLocation.from_geodetic(np.degrees(longitude), np.degrees(latitude), altitude)
    return np.array([axis.to_value("m") for axis in found.geocentric])
