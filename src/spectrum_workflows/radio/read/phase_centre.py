"""The phase centre of an observation, and whether it stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

STILL = 0.05
"""How far a phase centre may move during an observation, in synthesized beams."""


def beam_of(longest: float, frequency: NDArray[np.float64]) -> float:
    """Wavelength by longest baseline (m), rad."""
    return SPEED_OF_LIGHT / float(frequency.max()) / longest if longest > 0 else np.inf


def still(path: NDArray[np.float64], beam: float, field: str, url: str) -> tuple[float, float]:
    """The middle of a path of directions (rad), shape (n, 2), that hardly moves.

    Raises
    ------
    DataError
        It is no direction, or moves by more than `STILL` beams.
    """
    ra, dec = (float(value) for value in path[len(path) // 2])
    if not np.isfinite(path).all() or not abs(dec) <= np.pi / 2:
        message = f"phase centre of {field} is no direction (declination {np.degrees(dec):g} deg)"
        raise DataError(message, url, "set PHASE_DIR")
    moved = float(np.max(_separation(path, path[len(path) // 2])))
    if 2 * moved > STILL * beam:
        message = f"the phase centre of {field} moves by {2 * moved / ARCSEC:.3g} arcsec meanwhile"
        remedy = "shift the data to one direction first (CASA's phaseshift or fixvis)"
        raise DataError(message, url, remedy)
    return ra % (2 * np.pi), dec


def _separation(path: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles between directions and one other, rad, from their unit vectors."""

    def unit(direction: NDArray[np.float64]) -> NDArray[np.float64]:
        ra, dec = np.moveaxis(direction, -1, 0)
        return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)

    chord = np.linalg.norm(unit(path) - unit(other), axis=-1)
    return np.asarray(2 * np.arcsin(np.minimum(chord / 2, 1)))
