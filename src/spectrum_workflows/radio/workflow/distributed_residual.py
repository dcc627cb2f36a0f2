"""A residual image that stays on the workers, in blocks of columns: CLEAN's `ResidualImage`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from spectrum_workflows.engine import Reduction, Shuffle
from spectrum_workflows.radio.clean.components import Components, none
from spectrum_workflows.radio.clean.sidelobes import bands
from spectrum_workflows.radio.gridding import working_type
from spectrum_workflows.radio.image import robust_rms
from spectrum_workflows.radio.strips.one_process import assembled
from spectrum_workflows.radio.workflow import block_tasks as tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from spectrum_workflows.engine import Persisted, Run
    from spectrum_workflows.radio.clean.residual_image import Active
    from spectrum_workflows.radio.strips.types import Coarse, StripLayout
    from spectrum_workflows.radio.types import Chunk, Image


@dataclass
class DistributedPSF:
    """The PSF on the workers: in blocks, and once sidelobes are subtracted, its transform in bands.

    Attributes
    ----------
    psf : Persisted
        Gridded, not normalised.
    scale : float
        The factor that normalises it, and residual images.
    kernel : Persisted, optional
    """

    psf: Persisted[Coarse]
    scale: float
    kernel: Persisted[Any] | None = None

    def transformed(self, state: Run[Chunk], layout: StripLayout) -> Persisted[Any]:
        """The transform, made of the blocks when it is first asked for."""
        if self.kernel is None:
            into = bands(layout.geometry.npix, len(layout.blocks))
            join = partial(tasks.kernel_of, into)
            what = Shuffle(tasks.kernel_pieces, join, len(into))
            with closing(self.psf) as psf:
                self.kernel = state.shuffle_items(
                    "psf transform", what, layout.blocks, psf, into, self.scale
                )
        return self.kernel

    def close(self) -> None:
        """Release the PSF and its transform on the workers."""
        self.psf.close()
        if self.kernel is not None:
            self.kernel.close()


@dataclass(frozen=True)
class DistributedResidual:
    """Blocks of a residual image, and the components taken from it since it was made.

    Attributes
    ----------
    state : Run
    layout : StripLayout
    distributed_psf : DistributedPSF
    cycle : int
        Minor cycle that works on it; those without a pass over the data count as one.
    data : Persisted
        Gridded, not normalised.
    subtracted : Components
    removed : Persisted, optional
        Their sidelobes, Jy/beam.
    """

    state: Run[Chunk]
    layout: StripLayout
    distributed_psf: DistributedPSF
    cycle: int
    data: Persisted[Coarse]
    subtracted: Components = field(default_factory=none)
    removed: Persisted[Coarse] | None = None

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.layout.geometry.npix**2

    def peak(self) -> float:
        """Largest absolute value; NaN if any pixel is."""
        return float(self._over(tasks.peak_of, tasks.larger))

    def rms(self) -> float:
        """Robust rms; it takes the whole image into this process."""
        return robust_rms(self.gathered())

    def above(self, level: float) -> Active:
        """The pixels whose absolute value exceeds a level, and the strongest below it."""
        found: Active = self._over(tasks.active_of, partial(tasks.both, level), level)
        return found

    def without(self, model: Components) -> DistributedResidual:
        """The image after subtracting the PSF, known out to half the image, at every component."""
        layout, kernel = self.layout, self.distributed_psf.transformed(self.state, self.layout)
        into = bands(layout.geometry.npix, len(layout.blocks))
        kind = working_type(layout.geometry.epsilon)
        total = self.subtracted + model
        cut = Shuffle(tasks.component_pieces, tasks.together, len(into))
        with closing(
            self.state.shuffle_items(self._stage, cut, layout.blocks, total, into, kind)
        ) as lines:
            join = partial(tasks.sidelobes_of, layout.geometry.npix, into[0].side)
            back = Shuffle(tasks.sidelobe_pieces, join, len(layout.blocks))
            shared = (lines, kernel, layout.blocks)
            removed = self.state.shuffle_items(self._stage, back, into, *shared)
        return replace(self, subtracted=total, removed=removed)

    def gathered(self) -> Image:
        """All pixels, in this process."""
        removed = self.removed or [None] * len(self.data)
        parts = (
            tasks.left(data, taken, self.distributed_psf.scale)
            for data, taken in zip(self.data, removed, strict=True)
        )
        return assembled(parts, self.layout)

    def close(self) -> None:
        """Release the blocks on the workers."""
        self.data.close()
        if self.removed is not None:
            self.removed.close()

    @property
    def closed(self) -> bool:
        """Whether the blocks have been released."""
        return not len(self.data)

    @property
    def _stage(self) -> str:
        return f"minor cycle {self.cycle}"

    def _over(self, fn: Callable[..., Any], merge: Callable[[Any, Any], Any], *shared: Any) -> Any:
        shared = (self.data, self.removed, self.distributed_psf.scale, *shared)
        return self.state.reduce(self._stage, Reduction(fn, merge), self.layout.blocks, *shared)
