"""Tasks on one chunk, strip or block of columns, and the joins of their pieces."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.imaging.chunk_tasks import read_weighted
from spectrum_workflows.radio.imaging.gate import finite
from spectrum_workflows.radio.imaging.imager import add_samples, visibilities_of
from spectrum_workflows.radio.imaging.self_check import VISIBILITIES, Sample, sample
from spectrum_workflows.radio.strips import transform
from spectrum_workflows.radio.strips.cutting import cut, joined, unpacked, within_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution import Components
    from spectrum_workflows.radio.strips.types import Coarse, Strip, StripData, StripLayout
    from spectrum_workflows.radio.types import Chunk, Plane, Visibilities
    from spectrum_workflows.radio.weights import Weighting

    Slices = tuple[Coarse, ...]
    """Coarse samples, or columns, in every plane."""

    Wholes = Sequence[Visibilities]
    """Visibilities of a strip, those of each list of frequencies."""

    Values = Sequence[NDArray[np.complex64]]
    """Numbers in the places of these."""


@dataclass(frozen=True)
class PlaneCounts:
    """Weight and visibilities in the image of one plane of some strips; see `imager.PlaneSums`."""

    weight_sum: float
    used: int
    sample: Sample | None

    def __add__(self, other: PlaneCounts) -> PlaneCounts:
        return PlaneCounts(
            self.weight_sum + other.weight_sum,
            self.used + other.used,
            add_samples(self.sample, other.sample),
        )


@dataclass(frozen=True)
class Counts:
    """Weights and visibilities in the images of some strips; see `imager.Sums`.

    ``of_strips`` is the sum of all weights of each, ``planes`` what is of each plane.
    """

    of_strips: dict[int, float]
    planes: tuple[PlaneCounts, ...]
    used: int
    unflagged: int
    outside: int = 0


def chunk_pieces(
    chunk: Chunk, layout: StripLayout, weighting: Weighting | None
) -> tuple[StripData, ...]:
    """Read a chunk, give it imaging weights and cut it into strips."""
    data = read_weighted(chunk, layout.geometry, weighting)
    if not within_layout(data, layout):
        raise DataError("the set has changed since the run was planned", chunk.where, "run again")
    return cut(data, layout)


def strip_of(_number: int, pieces: list[StripData]) -> StripData:
    """A strip from the pieces of all chunks."""
    return joined(pieces)


def counted(strip: Strip, data: StripData, planes: tuple[Plane, ...], check_of: int) -> Counts:
    """Weights and visibilities of a strip, and its share of the self-check's samples."""
    wholes = unpacked(data)
    return Counts(
        of_strips={strip.number: _weight_sum(data)},
        planes=tuple(_counted(plane, strip, data, wholes, check_of) for plane in planes),
        used=int(np.count_nonzero(data.weight)),
        unflagged=data.unflagged,
        outside=data.outside,
    )


def _counted(
    plane: Plane,
    strip: Strip,
    data: StripData,
    wholes: tuple[Visibilities, ...],
    check_of: int,
) -> PlaneCounts:
    """The same of one plane."""
    own = [visibilities_of(plane, whole) for whole in wholes]
    drawn: Sample | None = None
    if check_of:
        share = VISIBILITIES * strip.size // max(check_of, strip.size)
        drawn = _sampled(own, max(share, 1), strip.number)
    # summed as it is packed, where that is all of it: the order decides the last bit
    everything = all(one is whole for one, whole in zip(own, wholes, strict=True))
    weights = [data.weight] if everything else [part.weight for part in own]
    weight_sum = sum(float(weight.sum(dtype=np.float64)) for weight in weights)
    used = sum(int(np.count_nonzero(weight)) for weight in weights)
    return PlaneCounts(weight_sum, used, drawn)


