"""Scales of multi-scale CLEAN: the shapes of extended components, and where they may stand.

Cornwall, T. J. 2008, IEEE J. Sel. Top. Signal Process. 2, 793; shapes and weights between
scales as in Offringa, A. R. & Smirnov, O. 2017, MNRAS 471, 301.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from spectrum_workflows.radio.spec import SMALLEST_SCALE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.sidelobes import TransformBand
    from spectrum_workflows.radio.types import Image

BEAMS, WIDEST = 4.0, 4
"""The smallest extended scale in beams; and what part of the image's side none may exceed."""

SAMPLES = 16
"""Positions across an extended component at which it may stand, at least."""

BIAS = 0.6
"""How much less a scale's peak counts than that of one half as wide: Offringa & Smirnov's."""

HALF = 0.214
"""Radius, in diameters, at which a component has half of its peak."""

LARGEST_BIAS = 30.0
"""Of a scale: a greater one would be of scales that no baseline is short enough to see."""


@dataclass(frozen=True)
class Scale:
    """Components of one size.

    Attributes
    ----------
    diameter : float
        In pixels; 0 for a point.
    bias : float
        By which peaks of the residual at this scale are multiplied before scales are compared.
    """

    diameter: float = 0.0
    bias: float = 1.0

    @property
    def margin(self) -> int:
        """Pixels by which a component reaches beyond its centre."""
        return reach(self.diameter)

    @property
    def step(self) -> int:
        """Pixels between the positions where its components may stand: a power of two.

        The residual at a scale is smooth, and some positions across a component tell it.
        """
        return 1 << max(0, math.floor(math.log2(max(self.diameter, 1.0) / SAMPLES)))


POINT = Scale()


def scales_of(diameters: Sequence[float], bias: float = BIAS) -> tuple[Scale, ...]:
    """Points, and extended scales of some diameters (pixels, rising) with their biases.

    The bias of the smallest is 1 / bias, and grows by as much with every doubling of the
    diameter: the residual of a wide scale is an average, and lower than that of a narrow one.
    """
    extended = (Scale(d, bias ** (-1 - math.log2(d / diameters[0]))) for d in diameters)
    return (POINT, *extended)


def matched(scales: Sequence[Scale], peaks: Sequence[float]) -> tuple[Scale, ...]:
    """The scales with biases by which noise, and so a number of sigma, is alike at all of them.

    A component lowers the sum of squares by (peak at its scale)² / (response at its own place):
    that is what scales are compared in, so that each source is told by its own shape.  Where
    the data say nothing of a scale, its response vanishes; its bias stays below `LARGEST_BIAS`.

    Parameters
    ----------
    scales : sequence of Scale
        Points first.
    peaks : sequence of float
        Response of each scale to itself, where the component stands; of points 1.
    """
    least = LARGEST_BIAS**-2
    biases = (1 / math.sqrt(max(peak / peaks[0], least)) for peak in peaks)
    return tuple(Scale(s.diameter, bias) for s, bias in zip(scales, biases, strict=True))


def automatic_diameters(beam: float, npix: int) -> tuple[float, ...]:
    """Diameters in pixels from `BEAMS` beams, each twice the one before, below npix / `WIDEST`.

    Parameters
    ----------
    beam : float
        Geometric mean of the beam's axes, pixels.
    npix : int
    """
    diameters, next_one = [], max(BEAMS * beam, SMALLEST_SCALE)
    while next_one < npix / WIDEST:
        diameters.append(next_one)
        next_one *= 2
    return tuple(diameters)


def reach(diameter: float) -> int:
    """Pixels by which a component of some diameter reaches beyond its centre."""
    return max(math.ceil(diameter / 2) - 1, 0)


@lru_cache(maxsize=32)
def shape(diameter: float) -> Image:
    """A component of 1 Jy on pixels: (1 - x²) (1 + cos πx) / 2 with x = 2 r / diameter < 1.

    Returns
    -------
    ndarray of float64, shape (2 reach + 1, 2 reach + 1)
        Of sum 1, not to be written to.
    """
    side = np.arange(-reach(diameter), reach(diameter) + 1)
    if len(side) == 1:
        pixels = np.ones((1, 1))
    else:
        x = np.hypot(side[:, None], side[None, :]) / (diameter / 2)
        pixels = np.where(x < 1, (1 - x**2) * (0.5 + 0.5 * np.cos(np.pi * x)), 0.0)
        pixels /= pixels.sum()
    pixels.flags.writeable = False
    return pixels


def spectrum(diameter: float, side: int, kind: type = np.float64) -> NDArray[Any]:
    """Transform of a component at the origin of side × side pixels; real, as it is symmetric.

    Returns
    -------
    ndarray, shape (side, side // 2 + 1)
    """
    pixels, far = shape(diameter), reach(diameter)
    padded: NDArray[Any] = np.zeros((side, side), kind)
    padded[: 2 * far + 1, : 2 * far + 1] = pixels
    centred = np.roll(padded, (-far, -far), axis=(0, 1))
    return np.ascontiguousarray(scipy.fft.rfft2(centred, workers=1).real)


def quarter_spectrum(diameter: float, side: int) -> NDArray[np.float32]:
    """The part of `spectrum` that tells the rest, which mirrors it.

    Returns
    -------
    ndarray of float32, shape (side // 2 + 1, side // 2 + 1)
    """
    return spectrum(diameter, side)[: side // 2 + 1].astype(np.float32)


def smoothed(transform: NDArray[Any], quarter: NDArray[np.float32], npix: int, step: int) -> Image:
    """An image at some scale, at every so many of its pixels along either axis.

    Rows between are left out before the transform back, by adding the frequencies that they
    tell apart.

    Parameters
    ----------
    transform : ndarray of complex128, shape (side, side // 2 + 1)
        Of the image, padded.
    quarter : ndarray of float32, shape (side // 2 + 1, side // 2 + 1)
        From `quarter_spectrum`.
    npix : int
        Side of the image.
    step : int
    """
    side, half = transform.shape
    product = np.empty_like(transform)
    np.multiply(transform[:half], quarter, out=product[:half])
    np.multiply(transform[half:], quarter[side - half : 0 : -1], out=product[half:])
    apart = math.gcd(step, side)
    if apart > 1:
        product = product.reshape(apart, side // apart, half).sum(axis=0) / apart
    shape = side // apart, side
    image = scipy.fft.irfft2(product, s=shape, overwrite_x=True, workers=1)
    rows = -(-npix // apart)
    return np.ascontiguousarray(image[: rows : step // apart, :npix:step])


def spectrum_in(band: TransformBand, diameter: float, kind: type) -> NDArray[Any]:
    """A band of the transform of a component at the origin; see `sidelobes`.

    Returns
    -------
    ndarray, shape (band.stop - band.start, band.side)
        Real.
    """
    far, side = reach(diameter), band.side
    where = np.arange(-far, far + 1) % side
    columns: NDArray[Any] = np.zeros((side, len(where)), kind)
    columns[where] = shape(diameter)
    lines = scipy.fft.rfft(columns, axis=0, workers=1)[band.start : band.stop]
    value = np.zeros((band.stop - band.start, side), lines.dtype)
    value[:, where] = lines
    return np.ascontiguousarray(scipy.fft.fft(value, axis=1, overwrite_x=True, workers=1).real)
