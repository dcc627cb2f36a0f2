"""Natural, uniform and Briggs imaging weights, with a taper or without.

Briggs, D. S. 1995, PhD thesis, New Mexico Tech; grid and formula as WSClean's.  A taper
multiplies the weights that the scheme gives: the density of the uv plane is that of the data's
own weights.  So do WSClean and CASA; WSClean takes the taper at the middle of a cell of its
grid, CASA and we at the visibility's own place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.compiled import compiled
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry, Visibilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

PADDING = 1.2
"""The density grid is this much finer than 1 / field of view."""


TINY = np.float32(2.0**-126)
"""The least weight that a taper leaves: no visibility falls out of the count."""


@dataclass(frozen=True)
class UvDensity:
    """The density of all data, and the coefficients with which it divides weights.

    Attributes
    ----------
    grid : ndarray of float64
        See `density`.
    coefficients : tuple of float
        See `robustness`.
    usable : int
        Visibilities that have a weight of their own.
    """

    grid: NDArray[np.float64]
    coefficients: tuple[float, float]
    usable: int


@dataclass(frozen=True)
class Weighting:
    """What turns the data's own weights into imaging weights.

    Attributes
    ----------
    density : UvDensity or None
        ``None`` for natural weights.
    taper : float
        Full width at half maximum of the beam that the taper alone would give, rad; 0 for none.
    """

    density: UvDensity | None = None
    taper: float = 0.0

    @property
    def usable(self) -> int | None:
        """Visibilities that have a weight of their own, where they were counted."""
        return self.density.usable if self.density else None


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

    Raises
    ------
    ValueError
        The scheme does not weight by density.
    """
    if scheme == "uniform":
        return 0.0, 1.0
    if scheme != "briggs":
        raise ValueError(f"{scheme!r} does not weight by the density of visibilities")
    total, square = float(grid.sum()), float(np.square(grid).sum())
    return 1.0, (5.0 * 10.0**-robust) ** 2 * total / square if square else 0.0


def prepared(data: Visibilities, geometry: Geometry, weighting: Weighting) -> Visibilities:
    """The same visibilities with imaging weights: `weighted`, then `tapered`, as far as asked."""
    density = weighting.density
    if density is not None:
        data = weighted(data, geometry, density.grid, density.coefficients)
    return tapered(data, weighting.taper) if weighting.taper else data


def tapered(data: Visibilities, width: float) -> Visibilities:
    """The same visibilities, weights times exp(-π² width² (u² + v²) / (4 ln 2)).

    That is the transform of a Gaussian of full width ``width`` (rad) at half maximum.
    """
    square = np.square(data.uvw[:, 0]) + np.square(data.uvw[:, 1])
    scale = np.square(np.pi * width * data.frequency / SPEED_OF_LIGHT) / (4 * np.log(2))
    taper = np.exp(-np.outer(square, scale))
    weight = np.maximum(data.weight * taper, TINY).astype(np.float32)
    return replace(data, weight=np.where(data.weight > 0, weight, np.float32(0)))


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


@compiled()
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


@compiled()
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