def _sampled(own: Sequence[Visibilities], share: int, strip: int) -> Sample:
    """At most ``share`` visibilities of a strip, of every list of frequencies as its size is."""
    total = max(sum(part.weight.size for part in own), 1)
    samples = (
        sample(part, max(share * part.weight.size // total, 1), (strip, *((n,) if n else ())))
        for n, part in enumerate(own)
    )
    return reduce(operator.add, samples)


def add_counts(a: Counts, b: Counts) -> Counts:
    """Merge two strips' counts."""
    return Counts(
        a.of_strips | b.of_strips,
        tuple(one + two for one, two in zip(a.planes, b.planes, strict=True)),
        a.used + b.used,
        a.unflagged + b.unflagged,
        a.outside + b.outside,
    )


def _weight_sum(data: StripData) -> float:
    return float(data.weight.sum(dtype=np.float64))


def _checked(
    strip: Strip, data: StripData, of_strips: dict[int, float]
) -> tuple[Visibilities, ...]:
    """A strip's visibilities, if they are those that were counted.

    A strip that was lost with its worker is cut again: from the same chunks,
    also where some may be left out.
    """
    if _weight_sum(data) != of_strips[strip.number]:
        remedy = "run again: a part of the data could be read at one time and not at another"
        raise DataError("cut again, the strip has other data", strip.where, remedy)
    return unpacked(data)


def dirty_pieces(
    strip: Strip,
    data: StripData,
    of_strips: dict[int, float],
    planes: tuple[Plane, ...],
    layout: StripLayout,
) -> tuple[Slices, ...]:
    """A strip's dirty images, coarse, in slices for the blocks of columns."""

    def measured(_: int, own: Wholes) -> Values:
        return [part.visibility for part in own]

    return _inverted("the dirty image", measured, strip, data, of_strips, planes, layout)


def psf_pieces(
    strip: Strip,
    data: StripData,
    of_strips: dict[int, float],
    planes: tuple[Plane, ...],
    layout: StripLayout,
) -> tuple[Slices, ...]:
    """The same for a point source of 1 Jy at the phase centre."""

    def ones(_: int, own: Wholes) -> Values:
        return [np.broadcast_to(np.complex64(1), part.visibility.shape) for part in own]

    return _inverted("the PSF", ones, strip, data, of_strips, planes, layout)


def residual_pieces(
    strip: Strip,
    data: StripData,
    of_strips: dict[int, float],
    planes: tuple[Plane, ...],
    model: Components,
    layout: StripLayout,
) -> tuple[Slices, ...]:
    """Major cycle within a strip: predict each plane's model, subtract, grid what is left."""

    def left(number: int, own: Wholes) -> Values:
        coarse = transform.model_samples(model.plane(number), strip, layout)
        seen = transform.visible(coarse, own, strip, layout)
        return [part.visibility - values for part, values in zip(own, seen, strict=True)]

    return _inverted("the residual", left, strip, data, of_strips, planes, layout)


def block_of(layout: StripLayout, number: int, pieces: list[Slices]) -> Slices:
    """A block of columns in every plane from the slices of all strips."""
    block = layout.blocks[number]
    return tuple(
        transform.column_block(plane, block, layout) for plane in zip(*pieces, strict=True)
    )


def _inverted(
    quantity: str,
    visibility_of: Callable[[int, Wholes], Values],
    strip: Strip,
    data: StripData,
    of_strips: dict[int, float],
    planes: tuple[Plane, ...],
    layout: StripLayout,
) -> tuple[Slices, ...]:
    """Coarse images of a strip, one per plane, in slices for the blocks of columns."""
    wholes = _checked(strip, data, of_strips)
    samples = []
    for number, plane in enumerate(planes):
        own = [visibilities_of(plane, whole) for whole in wholes]
        image = transform.sampled(own, visibility_of(number, own), strip, layout)
        samples.append(finite(image, quantity, strip.where))
    return _slices(samples, strip, layout)


def _slices(samples: Sequence[Coarse], strip: Strip, layout: StripLayout) -> tuple[Slices, ...]:
    """For each block of columns, the samples that it needs in every plane."""
    planes = (transform.slices(plane, strip, layout) for plane in samples)
    return tuple(zip(*planes, strict=True))
