"""Band-pass sampling and the filter that interpolates it.

A real signal between the frequencies A and B (cycles per radian of direction)
is determined by samples at a rate far below 2 B, if none of its spectral
images falls onto it (Vaughan, Scott & White 1991, IEEE Trans. Signal Process.
39, 1973).  Kaiser's window gives the filter (Kaiser & Schafer 1980, IEEE
Trans. Acoust. Speech Signal Process. 28, 105).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy

from spectrum_workflows.radio.strips.types import CoarseAxis

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORTEST = 32
"""Fewest samples along an axis that the gridder takes."""


def zone(
    low: NDArray[np.float64], high: NDArray[np.float64], gap: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The smallest sampling rate for a band, and the Nyquist zone it lies in.

    In zone n the rate is 2 (A + B) / (2n - 1), which leaves the same distance
    to the spectral images on both sides: (A n - (n - 1) B) / (A + B) of the
    rate, which must be at least ``gap``.  In zone 1 the band may begin at 0 and
    the rate is 2 B / (1 - gap).

    Parameters
    ----------
    low, high : ndarray of float64
        A and B, cycles per radian.
    gap : float
        Width of the filter's transition, in units of the rate.

    Returns
    -------
    rate : ndarray of float64
        Samples per radian.
    number : ndarray of int64
        n, from 1.
    """
    widest = (high - gap * (low + high)) / np.maximum(high - low, 1e-12 * high)
    number = np.maximum(np.floor(widest), 1).astype(np.int64)
    plain, folded = 2 * high / (1 - gap), 2 * (low + high) / (2 * number - 1)
    number = np.where((number > 1) & (folded < plain), number, 1)
    return np.where(number > 1, folded, plain), number


def axis(
    npix: int, cell: float, band: tuple[float, float], *, gap: float, decibel: float
) -> CoarseAxis:
    """Coarse samples for an image axis that holds nothing outside a band.

    Parameters
    ----------
    npix : int
    cell : float
        Pixel size, rad.
    band : tuple of float
        A and B, cycles per radian.
    gap : float
        Least width of the filter's transition, in units of the rate.
    decibel : float
        Attenuation outside the band.

    Returns
    -------
    CoarseAxis
        The pixels themselves where coarse samples would not be fewer.
    """
    low, high = band
    rates, numbers = zone(np.array([low]), np.array([high]), gap)
    rate, number = float(rates[0]), int(numbers[0])
    ratio = cell * rate
    free = gap if number == 1 else (low * number - (number - 1) * high) / (low + high)
    taps = math.ceil((decibel - 7.95) / (14.36 * free)) + 1
    taps += taps % 2
    count = max(2 * (math.ceil(npix // 2 * ratio) + taps // 2 + 1), SHORTEST)
    if ratio >= 1 or count >= npix:
        return CoarseAxis(npix, 1.0, npix, 0.0, 0.5, 0, 0.0)
    beta = 0.1102 * (decibel - 8.7)
    return CoarseAxis(npix, ratio, count, (number - 1) / 2, number / 2, taps, beta)


def response(
    axis: CoarseAxis, start: int, stop: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The filter that gives pixels ``start:stop`` from the samples.

    Returns
    -------
    first : ndarray of int64, shape (stop - start,)
        First sample that a pixel is made of.
    weight : ndarray of float64, shape (stop - start, taps)
        Weights of that sample and those that follow.
    """
    at = (np.arange(start, stop) - axis.npix // 2) * axis.ratio + axis.count // 2
    first = np.floor(at).astype(np.int64) - axis.taps // 2 + 1
    distance = at[:, None] - (first[:, None] + np.arange(axis.taps))
    weight = 2 * axis.high * np.sinc(2 * axis.high * distance)
    if axis.low:
        weight -= 2 * axis.low * np.sinc(2 * axis.low * distance)
    inside = np.clip(1 - (2 * distance / axis.taps) ** 2, 0, None)
    weight *= scipy.special.i0(axis.beta * np.sqrt(inside)) / scipy.special.i0(axis.beta)
    return first, weight
