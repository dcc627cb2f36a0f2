"""From sums to images: normalisation, noise, restoration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.beam import draw_beam
from spectrum_workflows.radio.clean import convolved

if TYPE_CHECKING:
    from spectrum_workflows.radio.types import Beam, Image

MAD_TO_SIGMA = 1.482_602_218_505_602
"""1 / Φ⁻¹(3/4): the median absolute deviation of a Gaussian in units of sigma."""


def robust_rms(image: Image) -> float:
    """Standard deviation from the median absolute deviation from the median, Jy/beam."""
    deviation = np.abs(image - np.median(image))
    return float(MAD_TO_SIGMA * np.median(deviation))


def restored(model: Image, residual: Image, beam: Beam, cell: float) -> Image:
    """Model convolved with the restoring beam, plus residual.

    Parameters
    ----------
    model : ndarray, shape (npix, npix)
        Jy/pixel.
    residual : ndarray, shape (npix, npix)
        Jy/beam.
    beam : Beam
    cell : float
        Pixel size, rad.

    Returns
    -------
    ndarray of float64, shape (npix, npix)
        Jy/beam.
    """
    return residual + convolved(model, draw_beam(beam, model.shape[0], cell))
