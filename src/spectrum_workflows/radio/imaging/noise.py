"""The noise of images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.types import Image

MAD_TO_SIGMA = 1.482_602_218_505_602
"""1 / Φ⁻¹(3/4): the median absolute deviation of a Gaussian in units of sigma."""


def robust_rms(image: Image) -> float:
    """Standard deviation from the median absolute deviation from the median, Jy/beam."""
    deviation = np.abs(image - np.median(image))
    return float(MAD_TO_SIGMA * np.median(deviation))


def rms_of(planes: Sequence[Image]) -> float:
    """Robust rms; of several planes the root of the sum of squares, as peaks are searched."""
    each = [robust_rms(plane) for plane in planes]
    return each[0] if len(each) == 1 else math.sqrt(sum(rms**2 for rms in each))
