"""Pixels, and what is measured in them: small frozen values with their units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float64]
    """Shape (npix, npix): rows are Dec going up, columns are RA going down (FITS order)."""

ARCSEC = float(np.pi / (180 * 3600))
"""One arcsecond in radians."""

SPEED_OF_LIGHT = 299_792_458.0
"""In m/s, exact (SI)."""

SINGLE_EPSILON = 5e-5
"""Smallest accuracy for which single precision arithmetic is used."""


@dataclass(frozen=True)
class Geometry:
    """Image side in pixels, pixel size in rad, and requested gridding accuracy."""

    npix: int
    cell: float
    epsilon: float


@dataclass(frozen=True)
class Pixels:
    """A centred grid of pixels that need not be square.

    Numbers of ``columns`` and ``rows``, their ``width`` and ``height`` in rad,
    and the requested gridding accuracy.
    """

    columns: int
    rows: int
    width: float
    height: float
    epsilon: float


@dataclass(frozen=True)
class Beam:
    """An elliptical Gaussian.

    Attributes
    ----------
    bmaj, bmin : float
        Full widths at half maximum along the major and the minor axis, arcsec.
    bpa : float
        Position angle of the major axis in degrees, from north through east, in [-90, 90).
    """

    bmaj: float
    bmin: float
    bpa: float


@dataclass(frozen=True)
class SkyPosition:
    """Right ascension, in [0, 2π), and declination, rad: numbers or arrays."""

    right_ascension: NDArray[np.float64]
    declination: NDArray[np.float64]


def sky_position(
    east: NDArray[np.floating[Any]], north: NDArray[np.floating[Any]], centre: tuple[float, float]
) -> SkyPosition:
    """The position that has some direction cosines from a phase centre (rad); NaN beyond 90°.

    That of the SIN projection: Calabretta & Greisen 2002, A&A 395, 1077.
    """
    ra, dec = centre
    with np.errstate(invalid="ignore"):
        depth = np.sqrt(1 - (east**2 + north**2))
    towards = depth * np.cos(dec) - north * np.sin(dec)
    height = np.clip(north * np.cos(dec) + depth * np.sin(dec), -1, 1)
    return SkyPosition((ra + np.arctan2(east, towards)) % (2 * np.pi), np.arcsin(height))
