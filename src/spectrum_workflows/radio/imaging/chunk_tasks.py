"""Tasks on one chunk of visibilities in each pass over the data, and sums of their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from spectrum_workflows.radio.gridding import invert, invert_psf, invert_residual
from spectrum_workflows.radio.imaging.gate import finite
from spectrum_workflows.radio.imaging.imager import PlaneSums, Sums, visibilities_of
from spectrum_workflows.radio.imaging.self_check import VISIBILITIES, sample
from spectrum_workflows.radio.read import read
from spectrum_workflows.radio.weights import density, prepared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.imaging.imager import Outputs
    from spectrum_workflows.radio.types import Chunk, Geometry, Image, Plane, Visibilities
    from spectrum_workflows.radio.weights import Weighting


T = TypeVar("T", bound=Any)


@dataclass(frozen=True)
class Density:
    """Weights in each uv cell, in all, and how many visibilities are unflagged and usable.

    What is usable and lies ``outside`` the chosen uv range has no weight here.
    """

    grid: NDArray[np.float64]
    weight_sum: float
    unflagged: int
    usable: int
    outside: int = 0


def density_of(chunk: Chunk, geometry: Geometry) -> Density:
    """First pass, for uniform and Briggs weights only."""
    return density_in(read(chunk), geometry)


def density_in(data: Visibilities, geometry: Geometry) -> Density:
    """The density of some visibilities."""
    weight_sum = float(data.weight.sum(dtype=np.float64))
    usable = int(np.count_nonzero(data.weight))
    return Density(density(data, geometry), weight_sum, data.unflagged, usable, data.outside)


def add_density(a: Density, b: Density) -> Density:
    """Merge two chunks' densities."""
    return Density(
        a.grid + b.grid,
        a.weight_sum + b.weight_sum,
        a.unflagged + b.unflagged,
        a.usable + b.usable,
        a.outside + b.outside,
    )


def imaged(
    chunk: Chunk,
    planes: tuple[Plane, ...],
    geometry: Geometry,
    weighting: Weighting | None,
    outputs: Outputs,
) -> Sums:
    """Imaging pass: dirty image, PSF, sum of weights and the self-check's sample of each plane."""
    return sums_of(read_weighted(chunk, geometry, weighting), chunk, planes, geometry, outputs)


def sums_of(
    data: Visibilities,
    chunk: Chunk,
    planes: tuple[Plane, ...],
    geometry: Geometry,
    outputs: Outputs,
) -> Sums:
    """The same of a chunk's visibilities with their imaging weights."""
    fed = [plane for plane in planes if plane.number in chunk.planes]
    return Sums(
        planes={plane.number: _imaged(plane, data, chunk, geometry, outputs) for plane in fed},
        used=int(np.count_nonzero(data.weight)),
        unflagged=data.unflagged,
        outside=data.outside,
    )


def _imaged(
    plane: Plane, data: Visibilities, chunk: Chunk, geometry: Geometry, outputs: Outputs
) -> PlaneSums:
    """The same of one plane."""
    own = visibilities_of(plane, data)
    share = VISIBILITIES * chunk.size // max(outputs.check_of, chunk.size)
    seed = (chunk.time_start, chunk.chan_start)
    psf = finite(invert_psf(own, geometry), "the PSF", chunk.where) if outputs.psf else None
    return PlaneSums(
        dirty=finite(invert(own, geometry), "the dirty image", chunk.where),
        psf=psf,
        weight_sum=float(own.weight.sum(dtype=np.float64)),
        used=int(np.count_nonzero(own.weight)),
        sample=sample(own, max(share, 1), seed) if outputs.check_of else None,
    )


def add_sums(a: Sums, b: Sums) -> Sums:
    """Merge two chunks' images, plane by plane."""
    return Sums(
        _merged(a.planes, b.planes),
        a.used + b.used,
        a.unflagged + b.unflagged,
        a.outside + b.outside,
    )


def residual(
    chunk: Chunk,
    planes: tuple[Plane, ...],
    geometry: Geometry,
    weighting: Weighting | None,
    models: tuple[Image, ...],
) -> dict[int, Image]:
    """Major cycle: predict each plane's model, subtract it, grid what is left; not normalised."""
    data = read_weighted(chunk, geometry, weighting)
    images = {}
    for plane, model in zip(planes, models, strict=True):
        if plane.number in chunk.planes:
            own = visibilities_of(plane, data)
            image = invert_residual(own, model, geometry)
            images[plane.number] = finite(image, "the residual", chunk.where)
    return images


def add_images(a: dict[int, Image], b: dict[int, Image]) -> dict[int, Image]:
    """Merge two chunks' residuals, plane by plane."""
    return _merged(a, b)


def _merged(a: dict[int, T], b: dict[int, T]) -> dict[int, T]:
    """The sums of what both have, and what one has."""
    added = {number: value + b[number] if number in b else value for number, value in a.items()}
    return added | {number: value for number, value in b.items() if number not in a}


def read_weighted(chunk: Chunk, geometry: Geometry, weighting: Weighting | None) -> Visibilities:
    """One chunk with its imaging weights."""
    data = read(chunk)
    if weighting is None:
        return data
    return prepared(data, geometry, weighting)
