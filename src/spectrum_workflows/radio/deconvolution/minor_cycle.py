"""The minor cycle of CLEAN: Clark's active set, once more after a subtraction if thinned.

Clark, B. G. 1980, A&A 89, 377; Schwab, F. R. 1984, AJ 89, 1076.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from spectrum_workflows.radio.deconvolution.components import Components, none

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.residual_image import Active, ResidualImage
    from spectrum_workflows.radio.types import Image


GROWN = 10.0
"""A minor cycle ends where its peak has grown by this factor: it diverges."""


def minor_cycle(
    residual: ResidualImage, psfs: tuple[Image, ...], *, gain: float, level: float, iterations: int
) -> tuple[Components, int]:
    """Find components until no pixel that may be cleaned exceeds ``level``.

    All pixels above the level, and those below it that sidelobes may raise, are cleaned
    together with the PSF shifted to each component.  Where the latter were too many, what
    that does to all pixels is subtracted with Fourier transforms, and the pixels that now
    exceed the level are cleaned likewise.  The PSF is known out to half the image: beyond
    that, for the w term away from the phase centre, and should a sidelobe have raised some
    other pixel after all, the next major cycle corrects.

    Parameters
    ----------
    residual : ResidualImage
        Jy/beam; not changed.
    psfs : tuple of ndarray of float64, shape (npix, npix)
        Of every plane; 1 at their centre (npix // 2, npix // 2).
    gain : float
        Part of the peak that becomes a component.
    level : float
        Jy/beam.
    iterations : int
        Largest number of components.

    Returns
    -------
    model : Components
        Those found.
    used : int
        How many subtractions they took.
    """
    model, used = none(len(psfs)), 0
    while used < iterations:
        active = (residual.without(model) if used else residual).above(level)
        if not np.any(active.strength > level):
            break
        components, count = _cleaned(active, psfs, (gain, level, iterations - used))
        model, used = model + components, used + count
        if not active.thinned(level):
            break
    return model, used


def _cleaned(
    active: Active, psfs: tuple[Image, ...], control: tuple[float, float, int]
) -> tuple[Components, int]:
    """Components on the active pixels, and how many subtractions they took."""
    flux = np.zeros(active.value.shape)
    used = _clean_active(active.position, active.value.copy(), psfs, flux, control)
    cleaned = (flux != 0).any(axis=1)
    row, column = active.position[cleaned].T
    return Components(row, column, flux[cleaned]), used


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _strength(values: NDArray[np.float64], k: int, planes: int) -> float:
    """See `residual_image.strength`; of the k-th pixel."""
    if planes == 1:
        return abs(values[k, 0])  # type: ignore[no-any-return]
    total = 0.0
    for plane in range(planes):
        total += values[k, plane] * values[k, plane]
    return np.sqrt(total)  # type: ignore[no-any-return]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _clean_active(
    active: NDArray[np.int64],
    values: NDArray[np.float64],
    psfs: tuple[Image, ...],
    flux: NDArray[np.float64],
    control: tuple[float, float, int],
) -> int:
    """Clean the active pixels with each other's PSFs; adds to their ``flux``, counts."""
    gain, level, iterations = control
    npix = psfs[0].shape[0]
    half = npix // 2
    component = np.zeros(len(psfs))
    peak = 0
    for k in range(values.shape[0]):
        if _strength(values, k, len(psfs)) > _strength(values, peak, len(psfs)):
            peak = k
    strongest = _strength(values, peak, len(psfs))
    used, highest_allowed = 0, GROWN * strongest
    while used < iterations and level < strongest <= highest_allowed:
        row, column = active[peak]
        for plane in range(len(psfs)):
            component[plane] = gain * values[peak, plane]
            flux[peak, plane] += component[plane]
        used += 1
        best, highest = 0, -1.0
        for k in range(values.shape[0]):
            y, x = active[k, 0] - row + half, active[k, 1] - column + half
            if 0 <= y < npix and 0 <= x < npix:
                for plane in range(len(psfs)):
                    values[k, plane] -= component[plane] * psfs[plane][y, x]
            strength = _strength(values, k, len(psfs))
            if strength > highest:
                best, highest = k, strength
        peak, strongest = best, highest
    return used
