"""The noise of an image that has sources in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spectrum_workflows.radio.types.geometry import Image

MAD_TO_SIGMA = 1.482_602_218_505_602
"""1 / Φ⁻¹(3/4): the median absolute deviation of a Gaussian in units of sigma."""


def robust_rms(image: Image) -> float:
    """Standard deviation from the median absolute deviation from the median, Jy/beam."""
    deviation = np.abs(image - np.median(image))
    return float(MAD_TO_SIGMA * np.median(deviation, overwrite_input=True))
