"""Visibilities as they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """Time and baseline of each row of visibilities.

    Attributes
    ----------
    time : ndarray of int32, shape (nrow,)
        Place among the window's times.
    first, second : ndarray of int16, shape (nrow,)
        Numbers of the antennas.
    """

    time: NDArray[np.int32]
    first: NDArray[np.int16]
    second: NDArray[np.int16]


@dataclass(frozen=True)
class Visibilities:
    """Stokes I visibilities of one chunk, rows sorted by (time, antenna1, antenna2).

    Attributes
    ----------
    uvw : ndarray of float64, shape (nrow, 3)
        Baseline coordinates, m.
    frequency : ndarray of float64, shape (nchan,)
        Hz.
    visibility : ndarray of complex64, shape (nrow, nchan)
        Jy; 0 where it is not usable.
    weight : ndarray of float32, shape (nrow, nchan)
        Inverse variance of Stokes I; exactly 0 where flagged, not finite or
        without weight in a hand that is needed, and outside the chosen uv range.
    unflagged : int
        Visibilities that are not flagged, usable or not.
    rows : Rows or None
        As read; ``None`` once rows are cut and joined.
    window : int
        Number of the data description.
    outside : int
        Usable visibilities that are left out, outside the chosen uv range.
    """

    uvw: NDArray[np.float64]
    frequency: NDArray[np.float64]
    visibility: NDArray[np.complex64]
    weight: NDArray[np.float32]
    unflagged: int
    rows: Rows | None = None
    window: int = 0
    outside: int = 0
