"""Residual images for CLEAN: one in this process, and one in blocks of columns on workers."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.engine import Reduction, Shuffle
from spectrum_workflows.radio.deconvolution.convolution import filtered, spectrum_of
from spectrum_workflows.radio.deconvolution.residual_image import active, strength
from spectrum_workflows.radio.deconvolution.sidelobes import bands
from spectrum_workflows.radio.gridding import working_type
from spectrum_workflows.radio.imaging import block_tasks as tasks
from spectrum_workflows.radio.imaging.noise import rms_of
from spectrum_workflows.radio.imaging.preview import preview
from spectrum_workflows.radio.strips.one_process import assembled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spectrum_workflows.engine import Persisted, Run
    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.deconvolution.residual_image import Active
    from spectrum_workflows.radio.imaging.preview import Preview
    from spectrum_workflows.radio.strips.types import Coarse, StripLayout
    from spectrum_workflows.radio.types import Chunk, Image


@dataclass(frozen=True)
class LocalResidual:
    """The residual images of some planes in this process.

    Attributes
    ----------
    images : tuple of ndarray of float64, shape (npix, npix)
    spectra : callable
        Gives those of the PSFs, from `spectrum_of`.
    """

    images: tuple[Image, ...]
    spectra: Callable[[], tuple[NDArray[np.complex128], ...]]

    @property
    def pixels(self) -> int:
        """Number of pixels of a plane."""
        return self.images[0].size

    def peak(self) -> float:
        """Largest `strength`; NaN if any pixel is."""
        return float(strength(self.images).max())

    def rms(self) -> float:
        """Robust rms; of several planes the root of the sum of squares."""
        return rms_of(self.images)

    def above(self, level: float) -> Active:
        """The pixels whose `strength` exceeds a level, and the strongest below it."""
        return active(self.images, level)

    def without(self, model: Components) -> LocalResidual:
        """The images after subtracting the PSFs, known out to half the image, at components."""
        models = model.dense(*self.images[0].shape)
        planes = zip(self.images, models, self.spectra(), strict=True)
        left = tuple(image - filtered(dense, spectrum) for image, dense, spectrum in planes)
        return LocalResidual(left, self.spectra)

    def preview(self) -> Preview:
        """A small view of the first plane, for those who watch."""
        return preview(self.images[0])

    def gathered(self) -> tuple[Image, ...]:
        """All pixels of every plane, in this process."""
        return self.images

    def close(self) -> None:
        """Do nothing: the images are in this process."""

    @property
    def closed(self) -> bool:
        """Never: the images are in this process."""
        return False


def local_residual(images: tuple[Image, ...], psfs: tuple[Image, ...]) -> LocalResidual:
    """Residual images in this process and the PSFs that will be subtracted from them.

    The PSFs' transforms are made when they are first needed, once for all images that are made
    from these by replacing their pixels.
    """
    return LocalResidual(images, cache(partial(_spectra, psfs)))


def _spectra(psfs: tuple[Image, ...]) -> tuple[NDArray[np.complex128], ...]:
    return tuple(spectrum_of(psf) for psf in psfs)


@dataclass
class DistributedPSF:
    """The PSFs on workers: in blocks, and once sidelobes are subtracted, transformed in bands.

    Attributes
    ----------
    psf : Persisted
        Of every plane: gridded, not normalised.
    scales : tuple of float
        The factors that normalise them, and residual images.
    kernel : Persisted, optional
    """

    psf: Persisted[tuple[Coarse, ...]]
    scales: tuple[float, ...]
    kernel: Persisted[Any] | None = None

    def transformed(self, run: Run[Chunk], layout: StripLayout) -> Persisted[Any]:
        """The transform, made of the blocks when it is first asked for."""
        if self.kernel is None:
            into = bands(layout.geometry.npix, len(layout.blocks))
            join = partial(tasks.kernel_of, into)
            pieces = Shuffle(tasks.kernel_pieces, join, len(into))
            with closing(self.psf) as psf:
                self.kernel = run.shuffle_items(
                    "psf transform", pieces, layout.blocks, psf, into, self.scales
                )
        return self.kernel

    def close(self) -> None:
        """Release the PSF and its transform on the workers."""
        self.psf.close()
        if self.kernel is not None:
            self.kernel.close()


@dataclass(frozen=True)
class DistributedResidual:
    """Blocks of residual images, and the components taken from them since they were made.

    Attributes
    ----------
    run : Run
    layout : StripLayout
    distributed_psf : DistributedPSF
    cycle : int
        Minor cycle that works on it; those without a pass over the data count as one.
    data : Persisted
        Of every plane: gridded, not normalised.
    subtracted : Components
    removed : Persisted, optional
        Their sidelobes, Jy/beam.
    """

    run: Run[Chunk]
    layout: StripLayout
    distributed_psf: DistributedPSF
    cycle: int
    data: Persisted[tuple[Coarse, ...]]
    subtracted: Components
    removed: Persisted[tuple[Coarse, ...]] | None = None

    @property
    def pixels(self) -> int:
        """Number of pixels of a plane."""
        return self.layout.geometry.npix**2

    def peak(self) -> float:
        """Largest `strength`; NaN if any pixel is."""
        return float(self._over(tasks.peak_of, tasks.larger))

    def rms(self) -> float:
        """Robust rms; it takes the whole image into this process."""
        return rms_of(self.gathered())

    def above(self, level: float) -> Active:
        """The pixels whose `strength` exceeds a level, and the strongest below it."""
        pixels: Active = self._over(tasks.active_of, partial(tasks.both, level), level)
        return pixels

    def without(self, model: Components) -> DistributedResidual:
        """The images after subtracting the PSFs, known out to half the image, at components."""
        layout, kernel = self.layout, self.distributed_psf.transformed(self.run, self.layout)
        into = bands(layout.geometry.npix, len(layout.blocks))
        kind = working_type(layout.geometry.epsilon)
        total = self.subtracted + model
        cut = Shuffle(tasks.component_pieces, tasks.collect, len(into))
        with closing(
            self.run.shuffle_items(self._stage, cut, layout.blocks, total, into, kind)
        ) as lines:
            join = partial(tasks.sidelobes_of, layout.geometry.npix, into[0].side)
            back = Shuffle(tasks.sidelobe_pieces, join, len(layout.blocks))
            shared = (lines, kernel, layout.blocks)
            removed = self.run.shuffle_items(self._stage, back, into, *shared)
        return replace(self, subtracted=total, removed=removed)

    def preview(self) -> Preview:
        """A small view of the first plane, made where the blocks are."""
        shared = (self.data, self.removed, self.distributed_psf.scales)
        looking = Reduction(tasks.preview_of, tasks.beside)
        return self.run.look(looking, self.layout.blocks, *shared)

    def gathered(self) -> tuple[Image, ...]:
        """All pixels of every plane, in this process."""
        removed = self.removed or [None] * len(self.data)
        scales = self.distributed_psf.scales
        blocks = (
            tasks.subtracted(data, sidelobes, scales)
            for data, sidelobes in zip(self.data, removed, strict=True)
        )
        return assembled(blocks, self.layout, len(scales))

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
        shared = (self.data, self.removed, self.distributed_psf.scales, *shared)
        return self.run.reduce(self._stage, Reduction(fn, merge), self.layout.blocks, *shared)
