"""Convolution of whole images with a centred kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image


def padded_side(npix: int) -> int:
    """A length at which a kernel that reaches half an image wraps around into no pixel."""
    return int(scipy.fft.next_fast_len(npix + npix // 2, real=True))


def spectrum_of(kernel: Image) -> NDArray[np.complex128]:
    """Transform of a kernel whose origin is (npix // 2, npix // 2), padded."""
    npix = kernel.shape[0]
    side = padded_side(npix)
    padded = np.zeros((side, side))
    padded[:npix, :npix] = kernel
    centred = np.roll(padded, (-(npix // 2), -(npix // 2)), axis=(0, 1))
    return np.asarray(scipy.fft.rfft2(centred, workers=1))


def filtered(image: Image, spectrum: NDArray[np.complex128]) -> Image:
    """The image convolved with the kernel of a spectrum from `spectrum_of`."""
    npix, side = image.shape[0], spectrum.shape[0]
    transformed = scipy.fft.rfft2(image, s=(side, side), workers=1)
    transformed *= spectrum
    return np.asarray(scipy.fft.irfft2(transformed, s=(side, side), workers=1)[:npix, :npix])


def convolved(image: Image, kernel: Image) -> Image:
    """Linear convolution with a kernel whose origin is (npix // 2, npix // 2).

    The kernel reaches half an image in each direction; nothing wraps around.
    """
    return filtered(image, spectrum_of(kernel))


def spread(patch: Image, kernel: Image) -> Image:
    """Convolution of two centred square images of odd sides, as large as both reach together."""
    wide = patch.shape[0] + kernel.shape[0] - 1
    side = int(scipy.fft.next_fast_len(wide, real=True))
    product = scipy.fft.rfft2(patch, s=(side, side), workers=1)
    product *= scipy.fft.rfft2(kernel, s=(side, side), workers=1)
    return np.ascontiguousarray(scipy.fft.irfft2(product, s=(side, side), workers=1)[:wide, :wide])
