"""Tasks on one chunk, strip or block of columns, and the joins of their pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.gate import finite
from spectrum_workflows.radio.self_check import VISIBILITIES, Sample, sample
from spectrum_workflows.radio.strips import transform
from spectrum_workflows.radio.strips.cutting import cut, joined, unpacked, within_layout
from spectrum_workflows.radio.workflow.chunk_tasks import read_weighted

if TYPE_CHECKING:
    from spectrum_workflows.radio.clean import Components
    from spectrum_workflows.radio.strips.types import Coarse, Strip, StripData, StripLayout
    from spectrum_workflows.radio.types import Chunk, Visibilities
    from spectrum_workflows.radio.workflow.chunk_tasks import Robustness


@dataclass(frozen=True)
class Counts:
    """What the images of some strips are the sum of; see `chunk_tasks.Sums`.

    ``of_strips`` is the sum of weights of each.
    """

    of_strips: dict[int, float]
    weight_sum: float
    used: int
    unflagged: int
    sample: Sample | None


def chunk_pieces(
    chunk: Chunk, layout: StripLayout, robustness: Robustness | None
) -> tuple[StripData, ...]:
    """Read a chunk, give it imaging weights and cut it into strips."""
    data = read_weighted(chunk, layout.geometry, robustness)
    if not within_layout(data, layout):
        raise DataError("the set has changed since the run was planned", chunk.where, "run again")
    return cut(data, layout)


def strip_of(_number: int, pieces: list[StripData]) -> StripData:
    """A strip from the pieces of all chunks."""
    return joined(pieces)


def counted(strip: Strip, data: StripData, check_of: int) -> Counts:
    """Weights and visibilities of a strip, and its share of the self-check's sample."""
    found: Sample | None = None
    if check_of:
        share = VISIBILITIES * strip.size // max(check_of, strip.size)
        found = sample(unpacked(data), max(share, 1), (strip.number,))
    weight_sum = _weight_sum(data)
    return Counts(
        of_strips={strip.number: weight_sum},
        weight_sum=weight_sum,
        used=int(np.count_nonzero(data.weight)),
        unflagged=data.unflagged,
        sample=found,
    )


def add_counts(a: Counts, b: Counts) -> Counts:
    """Merge two strips' counts."""
    return Counts(
        a.of_strips | b.of_strips,
        a.weight_sum + b.weight_sum,
        a.used + b.used,
        a.unflagged + b.unflagged,
        None if a.sample is None or b.sample is None else a.sample + b.sample,
    )


def _weight_sum(data: StripData) -> float:
    return float(data.weight.sum(dtype=np.float64))


def _seen(strip: Strip, data: StripData, of_strips: dict[int, float]) -> Visibilities:
    """A strip's visibilities, if they are those that were counted.

    A strip that was lost with its worker is cut again: from the same chunks,
    also where some may be left out.
    """
    if _weight_sum(data) != of_strips[strip.number]:
        remedy = "run again: a part of the data could be read at one time and not at another"
        raise DataError("cut again, the strip has other data", strip.where, remedy)
    return unpacked(data)


def dirty_pieces(
    strip: Strip, data: StripData, of_strips: dict[int, float], layout: StripLayout
) -> tuple[Coarse, ...]:
    """A strip's dirty image, coarse, in slices for the blocks of columns."""
    seen = _seen(strip, data, of_strips)
    samples = transform.sampled(seen, seen.visibility, strip, layout)
    return transform.slices(finite(samples, "the dirty image", strip.where), strip, layout)


def psf_pieces(
    strip: Strip, data: StripData, of_strips: dict[int, float], layout: StripLayout
) -> tuple[Coarse, ...]:
    """The same for a point source of 1 Jy at the phase centre."""
    seen = _seen(strip, data, of_strips)
    ones = np.broadcast_to(np.complex64(1), seen.visibility.shape)
    samples = finite(transform.sampled(seen, ones, strip, layout), "the PSF", strip.where)
    return transform.slices(samples, strip, layout)


def residual_pieces(
    strip: Strip,
    data: StripData,
    of_strips: dict[int, float],
    model: Components,
    layout: StripLayout,
) -> tuple[Coarse, ...]:
    """Major cycle within a strip: predict the model, subtract, grid what is left."""
    seen = _seen(strip, data, of_strips)
    samples = transform.model_samples(model, strip, layout)
    left = seen.visibility - transform.visible(samples, seen, strip, layout)
    samples = finite(transform.sampled(seen, left, strip, layout), "the residual", strip.where)
    return transform.slices(samples, strip, layout)


def block_of(layout: StripLayout, number: int, pieces: list[Coarse]) -> Coarse:
    """A block of columns from the slices of all strips."""
    return transform.column_block(pieces, layout.blocks[number], layout)
