"""The noise of images, and of their parts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.types.robust import MAD_TO_SIGMA, robust_rms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image

DIGIT = 16
"""Bits of a pixel's key that one histogram tells apart."""

FEW = 500_000
"""Pixels that are brought together to find a median among them, at most."""

OCTAVES, PER_OCTAVE = 16, 16
"""Bins for the noise of a square: from 2 ** -(OCTAVES / 2) of the image's to as much above."""


def rms_of(planes: Sequence[Image]) -> float:
    """Robust rms; of several planes the root of the sum of squares, as peaks are searched."""
    return combined([robust_rms(plane) for plane in planes])


def combined(each: Sequence[float]) -> float:
    """The noise that several planes have together; see `rms_of`."""
    return each[0] if len(each) == 1 else math.sqrt(sum(rms**2 for rms in each))


# The median of an image in pieces: exact, by histograms that add up


@dataclass(frozen=True)
class Range:
    """Pixels that are counted or collected: those whose keys begin with some digits.

    Attributes
    ----------
    centre : float or None
        Jy/beam, from which the pixels' absolute deviations are taken; None for the pixels.
    prefix : int
        Of the keys, see `keys`: what is left of them after a shift by ``bits``.
    bits : int
    """

    centre: float | None
    prefix: int
    bits: int


EVERY_BIT = 64


def keys(pixels: NDArray[Any], centre: float | None) -> NDArray[np.uint64]:
    """Unsigned numbers in the order of the pixels as float64, or of their absolute deviations."""
    values = pixels.astype(np.float64).ravel()
    if centre is not None:
        values = np.abs(values - centre)
    values += 0.0  # no negative zero
    bits = values.view(np.uint64)
    sign = np.uint64(1) << np.uint64(EVERY_BIT - 1)
    return np.asarray(np.where(bits & sign, ~bits, bits | sign))


def _inside(pixels: NDArray[Any], span: Range) -> NDArray[np.uint64]:
    """The keys of the pixels in a range."""
    every = keys(pixels, span.centre)
    if span.bits == EVERY_BIT:
        return every
    return np.asarray(every[(every >> np.uint64(span.bits)) == np.uint64(span.prefix)])


def counted(pixels: NDArray[Any], span: Range) -> NDArray[np.int64]:
    """How many pixels of a range have which next digit of `DIGIT` bits; these add up."""
    own = _inside(pixels, span)
    digit = (own >> np.uint64(span.bits - DIGIT)) & np.uint64((1 << DIGIT) - 1)
    return np.bincount(digit.astype(np.int64), minlength=1 << DIGIT)


def collected(pixels: NDArray[Any], span: Range) -> NDArray[np.uint64]:
    """The keys of a range's pixels: to be concatenated."""
    return _inside(pixels, span)


