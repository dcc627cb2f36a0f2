"""The synthesized beam: fitted to the PSF, and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import ARCSEC, Beam

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image

MAIN_LOBE = 0.35
"""The fit uses the pixels connected to the peak that exceed this part of it."""

LOOKED_AT = 64
"""Pixels each way from the peak within which the main lobe is looked for first."""

_FWHM = 4 * np.log(2.0)


def fit_beam(psf: Image, cell: float) -> Beam:
    """Least-squares elliptical Gaussian through the main lobe of a PSF.

    All pixels connected to the peak (also diagonally) and above `MAIN_LOBE` of it count alike; the
    Gaussian's height and centre are those of the peak.

    Parameters
    ----------
    psf : ndarray of float64, shape (npix, npix)
        Peak at (npix // 2, npix // 2).
    cell : float
        Pixel size, rad.

    Raises
    ------
    DataError
        The main lobe is too small or too odd for a fit.
    """
    from scipy import optimize

    half = psf.shape[0] // 2
    peak = psf[half, half]
    rows, columns = _main_lobe(psf)
    remedy = "choose a cell of a third to a fifth of the beam"
    if len(rows) < 5 or len(rows) > psf.size // 4:
        raise DataError(f"the PSF's main lobe covers {len(rows)} pixels", "beam fit", remedy)
    north, east = (rows - half).astype(float), (half - columns).astype(float)
    height = psf[rows, columns] / peak

    def misfit(form: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.exp(-_quadratic(form, east, north)) - height)

    start = -np.log(0.5) * np.pi / max(len(rows), 1)
    found = optimize.least_squares(misfit, [start, start, 0.0], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    beam = _beam(found.x, cell)
    if beam is None:
        raise DataError("the PSF's main lobe is not Gaussian-like", "beam fit", remedy)
    return beam


def _main_lobe(psf: Image) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of its pixels; only as much of the PSF is looked at as it needs."""
    from scipy import ndimage

    half = psf.shape[0] // 2
    reach = min(LOOKED_AT, half)
    while True:
        first = half - reach
        near = psf[first : half + reach + 1, first : half + reach + 1]
        lobes, _ = ndimage.label(near > MAIN_LOBE * psf[half, half], structure=np.ones((3, 3)))
        rows, columns = np.nonzero(lobes == lobes[reach, reach])
        edges = rows.min(), columns.min(), 2 * reach - rows.max(), 2 * reach - columns.max()
        if min(edges) > 0 or reach == half:
            return rows + first, columns + first
        reach = min(2 * reach, half)


def draw_beam(beam: Beam, npix: int, cell: float) -> Image:
    """The beam as an image of peak 1 at (npix // 2, npix // 2)."""
    offset = (np.arange(npix) - npix // 2) * (cell / ARCSEC)
    north, east = offset[:, None], -offset[None, :]
    angle = np.radians(beam.bpa)
    along = (north * np.cos(angle) + east * np.sin(angle)) / beam.bmaj
    across = (east * np.cos(angle) - north * np.sin(angle)) / beam.bmin
    return np.asarray(np.exp(-_FWHM * (along**2 + across**2)))


def _quadratic(
    form: NDArray[np.float64], east: NDArray[np.float64], north: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(form[0] * east**2 + form[1] * north**2 + 2 * form[2] * east * north)


def _beam(form: NDArray[np.float64], cell: float) -> Beam | None:
    """Axes and angle of exp(-(a x² + b y² + 2c xy)), x east and y north in pixels."""
    values, vectors = np.linalg.eigh([[form[0], form[2]], [form[2], form[1]]])
    if values[0] <= 0:
        return None
    bmaj, bmin = np.sqrt(_FWHM / values) * (cell / ARCSEC)
    east, north = vectors[:, 0]
    angle = np.degrees(np.arctan2(east, north))
    return Beam(float(bmaj), float(bmin), float((angle + 90) % 180 - 90))
