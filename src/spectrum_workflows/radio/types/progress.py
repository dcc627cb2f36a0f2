"""A run that goes on: one major cycle of CLEAN, and what it left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class MajorCycle:
    """A point of CLEAN's convergence; cycle 0 is the dirty image.

    Attributes
    ----------
    where : str
        The plane, or the first of those that are cleaned together.
    cycle : int
    peak : float
        Of the residual, Jy/beam: what CLEAN goes by.
    rms : float
        Robust rms of the residual, Jy/beam: CLEAN's own where it takes one, else of one pixel
        of every square of the picture; NaN where there is neither.
    flux : float
        Of the model, Jy.
    field : float
        Side of the image, arcsec.
    residual : ndarray of float32, shape (n, n), n <= 256, or None
        The strongest pixel of every square, Jy/beam; None where there was no time for it.
    origin : str
        ``generated data``, if this package made the visibilities.
    """

    where: str
    cycle: int
    peak: float
    rms: float
    flux: float
    field: float
    residual: NDArray[np.float32] | None = None
    origin: str = ""

    @property
    def line(self) -> str:
        """The point in words."""
        noise = "" if math.isnan(self.rms) else f", rms {jansky(self.rms)}/beam"
        left = f"residual peak {jansky(self.peak)}/beam{noise}"
        return f"{self.where}, major cycle {self.cycle}: {left}, model {jansky(self.flux)}"


def jansky(value: float) -> str:
    """A flux density with a prefix.

    >>> jansky(0.25), jansky(-12.3e-6), jansky(0.0)
    ('250 mJy', '-12.3 µJy', '0 Jy')
    """
    for factor, unit in ((1.0, "Jy"), (1e-3, "mJy"), (1e-6, "µJy"), (1e-9, "nJy")):
        if abs(value) >= factor:
            return f"{value / factor:.4g} {unit}"
    return f"{value:.3g} Jy"
