"""Accuracy of gridding: a subset of the data summed directly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.gridding import invert
from spectrum_workflows.radio.strips.one_process import invert_in_strips
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry, Visibilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.strips.types import StripLayout

VISIBILITIES = 65_536
PIXELS = 32
SEED = 20_251


@dataclass(frozen=True)
class Sample:
    """Some visibilities with their imaging weights.

    Attributes
    ----------
    uvw : ndarray of float64, shape (n, 3)
        Wavelengths.
    visibility : ndarray of complex64, shape (n,)
    weight : ndarray of float32, shape (n,)
    """

    uvw: NDArray[np.float64]
    visibility: NDArray[np.complex64]
    weight: NDArray[np.float32]

    def __add__(self, other: Sample) -> Sample:
        return Sample(
            np.concatenate([self.uvw, other.uvw]),
            np.concatenate([self.visibility, other.visibility]),
            np.concatenate([self.weight, other.weight]),
        )


def sample(data: Visibilities, count: int, seed: tuple[int, ...]) -> Sample:
    """At most ``count`` usable visibilities, evenly over the ranks of their |w|.

    Parameters
    ----------
    data : Visibilities
    count : int
    seed : tuple of int
        The same seed and data give the same sample.
    """
    usable, total = int(np.count_nonzero(data.weight)), data.weight.size
    if usable <= 8 * count:
        pool = np.flatnonzero(data.weight)
    else:
        rng = np.random.default_rng((SEED, *seed))
        drawn = np.unique(rng.integers(0, total, 4 * count * total // usable))
        pool = drawn[data.weight.ravel()[drawn] > 0]
    row, chan = np.divmod(pool, len(data.frequency))
    depth = np.abs(data.uvw[row, 2] * data.frequency[chan])
    if len(pool) > count:
        ranks = np.argsort(depth, kind="stable")
        picked = np.sort(ranks[np.linspace(0, len(pool) - 1, count).astype(np.int64)])
        row, chan = row[picked], chan[picked]
    scale = data.frequency[chan] / SPEED_OF_LIGHT
    return Sample(
        data.uvw[row] * scale[:, None], data.visibility[row, chan], data.weight[row, chan]
    )


def compare(
    subset: Sample, geometry: Geometry, layout: StripLayout | None = None
) -> tuple[float, float]:
    """Largest error of the gridded subset at `PIXELS` pixels, corners among them.

    Parameters
    ----------
    subset : Sample
    geometry : Geometry
    layout : StripLayout, optional
        Where the run grids in strips.

    Returns
    -------
    tuple of float
        Relative to the peak and to the rms of the subset's dirty image.
    """
    reference = 1e9  # Hz; only the product with uvw counts
    data = Visibilities(
        uvw=subset.uvw * (SPEED_OF_LIGHT / reference),
        frequency=np.array([reference]),
        visibility=subset.visibility[:, None],
        weight=subset.weight[:, None],
        unflagged=len(subset.weight),
    )
    image = invert_in_strips(data, layout) if layout else invert(data, geometry)
    rows, columns = pixels(geometry.npix)
    direct = direct_sum(subset, geometry, rows, columns)
    error = float(np.abs(image[rows, columns] - direct).max())
    peak, rms = float(np.abs(image).max()), float(np.sqrt(np.mean(image**2)))
    return (error / peak, error / rms) if peak else (0.0, 0.0)


def pixels(npix: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns that are compared: the four corners and seeded others."""
    corner = np.array([0, 0, npix - 1, npix - 1]), np.array([0, npix - 1, 0, npix - 1])
    others = np.random.default_rng(SEED).integers(0, npix, (2, PIXELS - 4))
    return np.concatenate([corner[0], others[0]]), np.concatenate([corner[1], others[1]])


def direct_sum(
    subset: Sample, geometry: Geometry, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Σ w Re(V exp(-2πi (ul + vm + w(n-1)))) at some pixels, in double precision.

    Parameters
    ----------
    subset : Sample
    geometry : Geometry
    rows, columns : ndarray of int64, shape (npixel,)

    Returns
    -------
    ndarray of float64, shape (npixel,)
        Not normalised, as `gridding.invert`.
    """
    half = geometry.npix // 2
    east, north = (half - columns) * geometry.cell, (rows - half) * geometry.cell
    square = east**2 + north**2
    depth = -square / (1 + np.sqrt(1 - square))
    directions = np.stack([east, north, depth], axis=1)
    value = np.multiply(subset.visibility, subset.weight, dtype=np.complex128)
    return np.array([_seen_from(direction, subset.uvw, value) for direction in directions])


def _seen_from(
    direction: NDArray[np.float64], uvw: NDArray[np.float64], value: NDArray[np.complex128]
) -> float:
    """One pixel's sum: of few pixels, NumPy takes less time than loading a compiler does."""
    turns = uvw @ direction
    phase = 2 * np.pi * (turns - np.floor(turns))
    return float(value.real @ np.cos(phase) + value.imag @ np.sin(phase))
