"""Antenna layouts and the baseline coordinates they sweep out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Largest distance from the centre of the Y, configuration A, per arm (m), the
# arms' azimuths (deg) and the law of the station distances: Napier, Thompson &
# Ekers 1983, Proc. IEEE 71, 1295.  Each configuration is 3.285 times smaller
# than the one before.
_VLA_ARMS = ((18_950.0, -5.0), (21_000.0, 115.0), (21_000.0, 236.0))
_VLA_POWER = 1.716
_VLA_SHRINK = 3.285

# Statistical description of the array: 70 % of the dishes in a core with a
# Gaussian dispersion of 300 m, 30 % with 2500 m, longest baseline 8 km: Jonas
# & the MeerKAT team 2016, PoS(MeerKAT2016)001.
_MEERKAT = ((48, 300.0, 500.0), (16, 2500.0, 4000.0))
_MEERKAT_SEED = 64
_SHORTEST = 29.0  # m, shortest baseline of that array


@dataclass(frozen=True)
class Telescope:
    """An array of dishes.

    Attributes
    ----------
    name : str
    latitude, longitude, height : float
        Of the array centre: rad, rad (east positive), m above the ellipsoid.
    enu : ndarray of float64, shape (nantenna, 3)
        Local east, north, up of each dish, m.
    dish : float
        Diameter, m.
    """

    name: str
    latitude: float
    longitude: float
    height: float
    enu: NDArray[np.float64]
    dish: float


def telescope(name: str) -> Telescope:
    """A VLA-like (``vla-a`` … ``vla-d``) or MeerKAT-like array."""
    if name == "meerkat":
        site = np.radians([-30.7130, 21.4430])
        return Telescope("MeerKAT", site[0], site[1], 1038.0, _meerkat(), 13.5)
    site = np.radians([34.0787, -107.6184])
    enu = _vla() / _VLA_SHRINK ** "abcd".index(name[-1])
    return Telescope("VLA", site[0], site[1], 2124.0, enu, 25.0)


def itrf(array: Telescope) -> NDArray[np.float64]:
    """Geocentric positions of the dishes (WGS84), m, shape (nantenna, 3)."""
    centre_x, centre_z = _from_axis(array)
    x, y, z = equatorial(array).T + np.array([[centre_x], [0.0], [centre_z]])
    return _turned(array, x, y, z)


def centre(array: Telescope) -> NDArray[np.float64]:
    """Geocentric position of the array centre, m, shape (3,)."""
    x, z = _from_axis(array)
    return _turned(array, np.array([x]), np.zeros(1), np.array([z])).reshape(3)


def _from_axis(array: Telescope) -> tuple[float, float]:
    """Distances of the centre from the Earth's axis and its equator (WGS84), m."""
    a, e2 = 6_378_137.0, 6.694_379_990_14e-3
    sin, cos = np.sin(array.latitude), np.cos(array.latitude)
    normal = a / np.sqrt(1 - e2 * sin**2)
    return (normal + array.height) * cos, (normal * (1 - e2) + array.height) * sin


def _turned(
    array: Telescope, x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Places on the array's meridian in the Earth's frame."""
    sin, cos = np.sin(array.longitude), np.cos(array.longitude)
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=1)


def equatorial(array: Telescope) -> NDArray[np.float64]:
    """Dishes relative to the centre: X to (H=0, δ=0), Y east, Z to the pole; m."""
    east, north, up = array.enu.T
    sin, cos = np.sin(array.latitude), np.cos(array.latitude)
    return np.stack([cos * up - sin * north, east, cos * north + sin * up], axis=1)


def baselines(array: Telescope) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Antenna numbers of all pairs, the first below the second."""
    first, second = np.triu_indices(len(array.enu), k=1)
    return first.astype(np.int32), second.astype(np.int32)


def uvw(
    array: Telescope, hour_angle: NDArray[np.float64], declination: float
) -> NDArray[np.float64]:
    """Baseline coordinates, antenna 2 minus antenna 1, for each hour angle.

    Thompson, Moran & Swenson 2017, eq. 4.1.

    Parameters
    ----------
    array : Telescope
    hour_angle : ndarray, shape (ntime,)
        rad.
    declination : float
        rad.

    Returns
    -------
    ndarray of float64, shape (ntime, nbaseline, 3)
        m.
    """
    first, second = baselines(array)
    position = equatorial(array)
    x, y, z = (position[second] - position[first]).T
    sin_h, cos_h = np.sin(hour_angle)[:, None], np.cos(hour_angle)[:, None]
    sin_d, cos_d = np.sin(declination), np.cos(declination)
    toward = cos_h * x - sin_h * y
    u = sin_h * x + cos_h * y
    return np.stack([u, cos_d * z - sin_d * toward, cos_d * toward + sin_d * z], axis=2)


def elevation(
    array: Telescope, hour_angle: NDArray[np.float64], declination: float
) -> NDArray[np.float64]:
    """Elevation of the phase centre above the horizon, rad."""
    lat = array.latitude
    sine = np.sin(lat) * np.sin(declination)
    return np.asarray(np.arcsin(sine + np.cos(lat) * np.cos(declination) * np.cos(hour_angle)))


def _vla() -> NDArray[np.float64]:
    """Configuration A: nine stations per arm, their distances growing as n**1.716."""
    distance = (np.arange(1, 10) / 9) ** _VLA_POWER
    arms = []
    for length, azimuth in _VLA_ARMS:
        angle = np.radians(azimuth)
        along = length * distance
        arms.append(np.stack([along * np.sin(angle), along * np.cos(angle), 0 * along], axis=1))
    return np.concatenate(arms)


def _meerkat() -> NDArray[np.float64]:
    """A seeded draw from the published distribution, no two dishes too close."""
    rng = np.random.default_rng(_MEERKAT_SEED)
    placed: list[NDArray[np.float64]] = []
    for count, dispersion, limit in _MEERKAT:
        total = len(placed) + count
        while len(placed) < total:
            spot = rng.normal(0.0, dispersion, 2)
            near = any(np.hypot(*(spot - other)) < _SHORTEST for other in placed)
            if np.hypot(*spot) <= limit and not near:
                placed.append(spot)
    return np.column_stack([np.array(placed), np.zeros(len(placed))])
