"""Responses between scales: what a component of one scale does to the residual at another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from spectrum_workflows.radio.deconvolution import scales as shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.scales import Scale
    from spectrum_workflows.radio.types import Image

REACH = 1024
"""Pixels from a component, along either axis, within which its response is known, at most."""


@dataclass(frozen=True)
class Responses:
    """The PSF convolved with the shapes of every two scales, single precision.

    Between two scales only differences of the positions where both may stand occur: those are
    multiples of the smaller step, and so are the samples here.

    Attributes
    ----------
    scales : tuple of Scale
    values : ndarray of float32, shape (nplane, n)
        All samples, one pair of scales after the other: rows, then columns of a square.
    table : ndarray of int64, shape (nscale, nscale, 3)
        Of each pair: where its samples begin, the side of their square (odd; the component is
        in the middle), and the binary logarithm of their step in pixels.
    """

    scales: tuple[Scale, ...]
    values: NDArray[np.float32]
    table: NDArray[np.int64]

    def of(self, one: int, other: int, plane: int = 0) -> NDArray[np.float32]:
        """The response of two scales, shape (side, side)."""
        begin, side, _ = self.table[one, other]
        return self.values[plane, begin : begin + side**2].reshape(side, side)

    @property
    def peaks(self) -> tuple[float, ...]:
        """Response of each scale to itself, where the component stands: the planes' mean."""
        begin, side, _ = np.diagonal(self.table)
        centre = begin + side // 2 * (side + 1)
        return tuple(self.values[:, centre].mean(axis=0, dtype=np.float64).tolist())


def responses(
    psfs: Sequence[Image], scales: tuple[Scale, ...], largest_reach: int = REACH
) -> Responses:
    """The responses of some planes' PSFs.

    Parameters
    ----------
    psfs : sequence of ndarray of float64, shape (npix, npix)
        1 at their centre (npix // 2, npix // 2); nothing is known of them beyond the image.
    scales : tuple of Scale
    largest_reach : int
        Pixels.
    """
    npix = psfs[0].shape[0]
    reach = min(npix // 2, largest_reach)
    table, pairs = np.zeros((len(scales), len(scales), 3), np.int64), _pairs(scales, reach)
    begin = 0
    for one, other, side in pairs:
        table[one, other] = table[other, one] = begin, side, math.log2(scales[one].step)
        begin += side**2
    values = np.zeros((len(psfs), begin), np.float32)
    known, side = _padding(npix, scales, reach)
    spectra = [shapes.spectrum(scale.diameter, side, np.float32) for scale in scales]
    for plane, psf in enumerate(psfs):
        transformed = _transformed(psf, known, side)
        for one, other, width in pairs:
            begin, _, log_step = table[one, other]
            product = transformed * spectra[one] * spectra[other]
            around = _samples(product, width // 2, 1 << int(log_step))
            values[plane, begin : begin + width**2] = around.ravel()
    return Responses(scales, values, table)


def response_bytes(npix: int, scales: tuple[Scale, ...], planes: int = 1) -> int:
    """Memory that `responses` take while they are made, of images of so many pixels along a side.

    The samples, and of two pairs those on their own; of a plane an image and four transforms, of
    the pair before among them; and the shapes' transforms.
    """
    reach = min(npix // 2, REACH)
    samples = planes * sum(side**2 for *_, side in _pairs(scales, reach))
    own = 2 * (2 * reach + 1) ** 2
    _, side = _padding(npix, scales, reach)
    return 4 * (samples + own) + (5 * 4 + 2 * len(scales)) * side**2


def _pairs(scales: tuple[Scale, ...], reach: int) -> list[tuple[int, int, int]]:
    """Every two scales, the narrower one first, and the side of their response's square."""
    return [
        (one, other, 2 * (reach // scale.step) + 1)
        for one, scale in enumerate(scales)
        for other in range(one, len(scales))
    ]


def _padding(npix: int, scales: tuple[Scale, ...], reach: int) -> tuple[int, int]:
    """Pixels of the PSF around its centre that matter, and the side of the padded transforms."""
    widest = max(scale.margin for scale in scales)
    known = min(npix // 2, reach + 2 * widest)
    return known, int(scipy.fft.next_fast_len(known + reach + 2 * widest + 1, real=True))


def _transformed(psf: Image, known: int, side: int) -> NDArray[np.complex64]:
    """Transform of the PSF around its centre, which goes to the origin."""
    half = psf.shape[0] // 2
    around = psf[half - known : half + known + 1, half - known : half + known + 1]
    padded = np.zeros((side, side), np.float32)
    padded[: around.shape[0], : around.shape[1]] = around
    return np.asarray(scipy.fft.rfft2(np.roll(padded, (-known, -known), axis=(0, 1)), workers=1))


def _samples(product: NDArray[Any], count: int, step: int) -> NDArray[np.float32]:
    """Every so many pixels of an image around its origin, so many each way."""
    side = product.shape[0]
    image = scipy.fft.irfft2(product, s=(side, side), overwrite_x=True, workers=1)
    where = np.arange(-count, count + 1) * step % side
    return np.asarray(image[np.ix_(where, where)], np.float32)
