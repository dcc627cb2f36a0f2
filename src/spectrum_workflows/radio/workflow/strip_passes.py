"""Imaging in strips: shuffle once, then predict, subtract and image where the strips are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from spectrum_workflows.engine import Reduction, Shuffle
from spectrum_workflows.radio.strips.one_process import assembled
from spectrum_workflows.radio.workflow import strip_tasks as tasks
from spectrum_workflows.radio.workflow.chunk_tasks import Sums
from spectrum_workflows.radio.workflow.distributed_residual import (
    DistributedPSF,
    DistributedResidual,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from spectrum_workflows.engine import Persisted, Run
    from spectrum_workflows.radio.clean import Components
    from spectrum_workflows.radio.strips.types import Coarse, StripData, StripLayout
    from spectrum_workflows.radio.types import Chunk, ImagingResult
    from spectrum_workflows.radio.workflow.chunk_tasks import ImagingOutputs, Robustness


def shuffle_into_strips(
    state: Run[Chunk], layout: StripLayout, robustness: Robustness | None
) -> Persisted[StripData]:
    """Read every chunk and leave the strips, with their imaging weights, on the workers."""
    cut = Shuffle(tasks.chunk_pieces, tasks.strip_of, len(layout.strips))
    return state.shuffle("strips", cut, layout, robustness)


@dataclass(frozen=True)
class Images:
    """Sums over all strips, and for CLEAN what stays on the workers: image and PSF."""

    sums: Sums
    dirty: Persisted[Coarse]
    distributed_psf: DistributedPSF | None
    of_strips: dict[int, float]

    def close(self) -> None:
        """Let go of what is on the workers."""
        self.dirty.close()
        if self.distributed_psf is not None:
            self.distributed_psf.close()


def images(
    state: Run[Chunk],
    layout: StripLayout,
    data: Persisted[StripData],
    wanted: ImagingOutputs,
    *,
    clean: bool,
) -> Images:
    """Dirty image, PSF, sums of weights and the self-check's sample, of all strips.

    The first image is brought here while the workers go on with the PSF.
    """
    what = Reduction(tasks.counted, tasks.add_counts)
    counts = state.reduce("counts", what, layout.strips, data, wanted.check_of)
    shared = (data, counts.of_strips)
    with ExitStack() as there:
        dirty = _blocks(state, layout, "image", tasks.dirty_pieces, *shared)
        there.enter_context(closing(dirty))
        aside = ThreadPoolExecutor(1)
        image = aside.submit(assembled, dirty, layout)
        aside.shutdown(wait=False)
        psf = distributed_psf = None
        if wanted.psf:
            blocks = _blocks(state, layout, "psf", tasks.psf_pieces, *shared)
            there.enter_context(closing(blocks))
            psf = assembled(blocks, layout)
            if clean and counts.weight_sum > 0:
                distributed_psf = DistributedPSF(blocks, 1 / counts.weight_sum)
        sums = Sums(
            dirty=image.result(),
            psf=psf,
            weight_sum=counts.weight_sum,
            used=counts.used,
            unflagged=counts.unflagged,
            sample=counts.sample,
        )
        if distributed_psf is not None:
            there.pop_all()
    return Images(sums, dirty, distributed_psf, counts.of_strips)


def cleaning(
    state: Run[Chunk],
    layout: StripLayout,
    data: Persisted[StripData],
    made: Images,
    _result: ImagingResult,
) -> tuple[DistributedResidual, Callable[[Components, int], DistributedResidual]]:
    """What CLEAN starts from, and how a major cycle is done."""
    assert made.distributed_psf is not None
    start = DistributedResidual(state, layout, made.distributed_psf, 1, made.dirty)
    return start, partial(_residual, start, data, made.of_strips)


def _residual(
    start: DistributedResidual,
    data: Persisted[StripData],
    of_strips: dict[int, float],
    model: Components,
    major: int,
) -> DistributedResidual:
    """A major cycle: components to the strips, coarse images of what is left to the blocks."""
    stage, shared = f"major cycle {major}", (data, of_strips, model)
    left = _blocks(start.state, start.layout, stage, tasks.residual_pieces, *shared)
    return replace(start, cycle=major + 1, data=left)


def _blocks(
    state: Run[Chunk],
    layout: StripLayout,
    stage: str,
    fn: Callable[..., tuple[Coarse, ...]],
    *shared: Any,
) -> Persisted[Coarse]:
    """An image of all strips, in blocks of columns that stay on the workers."""
    join = partial(tasks.block_of, layout)
    what = Shuffle(fn, join, len(layout.blocks))
    return state.shuffle_items(stage, what, layout.strips, *shared, layout)
