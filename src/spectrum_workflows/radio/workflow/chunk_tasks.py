"""Tasks on one chunk of visibilities in each pass over the data, and sums of their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.gate import finite
from spectrum_workflows.radio.gridding import invert, invert_psf, predict
from spectrum_workflows.radio.read import read
from spectrum_workflows.radio.self_check import VISIBILITIES, Sample, sample
from spectrum_workflows.radio.weights import density, weighted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Chunk, Geometry, Image, Visibilities


@dataclass(frozen=True)
class Density:
    """Weights in each uv cell, in all, and how many visibilities are unflagged and usable."""

    grid: NDArray[np.float64]
    weight_sum: float
    unflagged: int
    usable: int


@dataclass(frozen=True)
class Robustness:
    """The density of all data and the coefficients that turn it into weights.

    ``usable`` counts the visibilities that have a weight before that.
    """

    grid: NDArray[np.float64]
    coefficients: tuple[float, float]
    usable: int


@dataclass(frozen=True)
class ImagingOutputs:
    """What the imaging pass makes besides the dirty image.

    ``check_of`` is the number of visibilities in all chunks from which the
    sample for the self-check is drawn; 0 for no self-check.
    """

    psf: bool
    check_of: int


@dataclass(frozen=True)
class Sums:
    """Images that are not normalised yet, and what they are the sum of.

    ``used`` counts the visibilities with imaging weight.
    """

    dirty: Image
    psf: Image | None
    weight_sum: float
    used: int
    unflagged: int
    sample: Sample | None


def density_of(chunk: Chunk, geometry: Geometry) -> Density:
    """First pass, for uniform and Briggs weights only."""
    data = read(chunk)
    weight_sum = float(data.weight.sum(dtype=np.float64))
    usable = int(np.count_nonzero(data.weight))
    return Density(density(data, geometry), weight_sum, data.unflagged, usable)


def add_density(a: Density, b: Density) -> Density:
    """Merge two chunks' densities."""
    return Density(
        a.grid + b.grid,
        a.weight_sum + b.weight_sum,
        a.unflagged + b.unflagged,
        a.usable + b.usable,
    )


def imaged(
    chunk: Chunk, geometry: Geometry, robustness: Robustness | None, wanted: ImagingOutputs
) -> Sums:
    """Imaging pass: dirty image, PSF, sum of weights and the self-check's sample."""
    data = read_weighted(chunk, geometry, robustness)
    share = VISIBILITIES * chunk.size // max(wanted.check_of, chunk.size)
    seed = (chunk.time_start, chunk.chan_start)
    psf = finite(invert_psf(data, geometry), "the PSF", chunk.where) if wanted.psf else None
    return Sums(
        dirty=finite(invert(data, geometry), "the dirty image", chunk.where),
        psf=psf,
        weight_sum=float(data.weight.sum(dtype=np.float64)),
        used=int(np.count_nonzero(data.weight)),
        unflagged=data.unflagged,
        sample=sample(data, max(share, 1), seed) if wanted.check_of else None,
    )


def add_sums(a: Sums, b: Sums) -> Sums:
    """Merge two chunks' images."""
    return Sums(
        dirty=a.dirty + b.dirty,
        psf=None if a.psf is None or b.psf is None else a.psf + b.psf,
        weight_sum=a.weight_sum + b.weight_sum,
        used=a.used + b.used,
        unflagged=a.unflagged + b.unflagged,
        sample=None if a.sample is None or b.sample is None else a.sample + b.sample,
    )


def residual(
    chunk: Chunk, geometry: Geometry, robustness: Robustness | None, model: Image
) -> Image:
    """Major cycle: predict the model, subtract it, grid what is left; not normalised."""
    data = read_weighted(chunk, geometry, robustness)
    left = data.visibility
    left -= predict(model, data, geometry)
    return finite(invert(data, geometry), "the residual", chunk.where)


def add_images(a: Image, b: Image) -> Image:
    """Merge two chunks' residuals."""
    return a + b


def read_weighted(chunk: Chunk, geometry: Geometry, robustness: Robustness | None) -> Visibilities:
    """One chunk with its imaging weights."""
    data = read(chunk)
    if robustness is None:
        return data
    return weighted(data, geometry, robustness.grid, robustness.coefficients)