def exact_median(
    size: int,
    centre: float | None,
    count: Callable[[Range], NDArray[np.int64]],
    collect: Callable[[Range], NDArray[np.uint64]],
) -> float:
    """The median of pixels that are somewhere else: what NumPy gives of all of them.

    Parameters
    ----------
    size : int
        Number of pixels.
    centre : float or None
        See `Range`.
    count, collect : callable
        Sum of `counted`, and all that is `collected`, over every piece of the image.
    """
    ranks = sorted({(size - 1) // 2, size // 2})
    middle = [_ranked(rank, centre, count, collect) for rank in ranks]
    return float(np.mean(middle))


def _ranked(
    rank: int,
    centre: float | None,
    count: Callable[[Range], NDArray[np.int64]],
    collect: Callable[[Range], NDArray[np.uint64]],
) -> float:
    """The pixel of a rank, from 0, among all."""
    span = Range(centre, 0, EVERY_BIT)
    while span.bits:
        below = np.cumsum(count(span))
        digit = int(np.searchsorted(below, rank, side="right"))
        before = int(below[digit - 1]) if digit else 0
        inside, rank = int(below[digit]) - before, rank - before
        span = Range(centre, (span.prefix << DIGIT) | digit, span.bits - DIGIT)
        if inside <= FEW:
            return _value(int(np.sort(collect(span))[rank]))
    return _value(span.prefix)


def _value(key: int) -> float:
    """The number of a key."""
    sign = 1 << (EVERY_BIT - 1)
    bits = key ^ sign if key & sign else key ^ ((1 << EVERY_BIT) - 1)
    return float(np.array(bits, np.uint64).view(np.float64))


# The noise of squares


@dataclass(frozen=True)
class LocalNoise:
    """Noise that differs over an image: that of squares, and between their centres.

    Attributes
    ----------
    npix : int
        Side of the image.
    ratio : ndarray of float64, shape (n, n)
        Noise of the whole image over that of each square.
    """

    npix: int
    ratio: NDArray[np.float64]

    def factors(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """The ratio at every crossing of some rows and columns, shape (rows, columns)."""
        n = len(self.ratio)
        y, x = _weights(rows, self.npix, n), _weights(columns, self.npix, n)
        return np.asarray(y @ self.ratio @ x.T)

    def factor(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float64]:
        """The ratio at some pixels, shape (n,)."""
        n = len(self.ratio)
        y, v = _between(row, self.npix, n)
        x, u = _between(column, self.npix, n)
        above, right = np.minimum(y + 1, n - 1), np.minimum(x + 1, n - 1)
        low = self.ratio[y, x] * (1 - u) + self.ratio[y, right] * u
        high = self.ratio[above, x] * (1 - u) + self.ratio[above, right] * u
        return np.asarray(low * (1 - v) + high * v)


def _between(
    where: NDArray[np.int64], npix: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The square before each pixel, and how far it is on the way to the next one's centre."""
    place = np.clip((where + 0.5) * (count / npix) - 0.5, 0, count - 1)
    first = np.floor(place).astype(np.int64)
    return first, place - first


def _weights(where: NDArray[np.int64], npix: int, count: int) -> NDArray[np.float64]:
    """Linear interpolation between centres of squares, shape (n, count)."""
    first, part = _between(where, npix, count)
    weights, each = np.zeros((len(where), count)), np.arange(len(where))
    weights[each, first] = 1 - part
    weights[each, np.minimum(first + 1, count - 1)] += part
    return weights


def squares(npix: int, side: int) -> int:
    """Into how many squares along a side an image is cut, each of about so many pixels.

    There are at most so many that their histograms take no more memory than one image.
    """
    return max(min(round(npix / side), npix // math.isqrt(OCTAVES * PER_OCTAVE)), 1)


def even_noise(npix: int) -> LocalNoise:
    """The noise of an image that has none, or the same everywhere."""
    return LocalNoise(npix, np.ones((1, 1)))


def square_histograms(
    columns: NDArray[Any], start: int, count: int, rms: float
) -> NDArray[np.int64]:
    """Absolute values in the squares of an image, in logarithmic bins; pieces add up.

    Parameters
    ----------
    columns : ndarray, shape (npix, n)
        Of the image from number ``start`` on, Jy/beam.
    start, count : int
        Number of the first column; squares along a side.
    rms : float
        Of the whole image: the bins are around it.

    Returns
    -------
    ndarray of int64, shape (count, count, OCTAVES * PER_OCTAVE)
    """
    npix, width = columns.shape
    bins = OCTAVES * PER_OCTAVE
    with np.errstate(divide="ignore"):
        octave = np.log2(np.abs(columns) / rms)
    number = np.clip((octave + OCTAVES / 2) * PER_OCTAVE, 0, bins - 1).astype(np.int64)
    y = np.arange(npix) * count // npix
    x = (start + np.arange(width)) * count // npix
    place = (y[:, None] * count + x[None, :]) * bins + number
    return np.bincount(place.ravel(), minlength=count * count * bins).reshape(count, count, bins)


def local_noise(histograms: NDArray[np.int64], npix: int) -> LocalNoise:
    """The noise of squares from the histograms of a whole image.

    The median of the absolute values, interpolated within its bin: to some 1e-3.
    """
    total = histograms.sum(axis=2, keepdims=True)
    below = np.cumsum(histograms, axis=2)
    at = np.argmax(2 * below >= total, axis=2)[..., None]
    own = np.take_along_axis(histograms, at, axis=2)
    before = np.take_along_axis(below, at, axis=2) - own
    part = (total / 2 - before) / np.maximum(own, 1)
    octave = (at + part) / PER_OCTAVE - OCTAVES / 2
    return LocalNoise(npix, 1 / (MAD_TO_SIGMA * np.exp2(octave[..., 0])))
