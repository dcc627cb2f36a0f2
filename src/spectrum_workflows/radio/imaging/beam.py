"""The synthesized beam: fitted to the PSF, and drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import ARCSEC, Beam

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image

MAIN_LOBE = 0.35
"""The fit uses the pixels connected to the peak that exceed this part of it."""

HALF_POWER = 0.5
"""Only such pixels are used where the others do not belong to the main lobe."""

FOLLOWS = 0.25
"""A beam follows the PSF's half-power contour where it departs from it by no more."""

DIGITS, PLACES = 8, 4
"""Significant digits of the fitted axes, and decimal places of the angle in degrees."""

LOOKED_AT = 64
"""Pixels each way from the peak within which the main lobe is looked for first."""

DIRECTIONS, STEP = 36, 0.25
"""In which the half-power contour is looked for, and every so many pixels."""

STEPS, NEAR = 500, 1e-6
"""Of the fit: how many at most, and the size of one, relative to the form, near the end."""

SMALLER = "choose a cell of a third to a fifth of the beam,"
REMEDY = "give the beam in a [restore] table: bmaj_arcsec, bmin_arcsec, bpa_deg"

Form = tuple[float, float, float]
if TYPE_CHECKING:
    Terms = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

_FWHM = 4 * math.log(2.0)


def fit_beam(psf: Image, cell: float) -> Beam:
    """Least-squares elliptical Gaussian through the main lobe of a PSF.

    All pixels connected to the peak (also diagonally) and above `MAIN_LOBE` of it count alike; the
    Gaussian's height and centre are those of the peak.  Where that does not follow the PSF's
    half-power contour (a pedestal, of a dense core of the array, is above `MAIN_LOBE`), only pixels
    above half the peak count.  The axes are rounded to `DIGITS` significant digits and the
    angle to `PLACES` of a degree, far above what libraries and processors differ by.

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
    try:
        beam_of_lobe = _fitted(psf, cell, MAIN_LOBE)
    except DataError:
        if not psf[psf.shape[0] // 2, psf.shape[0] // 2] > 0:
            raise
        return _fitted(psf, cell, HALF_POWER)
    if departure(psf, beam_of_lobe, cell) <= FOLLOWS:
        return beam_of_lobe
    try:
        closer = _fitted(psf, cell, HALF_POWER)
    except DataError:
        return beam_of_lobe
    return min(beam_of_lobe, closer, key=lambda beam: departure(psf, beam, cell))


def departure(psf: Image, beam: Beam, cell: float) -> float:
    """Departure of the PSF's half-power contour from a beam's, as a factor minus 1.

    The contour is where lines from the peak in `DIRECTIONS` directions first fall to half of
    it, between pixels by the line's own linear interpolation; the factor is the typical (root
    mean square, in its logarithm) one between its radius and the beam's.  Infinite where the
    PSF never falls to half its peak on the way to the image's edge.

    Parameters
    ----------
    psf : ndarray of float64, shape (npix, npix)
    beam : Beam
    cell : float
        Pixel size, rad.
    """
    angle = np.asarray(
        np.arange(DIRECTIONS) * (np.pi / DIRECTIONS), np.float64
    )  # the PSF is symmetric
    radius = _half_power_radius(psf, angle) * (cell / ARCSEC)
    turned = angle - np.radians(beam.bpa)
    along, across = np.cos(turned) / beam.bmaj, np.sin(turned) / beam.bmin
    ratio = np.log(2 * radius * np.hypot(along, across))
    return float(np.exp(np.sqrt(np.mean(ratio**2))) - 1)


def _half_power_radius(psf: Image, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels from the peak to where it has fallen to half, at angles from north through east."""
    half = psf.shape[0] // 2
    steps = np.arange(0, half - 1, STEP)
    north, east = np.cos(angle)[:, None] * steps, np.sin(angle)[:, None] * steps
    seen = _bilinear(psf, half + north, half - east) / psf[half, half]
    below = seen < HALF_POWER
    first = np.argmax(below, axis=1)
    rows = np.arange(len(angle))
    high, low = seen[rows, first - 1], seen[rows, first]
    part = (high - HALF_POWER) / np.where(high > low, high - low, 1.0)
    return np.where(below.any(axis=1), (first - 1 + part) * STEP, np.inf)


def _bilinear(
    image: Image, row: NDArray[np.float64], column: NDArray[np.float64]
) -> NDArray[np.float64]:
    """An image between its pixels."""
    y, x = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    up, right = row - y, column - x
    low = image[y, x] * (1 - right) + image[y, x + 1] * right
    high = image[y + 1, x] * (1 - right) + image[y + 1, x + 1] * right
    return np.asarray(low * (1 - up) + high * up)


