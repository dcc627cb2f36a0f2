"""The minor cycle of CLEAN: Clark's active set with exact subtraction at its end.

Clark, B. G. 1980, A&A 89, 377; Schwab, F. R. 1984, AJ 89, 1076.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image


def minor_cycle(
    residual: Image, psf: Image, *, gain: float, level: float, iterations: int
) -> tuple[Image, int]:
    """Find components until the residual's peak is at or below ``level``.

    All pixels above the level are cleaned together with the PSF shifted to
    each component; what that does to the other pixels is then subtracted with
    one Fourier transform, which may raise new pixels above the level.  The PSF
    is known out to half the image: beyond that, and for the w term away from
    the phase centre, the next major cycle corrects.

    Parameters
    ----------
    residual : ndarray of float64, shape (npix, npix)
        Jy/beam; not changed.
    psf : ndarray of float64, shape (npix, npix)
        1 at its centre (npix // 2, npix // 2).
    gain : float
        Part of the peak that becomes a component.
    level : float
        Jy/beam.
    iterations : int
        Largest number of components.

    Returns
    -------
    model : ndarray of float64, shape (npix, npix)
        The components found, Jy/pixel.
    used : int
        How many.
    """
    model, used, left = np.zeros_like(residual), 0, residual
    spectrum = None
    while used < iterations:
        active = np.argwhere(np.abs(left) > level)
        if not len(active):
            break
        values = left[active[:, 0], active[:, 1]]
        used += _clean_active(active, values, psf, model, (gain, level, iterations - used))
        if spectrum is None:
            spectrum = _spectrum(psf)
        left = residual - _convolved(model, spectrum, psf.shape[0])
    return model, used


def _spectrum(kernel: Image) -> NDArray[np.complex128]:
    """Transform of a centred kernel, padded so that nothing wraps into the image."""
    npix = kernel.shape[0]
    side = fft.next_fast_len(npix + npix // 2, real=True)
    padded = np.zeros((side, side))
    padded[:npix, :npix] = kernel
    centred = np.roll(padded, (-(npix // 2), -(npix // 2)), axis=(0, 1))
    return np.asarray(fft.rfft2(centred, workers=1))


def _convolved(model: Image, spectrum: NDArray[np.complex128], npix: int) -> Image:
    side = spectrum.shape[0]
    transformed = fft.rfft2(model, s=(side, side), workers=1)
    transformed *= spectrum
    return np.asarray(fft.irfft2(transformed, s=(side, side), workers=1)[:npix, :npix])


def convolved(image: Image, kernel: Image) -> Image:
    """Linear convolution with a kernel whose origin is (npix // 2, npix // 2).

    The kernel reaches half an image in each direction; nothing wraps around.
    """
    return _convolved(image, _spectrum(kernel), image.shape[0])


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _clean_active(
    active: NDArray[np.int64],
    values: NDArray[np.float64],
    psf: Image,
    model: Image,
    control: tuple[float, float, int],
) -> int:
    """Clean the active pixels with each other's PSF; adds to ``model``, counts."""
    gain, level, iterations = control
    npix = psf.shape[0]
    half = npix // 2
    peak = 0
    for k in range(values.shape[0]):
        if abs(values[k]) > abs(values[peak]):
            peak = k
    used = 0
    while used < iterations and abs(values[peak]) > level:
        row, column = active[peak]
        flux = gain * values[peak]
        model[row, column] += flux
        used += 1
        best, highest = 0, -1.0
        for k in range(values.shape[0]):
            y, x = active[k, 0] - row + half, active[k, 1] - column + half
            if 0 <= y < npix and 0 <= x < npix:
                values[k] -= flux * psf[y, x]
            if abs(values[k]) > highest:
                best, highest = k, abs(values[k])
        peak = best
    return used
