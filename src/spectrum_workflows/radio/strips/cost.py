"""Cost of gridding: a law with two constants, measured on one machine.

A call of the gridder takes a · n + β · columns · rows · planes seconds for n
visibilities.  Planned edges follow from these constants, never from those of
the machine that plans: the same data are cut alike everywhere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.strips.types import StripLayout

_DIGITS = (3.0, 4.0, 5.0)
_PER_VISIBILITY = (0.21e-6, 0.25e-6, 0.36e-6)
_PER_SAMPLE = (1.8e-8, 1.4e-8, 2.3e-8)
_SUPPORT = (5.0, 6.5, 7.0)


def constants(epsilon: float) -> tuple[float, float]:
    """Seconds per visibility and per sample and plane, one thread of an AMD EPYC."""
    digits = -math.log10(epsilon)
    a = float(np.interp(digits, _DIGITS, _PER_VISIBILITY))
    return a, float(np.interp(digits, _DIGITS, _PER_SAMPLE))


def planes(depth: NDArray[np.float64], half: float, epsilon: float) -> NDArray[np.float64]:
    """W planes of a call: about 1.6 per wavelength of w and unit of 1 - n at the corner.

    Parameters
    ----------
    depth : ndarray
        Range of ``|w|``, wavelengths.
    half : float
        Half the side of the image, rad.
    epsilon : float
    """
    support = float(np.interp(-math.log10(epsilon), _DIGITS, _SUPPORT))
    return 1.6 * np.maximum(depth, 0.0) * half**2 + support


def filtering(layout: StripLayout) -> float:
    """Multiplications and additions of interpolating one image."""
    npix, rows = layout.geometry.npix, layout.y.count
    along_x = sum(npix * rows * strip.x.taps for strip in layout.strips)
    return float(along_x + npix * npix * layout.y.taps)


def coarse_samples(layout: StripLayout) -> int:
    """Samples of all strips that travel between tasks: each block takes its span."""
    reach = sum(strip.x.count + strip.x.taps * (len(layout.blocks) - 1) for strip in layout.strips)
    return int(reach * layout.y.count)
