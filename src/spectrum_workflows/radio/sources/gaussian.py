"""A Gaussian through the pixels of a source, by linear least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.types import ARCSEC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.sources.finding import Peak, SourceSearch
    from spectrum_workflows.radio.types import Image

FEWEST = 8
"""Pixels of a fit: six numbers are fitted."""


@dataclass(frozen=True)
class Gaussian:
    """An elliptical Gaussian on pixels.

    Attributes
    ----------
    peak : float
        Jy/beam.
    row, column : float
        Its middle.
    major, minor : float
        Full widths at half maximum, pixels.
    angle : float
        Position angle of the major axis, degrees from north (rows up) through east (columns
        down).
    """

    peak: float
    row: float
    column: float
    major: float
    minor: float
    angle: float


def fitted(image: Image, pixels: NDArray[np.bool_]) -> Gaussian | None:
    """The Gaussian that fits some pixels, all of them positive; ``None`` where none does.

    The logarithm of a Gaussian is a polynomial of the second degree.  Its six coefficients
    follow from linear least squares with the squares of the brightness as weights, which is what
    the same noise in every pixel asks for: Guo 2011, IEEE Signal Processing Magazine 28, 134.
    """
    rows, columns = np.nonzero(pixels)
    values = image[rows, columns]
    if len(values) < FEWEST or not (values > 0).all():
        return None
    strongest = int(np.argmax(values))
    y, x = (rows - rows[strongest]).astype(float), (columns - columns[strongest]).astype(float)
    design = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    weight = values / values[strongest]
    solution, _, rank, _ = np.linalg.lstsq(
        design * weight[:, None], np.log(weight) * weight, rcond=None
    )
    if rank < 6:
        return None
    constant, slope_x, slope_y, xx, xy, yy = solution
    curvature = -np.array([[2 * xx, xy], [xy, 2 * yy]])
    stiffness, axes = np.linalg.eigh(curvature)  # rising: the major axis first
    if not stiffness[0] > 0:
        return None
    middle = np.linalg.solve(curvature, [slope_x, slope_y])
    height = constant + 0.5 * middle @ np.array([slope_x, slope_y])
    if np.hypot(*middle) > np.hypot(np.ptp(x), np.ptp(y)):
        return None
    major, minor = np.sqrt(8 * np.log(2) / stiffness)
    along = axes[:, 0]
    return Gaussian(
        peak=float(values[strongest] * np.exp(height)),
        row=float(rows[strongest] + middle[1]),
        column=float(columns[strongest] + middle[0]),
        major=float(major),
        minor=float(minor),
        angle=_turned(float(np.degrees(np.arctan2(-along[0], along[1])))),
    )


def of_the_beam(search: SourceSearch, peak: Peak) -> Gaussian:
    """A point source: the beam, as high as the peak."""
    pixel = search.geometry.cell / ARCSEC
    return Gaussian(
        peak=float(search.image[peak.row, peak.column]),
        row=float(peak.row),
        column=float(peak.column),
        major=search.beam.bmaj / pixel,
        minor=search.beam.bmin / pixel,
        angle=search.beam.bpa,
    )


def _turned(angle: float) -> float:
    """The same axis in [-90, 90)."""
    return (angle + 90) % 180 - 90
