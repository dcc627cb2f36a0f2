"""Pixels, and what is measured in them: small frozen values with their units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
