"""Coverage of the uv plane by the visibilities of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.compiled import compiled
from spectrum_workflows.radio.types import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 160
"""Bins of ``|u|``: strips end on their edges."""


@dataclass(frozen=True)
class Coverage:
    """Visibilities per bin of ``|u|``, flagged ones among them, and their extent.

    Attributes
    ----------
    limit : float
        Upper end of the last bin, wavelengths.
    count : ndarray of int64, shape (BINS,)
    w_low, w_high : ndarray of float64, shape (BINS,)
        Range of ``|w|`` per bin, wavelengths; (inf, 0) for an empty one.
    u_high, v_high : float
        Largest ``|u|`` and ``|v|``, wavelengths.
    """

    limit: float
    count: NDArray[np.int64]
    w_low: NDArray[np.float64]
    w_high: NDArray[np.float64]
    u_high: float
    v_high: float

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(
            self.limit,
            self.count + other.count,
            np.minimum(self.w_low, other.w_low),
            np.maximum(self.w_high, other.w_high),
            max(self.u_high, other.u_high),
            max(self.v_high, other.v_high),
        )


def covered(uvw: NDArray[np.float64], frequency: NDArray[np.float64], limit: float) -> Coverage:
    """The coverage of some rows.

    Parameters
    ----------
    uvw : ndarray of float64, shape (nrow, 3)
        m.
    frequency : ndarray of float64, shape (nchan,)
        Hz.
    limit : float
        No ``|u|`` is larger, wavelengths.
    """
    count, w_low, w_high = np.zeros(BINS, np.int64), np.full(BINS, np.inf), np.zeros(BINS)
    scale = frequency / SPEED_OF_LIGHT
    _count(uvw, scale, BINS / limit, (count, w_low, w_high))
    highest = np.abs(uvw).max(axis=0, initial=0.0) * scale.max(initial=0.0)
    return Coverage(limit, count, w_low, w_high, float(highest[0]), float(highest[1]))


@compiled(nogil=True)
def _count(
    uvw: NDArray[np.float64],
    scale: NDArray[np.float64],
    per_wavelength: float,
    bins: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    count, w_low, w_high = bins
    for row in range(uvw.shape[0]):
        u, w = abs(uvw[row, 0]), abs(uvw[row, 2])
        for chan in range(scale.shape[0]):
            n = min(int(u * scale[chan] * per_wavelength), count.shape[0] - 1)
            depth = w * scale[chan]
            count[n] += 1
            w_low[n] = min(w_low[n], depth)
            w_high[n] = max(w_high[n], depth)
