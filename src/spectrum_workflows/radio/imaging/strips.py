"""The imager in uv strips: data shuffled once, images in blocks of columns on the workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from spectrum_workflows.engine import Reduction, Shuffle
from spectrum_workflows.radio.deconvolution.components import none
from spectrum_workflows.radio.imaging import strip_tasks as tasks
from spectrum_workflows.radio.imaging.imager import PlaneSums, Sums, loosened, normalised
from spectrum_workflows.radio.imaging.residual import DistributedPSF, DistributedResidual
from spectrum_workflows.radio.strips.one_process import assembled

if TYPE_CHECKING:
    from collections.abc import Callable

    from spectrum_workflows.engine import Persisted, Run
    from spectrum_workflows.radio.deconvolution import Components
    from spectrum_workflows.radio.imaging.imager import Outputs
    from spectrum_workflows.radio.imaging.strip_tasks import Counts, Slices
    from spectrum_workflows.radio.strips.types import StripData, StripLayout
    from spectrum_workflows.radio.types import Image, ImagingPartition, Plane
    from spectrum_workflows.radio.weights import Weighting


def shuffle_into_strips(
    run: Run[ImagingPartition], layout: StripLayout, weighting: Weighting | None
) -> Persisted[StripData]:
    """Read every chunk and leave the strips, with their imaging weights, on the workers."""
    cut = Shuffle(tasks.chunk_pieces, tasks.strip_of, len(layout.strips))
    return run.shuffle("strips", cut, layout, weighting)


@dataclass
class StripImager:
    """An `Imager` whose data and residual images stay on the workers.

    Attributes
    ----------
    run : Run
    planes : tuple of Plane
    layout : StripLayout
    outputs : Outputs
    data : Persisted
        From `shuffle_into_strips`; it is closed with the imager.
    """

    run: Run[ImagingPartition]
    planes: tuple[Plane, ...]
    layout: StripLayout
    outputs: Outputs
    data: Persisted[StripData]
    _weight_sums: dict[int, float] = field(default_factory=dict, init=False)
    _dirty: DistributedResidual | None = field(default=None, init=False)
    _open: ExitStack = field(default_factory=ExitStack, init=False)

    def __post_init__(self) -> None:
        self._open.enter_context(closing(self.data))

    def sums(self) -> Sums:
        """Dirty image and PSF of every plane, in Jy/beam unless no visibility has a weight.

        The dirty images are brought here while the workers go on with the PSFs.
        """
        counts = self._count()
        self._weight_sums = counts.of_strips
        dirty = self._open.enter_context(closing(self._blocks("image", tasks.dirty_pieces)))
        aside = ThreadPoolExecutor(1)
        images = aside.submit(assembled, dirty, self.layout, len(self.planes))
        aside.shutdown(wait=False)
        psfs: tuple[Image | None, ...] = (None,) * len(self.planes)
        if self.outputs.psf:
            blocks = self._open.enter_context(closing(self._blocks("psf", tasks.psf_pieces)))
            psfs = assembled(blocks, self.layout, len(self.planes))
            if self.outputs.clean and all(plane.weight_sum > 0 for plane in counts.planes):
                self._dirty = self._start(dirty, blocks, counts)
            else:
                blocks.close()
        planes = {
            plane.number: PlaneSums(image, psf, own.weight_sum, own.used, own.sample)
            for plane, image, psf, own in zip(
                self.planes, images.result(), psfs, counts.planes, strict=True
            )
        }
        return normalised(Sums(planes, counts.used, counts.unflagged, counts.outside))

    def residual(
        self, model: Components, cycle: int, *, accuracy: float = 1.0
    ) -> DistributedResidual:
        """The dirty images of the data minus a model; see `Imager.residual`.

        Components go to the strips, coarse images of what is left to the blocks.
        """
        assert self._dirty is not None
        if cycle == 0 and not self._dirty.closed:
            return self._dirty
        layout = replace(self.layout, geometry=loosened(self.layout.geometry, accuracy))
        left = self._blocks(f"major cycle {cycle}", tasks.residual_pieces, model, layout=layout)
        self._open.enter_context(closing(left))
        return replace(self._dirty, cycle=cycle + 1, data=left)

    def close(self) -> None:
        """Release the strips, and the blocks of dirty image and PSF."""
        self._open.close()

    def _count(self) -> Counts:
        counts = Reduction(tasks.counted, tasks.add_counts)
        shared = (self.data, self.planes, self.outputs.check_of)
        return self.run.reduce("counts", counts, self.layout.strips, *shared)

    def _start(
        self, dirty: Persisted[Slices], psfs: Persisted[Slices], counts: Counts
    ) -> DistributedResidual:
        """The dirty images and PSFs as CLEAN takes them."""
        scales = tuple(1 / plane.weight_sum for plane in counts.planes)
        distributed = self._open.enter_context(closing(DistributedPSF(psfs, scales)))
        nothing = none(len(self.planes))
        return DistributedResidual(self.run, self.layout, distributed, 1, dirty, nothing)

    def _blocks(
        self,
        stage: str,
        fn: Callable[..., tuple[Slices, ...]],
        *shared: Any,
        layout: StripLayout | None = None,
    ) -> Persisted[Slices]:
        """Images of all strips, in blocks of columns that stay on the workers.

        Another layout than the imager's own may differ in the accuracy of gridding.
        """
        layout = layout or self.layout
        pieces = Shuffle(fn, partial(tasks.block_of, layout), len(layout.blocks))
        shared = (self.data, self._weight_sums, self.planes, *shared, layout)
        return self.run.shuffle_items(stage, pieces, layout.strips, *shared)
