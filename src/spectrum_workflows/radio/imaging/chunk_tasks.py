"""Tasks on one chunk of visibilities in each pass over the data, and sums of their results."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from spectrum_workflows.radio.gridding import invert, invert_psf, invert_residual
from spectrum_workflows.radio.imaging.gate import finite
from spectrum_workflows.radio.imaging.imager import PlaneSums, Sums, visibilities_of
from spectrum_workflows.radio.imaging.self_check import VISIBILITIES, sample
from spectrum_workflows.radio.read import read
from spectrum_workflows.radio.weights import density, prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.imaging.imager import Outputs
    from spectrum_workflows.radio.imaging.self_check import Sample
    from spectrum_workflows.radio.types import (
        Chunk,
        Geometry,
        Image,
        ImagingPartition,
        Plane,
        Visibilities,
    )
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


def density_of(part: ImagingPartition, geometry: Geometry) -> Density:
    """First pass, for uniform and Briggs weights only."""
    return reduce(add_density, (density_in(read(chunk), geometry) for chunk in part.chunks))


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
    part: ImagingPartition,
    planes: tuple[Plane, ...],
    geometry: Geometry,
    weighting: Weighting | None,
    outputs: Outputs,
) -> Sums:
    """Imaging pass: dirty image, PSF, sum of weights and the self-check's sample of each plane."""
    return sums_of(read_together(part, geometry, weighting), part, planes, geometry, outputs)


def sums_of(
    windows: Sequence[Visibilities],
    part: ImagingPartition,
    planes: tuple[Plane, ...],
    geometry: Geometry,
    outputs: Outputs,
) -> Sums:
    """The same of the visibilities of each of a partition's chunks, with their imaging weights."""
    fed = [plane for plane in planes if plane.number in part.planes]
    return Sums(
        planes={plane.number: _imaged(plane, windows, part, geometry, outputs) for plane in fed},
        used=sum(int(np.count_nonzero(data.weight)) for data in windows),
        unflagged=sum(data.unflagged for data in windows),
        outside=sum(data.outside for data in windows),
    )


def _imaged(
    plane: Plane,
    windows: Sequence[Visibilities],
    part: ImagingPartition,
    geometry: Geometry,
    outputs: Outputs,
) -> PlaneSums:
    """The same of one plane."""
    own = [visibilities_of(plane, data) for data in windows]
    psf = finite(invert_psf(own, geometry), "the PSF", part.where) if outputs.psf else None
    return PlaneSums(
        dirty=finite(invert(own, geometry), "the dirty image", part.where),
        psf=psf,
        weight_sum=sum(float(data.weight.sum(dtype=np.float64)) for data in own),
        used=sum(int(np.count_nonzero(data.weight)) for data in own),
        sample=_sampled(own, part, outputs.check_of) if outputs.check_of else None,
    )


def _sampled(windows: Sequence[Visibilities], part: ImagingPartition, check_of: int) -> Sample:
    """The share of the self-check's sample that is drawn from each chunk."""
    samples = []
    for chunk, data in zip(part.chunks, windows, strict=True):
        share = VISIBILITIES * chunk.size // max(check_of, chunk.size)
        samples.append(sample(data, max(share, 1), (chunk.time_start, chunk.chan_start)))
    return reduce(operator.add, samples)


def add_sums(a: Sums, b: Sums) -> Sums:
    """Merge two chunks' images, plane by plane."""
    return Sums(
        _merged(a.planes, b.planes),
        a.used + b.used,
        a.unflagged + b.unflagged,
        a.outside + b.outside,
    )


def residual(
    part: ImagingPartition,
    planes: tuple[Plane, ...],
    geometry: Geometry,
    weighting: Weighting | None,
    models: tuple[Image, ...],
) -> dict[int, Image]:
    """Major cycle: predict each plane's model, subtract it, grid what is left; not normalised."""
    windows = read_together(part, geometry, weighting)
    images = {}
    for plane, model in zip(planes, models, strict=True):
        if plane.number in part.planes:
            own = [visibilities_of(plane, data) for data in windows]
            image = invert_residual(own, model, geometry)
            images[plane.number] = finite(image, "the residual", part.where)
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


def read_together(
    part: ImagingPartition, geometry: Geometry, weighting: Weighting | None
) -> tuple[Visibilities, ...]:
    """A partition's chunks with their imaging weights, one behind the other in memory.

    So the gridder takes them all without another copy.
    """
    if len(part.chunks) == 1:
        return (read_weighted(part.chunks[0], geometry, weighting),)
    visibility, weight = np.empty(part.size, np.complex64), np.empty(part.size, np.float32)
    windows, begin = [], 0
    for chunk in part.chunks:
        data = read_weighted(chunk, geometry, weighting)
        here = slice(begin, begin := begin + data.weight.size)
        if begin <= part.size:  # that of halves of a chunk is not known
            visibility[here], weight[here] = data.visibility.ravel(), data.weight.ravel()
            data = replace(
                data,
                visibility=visibility[here].reshape(data.visibility.shape),
                weight=weight[here].reshape(data.weight.shape),
            )
        windows.append(data)
    return tuple(windows)
