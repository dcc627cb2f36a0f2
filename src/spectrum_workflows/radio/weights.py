"""Natural, uniform and Briggs imaging weights.

Briggs, D. S. 1995, PhD thesis, New Mexico Tech; grid and formula as WSClean's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numba
import numpy as np

from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry, Visibilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

PADDING = 1.2
"""The density grid is this much finer than 1 / field of view."""


@dataclass(frozen=True)
class Weighting:
    """Density and coefficients that turn the data's own weights into imaging weights.

    Attributes
    ----------
    grid : ndarray of float64
        The density of all data, see `density`.
    coefficients : tuple of float
        See `robustness`.
    usable : int
        Visibilities that have a weight of their own.
    """

    grid: NDArray[np.float64]
    coefficients: tuple[float, float]
    usable: int


def density_side(npix: int) -> int:
    """Cells per side of the density grid: the padded image, a multiple of four."""
    padded = math.ceil(npix * PADDING)
    return padded + (-padded) % 4


def density(data: Visibilities, geometry: Geometry) -> NDArray[np.float64]:
    """Sum of weights in each uv cell.

    Parameters
    ----------
    data : Visibilities
    geometry : Geometry

    Returns
    -------
    ndarray of float64, shape (side // 2, side)
        Index (v, u + side // 2) in cells of 1 / (side · cell) wavelengths,
        rounded down; visibilities with negative v count at (-u, -v).  Those
        beyond the grid (finer than two pixels) count nowhere.
    """
    side = density_side(geometry.npix)
    grid = np.zeros((side // 2, side))
    scale = data.frequency * (side * geometry.cell / SPEED_OF_LIGHT)
    _add_density(data.uvw, scale, data.weight, grid)
    return grid


def robustness(scheme: str, robust: float, grid: NDArray[np.float64]) -> tuple[float, float]:
    """The pair (a, b) of w' = w / (a + b W), W being the density at w's cell.

    Parameters
    ----------
    scheme : str
        ``uniform`` (0, 1), or ``briggs`` (1, (5·10^-R)² Σw / ΣW²).
    robust : float
        Briggs' R.
    grid : ndarray
        Total density, of all chunks.
    """
    if scheme == "uniform":
        return 0.0, 1.0
    total, square = float(grid.sum()), float(np.square(grid).sum())
    return 1.0, (5.0 * 10.0**-robust) ** 2 * total / square if square else 0.0


def weighted(
    data: Visibilities,
    geometry: Geometry,
    grid: NDArray[np.float64],
    coefficients: tuple[float, float],
) -> Visibilities:
    """The same visibilities with imaging weights w / (a + b W).

    Visibilities beyond the density grid get weight 0.
    """
    side = density_side(geometry.npix)
    scale = data.frequency * (side * geometry.cell / SPEED_OF_LIGHT)
    weight = np.empty_like(data.weight)
    _divide(data.uvw, scale, (data.weight, weight), grid, coefficients)
    return replace(data, weight=weight)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _add_density(
    uvw: NDArray[np.float64],
    scale: NDArray[np.float64],
    weight: NDArray[np.float32],
    grid: NDArray[np.float64],
) -> None:
    half, side = grid.shape
    for row in range(uvw.shape[0]):
        for chan in range(scale.shape[0]):
            w = weight[row, chan]
            u, v = uvw[row, 0] * scale[chan], uvw[row, 1] * scale[chan]
            if v < 0:
                u, v = -u, -v
            x, y = int(np.floor(u)) + side // 2, int(np.floor(v))
            if w > 0 and 0 <= x < side and y < half:
                grid[y, x] += w


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _divide(
    uvw: NDArray[np.float64],
    scale: NDArray[np.float64],
    weights: tuple[NDArray[np.float32], NDArray[np.float32]],
    grid: NDArray[np.float64],
    coefficients: tuple[float, float],
) -> None:
    natural, out = weights
    half, side = grid.shape
    a, b = coefficients
    for row in range(uvw.shape[0]):
        for chan in range(scale.shape[0]):
            w = natural[row, chan]
            u, v = uvw[row, 0] * scale[chan], uvw[row, 1] * scale[chan]
            if v < 0:
                u, v = -u, -v
            x, y = int(np.floor(u)) + side // 2, int(np.floor(v))
            inside = w > 0 and 0 <= x < side and y < half
            out[row, chan] = w / (a + b * grid[y, x]) if inside else 0.0
