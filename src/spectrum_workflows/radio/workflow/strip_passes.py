"""Imaging in strips: shuffle once, then predict, subtract and image where the strips are."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.engine import placed
from spectrum_workflows.radio.gridding import working_type
from spectrum_workflows.radio.workflow import strip_tasks as tasks
from spectrum_workflows.radio.workflow.passes import Exchange
from spectrum_workflows.radio.workflow.slab_tasks import Sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from spectrum_workflows.engine import Kept
    from spectrum_workflows.radio.strips.types import Coarse, Layout, StripData
    from spectrum_workflows.radio.types import Image
    from spectrum_workflows.radio.workflow.passes import Passes
    from spectrum_workflows.radio.workflow.slab_tasks import Robustness, Wanted


def shuffled(state: Passes, layout: Layout, robustness: Robustness | None) -> Kept[StripData]:
    """Read every slab and leave the strips, with their imaging weights, on the workers."""
    cut = Exchange(tasks.slab_pieces, state.slabs, tasks.strip_of, len(layout.strips))
    return state.exchange_slabs("strips", cut, layout, robustness)


def images(state: Passes, layout: Layout, data: Kept[StripData], wanted: Wanted) -> Sums:
    """Dirty image, PSF, sums of weights and the self-check's sample, of all strips."""
    strips = layout.strips
    counts = state.merge("counts", (tasks.counted, strips, tasks.add_counts), data, wanted.check_of)
    gathered = partial(_image, state, layout, data)
    return Sums(
        dirty=gathered("image", tasks.dirty_pieces),
        psf=gathered("psf", tasks.psf_pieces) if wanted.psf else None,
        weight_sum=counts.weight_sum,
        used=counts.used,
        unflagged=counts.unflagged,
        sample=counts.sample,
    )


def residual(
    state: Passes, layout: Layout, data: Kept[StripData], model: Image, major: int
) -> Image:
    """A major cycle, not normalised: the model travels once, as blocks of columns."""
    kind = working_type(layout.geometry.epsilon)
    blocks = [model[:, b.start : b.stop].astype(kind) for b in layout.blocks]
    with closing(placed(blocks, client=state.client, label="radio-model")) as placed_model:
        spread = Exchange(
            tasks.model_pieces, layout.blocks, partial(tasks.model_of, layout), len(layout.strips)
        )
        coarse: Kept[Coarse] = state.exchange(f"model {major}", spread, placed_model, layout)
    with closing(coarse):
        return _image(state, layout, data, f"major cycle {major}", tasks.residual_pieces, coarse)


def _image(
    state: Passes,
    layout: Layout,
    data: Kept[StripData],
    stage: str,
    fn: Callable[..., tuple[Coarse, ...]],
    *shared: Kept[Coarse],
) -> Image:
    """An image of all strips in this process; elsewhere it exists in blocks of columns only."""
    join = partial(tasks.block_of, layout)
    what = Exchange(fn, layout.strips, join, len(layout.blocks))
    npix = layout.geometry.npix
    image = np.empty((npix, npix))
    with closing(state.exchange(stage, what, data, *shared, layout)) as parts:
        for block, columns in zip(layout.blocks, parts, strict=True):
            image[:, block.start : block.stop] = columns
    return image
