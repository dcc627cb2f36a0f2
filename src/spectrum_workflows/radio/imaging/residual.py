"""Residual images for CLEAN: one in this process, and one in blocks of columns on workers."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from spectrum_workflows.engine import Reduction, Shuffle
from spectrum_workflows.radio.deconvolution import scales as shapes
from spectrum_workflows.radio.deconvolution import search as searching
from spectrum_workflows.radio.deconvolution.convolution import filtered, padded_side, spectrum_of
from spectrum_workflows.radio.deconvolution.residual_image import strength
from spectrum_workflows.radio.deconvolution.search import View
from spectrum_workflows.radio.deconvolution.sidelobes import bands
from spectrum_workflows.radio.gridding import working_type
from spectrum_workflows.radio.imaging import block_tasks as tasks
from spectrum_workflows.radio.imaging.noise import (
    collected,
    combined,
    counted,
    even_noise,
    exact_median,
    local_noise,
    rms_of,
    square_histograms,
    squares,
)
from spectrum_workflows.radio.imaging.preview import preview
from spectrum_workflows.radio.strips.one_process import assembled
from spectrum_workflows.radio.types.robust import MAD_TO_SIGMA

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spectrum_workflows.engine import Persisted, Run
    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.deconvolution.residual_image import Active
    from spectrum_workflows.radio.deconvolution.scales import Scale
    from spectrum_workflows.radio.deconvolution.search import Search
    from spectrum_workflows.radio.imaging.noise import LocalNoise, Range
    from spectrum_workflows.radio.imaging.preview import Preview
    from spectrum_workflows.radio.strips.types import Coarse, StripLayout
    from spectrum_workflows.radio.types import Image, ImagingPartition

    Kernels = Callable[[float, int], NDArray[np.float32]]


@dataclass(frozen=True)
class LocalResidual:
    """The residual images of some planes in this process.

    Attributes
    ----------
    images : tuple of ndarray of float64, shape (npix, npix)
    spectra : callable
        Gives those of the PSFs, from `spectrum_of`.
    smooth : tuple of tuple of ndarray
        Of every extended scale that can be searched the planes, where components may stand.
    kernels : callable
        Gives the shapes' transforms, see `scales.quarter_spectrum`: each is made once for all
        images that are made from these by replacing their pixels.
    """

    images: tuple[Image, ...]
    spectra: Callable[[], tuple[NDArray[np.complex128], ...]]
    smooth: tuple[tuple[Image, ...], ...] = ()
    kernels: Kernels = field(default_factory=lambda: cache(shapes.quarter_spectrum))

    @property
    def pixels(self) -> int:
        """Number of pixels of a plane."""
        return self.images[0].size

    def at_scales(self, scales: tuple[Scale, ...]) -> LocalResidual:
        """The same images, which can then be searched at some scales."""
        if len(scales) == 1:
            return self
        return replace(self, smooth=_smoothed(self.images, scales[1:], self.kernels))

    def peak(self, search: Search) -> float:
        """Largest strength of all that may be a component; NaN if any pixel is."""
        return searching.peak(self._views(search), search)

    def rms(self) -> float:
        """Robust rms; of several planes the root of the sum of squares."""
        return rms_of(self.images)

    def local_noise(self, side: int) -> LocalNoise:
        """The noise in squares of about so many pixels."""
        npix = self.images[0].shape[0]
        count, rms = squares(npix, side), self.rms()
        if not rms > 0:
            return even_noise(npix)
        return local_noise(square_histograms(strength(self.images), 0, count, rms), npix)

    def above(self, level: float, search: Search) -> Active:
        """The pixels whose strength exceeds a level, and the strongest below it."""
        return searching.active(self._views(search), search, level)

    def around(self, model: Components, radius: float, search: Search) -> Active:
        """All pixels within a radius of point components on which components may lie."""
        return searching.around(self._views(search)[0], search, model, radius)

    def without(self, model: Components) -> LocalResidual:
        """The images after subtracting the PSFs, known out to half the image, at components."""
        models = model.dense(*self.images[0].shape)
        planes = zip(self.images, models, self.spectra(), strict=True)
        left = tuple(image - filtered(dense, spectrum) for image, dense, spectrum in planes)
        return replace(self, images=left, smooth=())

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

    def _views(self, search: Search) -> tuple[View, ...]:
        npix, at_scales = self.images[0].shape[0], (self.images, *self.smooth)
        return tuple(
            View(planes, 0, scale.step, npix)
            for planes, scale in zip(at_scales, search.scales, strict=True)
        )


def local_residual(images: tuple[Image, ...], psfs: tuple[Image, ...]) -> LocalResidual:
    """Residual images in this process and the PSFs that will be subtracted from them.

    The PSFs' transforms are made when they are first needed, once for all images that are made
    from these by replacing their pixels.
    """
    return LocalResidual(images, cache(partial(_spectra, psfs)))


def _spectra(psfs: tuple[Image, ...]) -> tuple[NDArray[np.complex128], ...]:
    return tuple(spectrum_of(psf) for psf in psfs)


def _smoothed(
    images: tuple[Image, ...], extended: tuple[Scale, ...], kernels: Kernels
) -> tuple[tuple[Image, ...], ...]:
    """Of every extended scale the images convolved with its shape, where it may stand."""
    npix = images[0].shape[0]
    side = padded_side(npix)
    transforms = [scipy.fft.rfft2(image, s=(side, side), workers=1) for image in images]
    smoothed = []
    for scale in extended:
        kernel = kernels(scale.diameter, side)
        planes = (shapes.smoothed(each, kernel, npix, scale.step) for each in transforms)
        smoothed.append(tuple(planes))
    return tuple(smoothed)


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

    def transformed(self, run: Run[ImagingPartition], layout: StripLayout) -> Persisted[Any]:
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
    smooth : Persisted, optional
        At every extended scale that can be searched, see `block_tasks.smooth_of`.
    """

    run: Run[ImagingPartition]
    layout: StripLayout
    distributed_psf: DistributedPSF
    cycle: int
    data: Persisted[tuple[Coarse, ...]]
    subtracted: Components
    removed: Persisted[tuple[Coarse, ...]] | None = None
    smooth: Persisted[Any] | None = None

    @property
    def pixels(self) -> int:
        """Number of pixels of a plane."""
        return self.layout.geometry.npix**2

    def at_scales(self, scales: tuple[Scale, ...]) -> DistributedResidual:
        """The same images, which can then be searched at some scales.

        Blocks of columns are transformed to bands of frequencies, which are multiplied with the
        transforms of the scales' shapes, and go back.
        """
        if len(scales) == 1:
            return self
        npix, blocks, extended = self.layout.geometry.npix, self.layout.blocks, scales[1:]
        into = bands(npix, len(blocks))
        forward = Shuffle(tasks.image_pieces, partial(tasks.joined_lines, into), len(into))
        shared = (self.data, into, self.distributed_psf.scales)
        with closing(self.run.shuffle_items(self._stage, forward, blocks, *shared)) as lines:
            join = partial(tasks.smooth_of, npix, into[0].side, extended)
            back = Shuffle(tasks.smooth_pieces, join, len(blocks))
            smooth = self.run.shuffle_items(self._stage, back, into, lines, blocks, extended)
        return replace(self, smooth=smooth)

    def peak(self, search: Search) -> float:
        """Largest strength of all that may be a component; NaN if any pixel is."""
        return float(self._over(tasks.peak_of, tasks.larger, search))

    def rms(self) -> float:
        """Robust rms: exact, by histograms of the blocks."""
        return combined([self._rms_of(plane) for plane in range(len(self.distributed_psf.scales))])

    def _rms_of(self, plane: int) -> float:
        """Robust rms of a plane, see `robust_rms`."""

        def count(span: Range) -> Any:
            return self._over(partial(tasks.in_plane, counted), tasks.added, plane, span)

        def collect(span: Range) -> Any:
            return self._over(partial(tasks.in_plane, collected), tasks.gathered, plane, span)

        median = exact_median(self.pixels, None, count, collect)
        return MAD_TO_SIGMA * exact_median(self.pixels, median, count, collect)

    def local_noise(self, side: int) -> LocalNoise:
        """The noise in squares of about so many pixels."""
        npix = self.layout.geometry.npix
        count, rms = squares(npix, side), self.rms()
        if not rms > 0:
            return even_noise(npix)
        counts = self._over(tasks.squares_of, tasks.added, count, rms)
        return local_noise(counts, npix)

    def above(self, level: float, search: Search) -> Active:
        """The pixels whose strength exceeds a level, and the strongest below it."""
        together = partial(tasks.both, level)
        pixels: Active = self._over(tasks.active_of, together, search, level)
        return pixels

    def around(self, model: Components, radius: float, search: Search) -> Active:
        """All pixels within a radius of point components on which components may lie."""
        pixels: Active = self._over(tasks.around_of, tasks.beside_each_other, search, model, radius)
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
        return replace(self, subtracted=total, removed=removed, smooth=None)

    def preview(self) -> Preview:
        """A small view of the first plane, made where the blocks are."""
        shared = (self.data, self.removed, self.smooth, self.distributed_psf.scales)
        preview = Reduction(tasks.preview_of, tasks.beside)
        return self.run.look(preview, self.layout.blocks, *shared)

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
        for more in (self.removed, self.smooth):
            if more is not None:
                more.close()

    @property
    def closed(self) -> bool:
        """Whether the blocks have been released."""
        return not len(self.data)

    @property
    def _stage(self) -> str:
        return f"minor cycle {self.cycle}"

    def _over(self, fn: Callable[..., Any], merge: Callable[[Any, Any], Any], *shared: Any) -> Any:
        shared = (self.data, self.removed, self.smooth, self.distributed_psf.scales, *shared)
        return self.run.reduce(self._stage, Reduction(fn, merge), self.layout.blocks, *shared)