def _fitted(psf: Image, cell: float, level: float) -> Beam:
    """The Gaussian through the pixels connected to the peak that exceed a part of it."""
    half = psf.shape[0] // 2
    peak = psf[half, half]
    if not peak > 0:
        raise DataError("the PSF has no peak at its centre", "beam fit", REMEDY)
    rows, columns = _main_lobe(psf, level)
    if len(rows) < 5 or len(rows) > psf.size // 4:
        remedy = f"{SMALLER} or {REMEDY}" if len(rows) < 5 else REMEDY
        raise DataError(f"the PSF's main lobe covers {len(rows)} pixels", "beam fit", remedy)
    north, east = (rows - half).astype(float), (half - columns).astype(float)
    start = -np.log(level) * np.pi / len(rows)
    form = _least_squares((east**2, north**2, 2 * east * north), psf[rows, columns] / peak, start)
    beam = None if form is None else _beam(form, cell)
    if beam is None:
        raise DataError("the PSF's main lobe is not Gaussian-like", "beam fit", REMEDY)
    return beam


def _least_squares(terms: Terms, height: NDArray[np.float64], start: float) -> Form | None:
    """The form (a, b, c) whose Gaussian exp(-(a x² + b y² + 2c xy)) is closest to some heights.

    Levenberg's and Marquardt's method (Marquardt 1963, SIAM J. Appl. Math. 11, 431), then
    Gauss's steps until they get no shorter: what is found is the minimum of the sum of squares
    to the last digits, whatever the way there.  ``None`` where none is found.
    """
    form, damping = (start, start, 0.0), 1e-3
    drawn, cost = _drawn(terms, form, height)
    for _ in range(STEPS):
        normal, gradient = _equations(terms, drawn, height)
        step = _solved(normal, gradient, damping)
        trial = _moved(form, step)
        tried, tried_cost = _drawn(terms, trial, height)
        if tried_cost < cost:
            form, drawn, cost, damping = trial, tried, tried_cost, damping / 10
        else:
            damping *= 10
        if not np.isfinite(damping) or _size(step, form) < NEAR:
            return _polished(terms, form, height)
    return None


def _polished(terms: Terms, form: Form, height: NDArray[np.float64]) -> Form:
    """Gauss's steps near the end, as long as they get shorter: the sum of squares is too flat."""
    last = math.inf
    for _ in range(STEPS):
        drawn, _ = _drawn(terms, form, height)
        step = _solved(*_equations(terms, drawn, height), 0.0)
        if not _size(step, form) < last:
            break
        form, last = _moved(form, step), _size(step, form)
    return form


def _equations(
    terms: Terms, drawn: NDArray[np.float64], height: NDArray[np.float64]
) -> tuple[list[list[float]], list[float]]:
    """The normal equations at a form whose Gaussian was drawn."""
    slopes = [-term * drawn for term in terms]
    gradient = [float(np.sum(slope * (height - drawn))) for slope in slopes]
    return [[float(np.sum(one * two)) for two in slopes] for one in slopes], gradient


def _moved(form: Form, step: Form) -> Form:
    return form[0] + step[0], form[1] + step[1], form[2] + step[2]


def _size(step: Form, form: Form) -> float:
    """The step's, in units of the form's own."""
    return max(map(abs, step)) / (abs(form[0]) + abs(form[1]))


def _drawn(
    terms: Terms, form: Form, height: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The Gaussian of a form, and its sum of squares from some heights."""
    exponent = sum(f * term for f, term in zip(form, terms, strict=True))
    drawn = np.exp(-np.clip(exponent, -50.0, None))
    return drawn, float(np.sum((height - drawn) ** 2))


def _solved(normal: list[list[float]], right: list[float], damping: float) -> Form:
    """Cramer's rule for three equations whose diagonal is raised by a factor 1 + damping."""
    a = [[v * (1 + damping * (i == j)) for j, v in enumerate(r)] for i, r in enumerate(normal)]

    def determinant(m: list[list[float]]) -> float:
        first = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        second = m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        return first - second + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])

    whole = determinant(a)
    columns = (
        [[right[i] if j == k else a[i][j] for j in range(3)] for i in range(3)] for k in range(3)
    )
    x, y, z = (determinant(m) / whole if whole else 0.0 for m in columns)
    return x, y, z


def _main_lobe(psf: Image, level: float = MAIN_LOBE) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of its pixels; only as much of the PSF is looked at as it needs."""
    from scipy import ndimage

    half = psf.shape[0] // 2
    reach = min(LOOKED_AT, half)
    while True:
        first = half - reach
        near = psf[first : half + reach + 1, first : half + reach + 1]
        lobes, _ = ndimage.label(near > level * psf[half, half], structure=np.ones((3, 3)))
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


def _beam(form: Form, cell: float) -> Beam | None:
    """Axes and angle of exp(-(a x² + b y² + 2c xy)), x east and y north in pixels."""
    a, b, c = form
    spread = math.hypot((a - b) / 2, c)
    flat, steep = (a + b) / 2 - spread, (a + b) / 2 + spread
    if not flat > 0:
        return None
    bmaj, bmin = (math.sqrt(_FWHM / value) * (cell / ARCSEC) for value in (flat, steep))
    bmaj, bmin = (float(f"{axis:.{DIGITS}g}") for axis in (bmaj, bmin))
    if bmaj == bmin:
        return Beam(bmaj, bmin, 0.0)
    # north and east along the major axis, where the form is flattest
    angle = math.degrees(0.5 * math.atan2(-2 * c, a - b))
    angle = round((angle + 90) % 180 - 90, PLACES)
    return Beam(bmaj, bmin, -90.0 if angle == 90 else angle)
