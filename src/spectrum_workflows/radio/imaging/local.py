"""The imager that grids chunk by chunk, whole images in every task."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spectrum_workflows.engine import Reduction
from spectrum_workflows.radio.imaging import chunk_tasks as tasks
from spectrum_workflows.radio.imaging.codecs import sums_codec
from spectrum_workflows.radio.imaging.imager import loosened, normalised
from spectrum_workflows.radio.imaging.residual import LocalResidual, local_residual

if TYPE_CHECKING:
    from spectrum_workflows.engine import Run
    from spectrum_workflows.radio.deconvolution import Components
    from spectrum_workflows.radio.imaging.imager import Outputs, Sums
    from spectrum_workflows.radio.types import Geometry, ImagingPartition, Plane
    from spectrum_workflows.radio.weights import Weighting


@dataclass
class LocalImager:
    """An `Imager` that reads the chunks in every pass and holds its residuals in this process.

    Attributes
    ----------
    run : Run
    planes : tuple of Plane
    geometry : Geometry
    weighting : Weighting or None
        ``None`` for natural weights.
    outputs : Outputs
    """

    run: Run[ImagingPartition]
    planes: tuple[Plane, ...]
    geometry: Geometry
    weighting: Weighting | None
    outputs: Outputs
    _dirty: LocalResidual | None = field(default=None, init=False)
    _weight_sums: tuple[float, ...] = field(default=(), init=False)

    def sums(self) -> Sums:
        """Dirty image and PSF of every plane, in Jy/beam unless no visibility has a weight."""
        sums = self.run.once("image", self._sum, sums_codec(self.outputs))
        planes = [sums.planes[plane.number] for plane in self.planes]
        self._weight_sums = tuple(plane.weight_sum for plane in planes)
        psfs = tuple(plane.psf for plane in planes if plane.psf is not None)
        if self.outputs.psf:
            self._dirty = local_residual(tuple(plane.dirty for plane in planes), psfs)
        return sums

    def _sum(self) -> Sums:
        imaging = Reduction(tasks.imaged, tasks.add_sums)
        shared = (self.planes, self.geometry, self.weighting, self.outputs)
        return normalised(self.run.over("image", imaging, *shared))

    def residual(self, model: Components, cycle: int, *, accuracy: float = 1.0) -> LocalResidual:
        """The dirty images of the data minus a model; see `Imager.residual`."""
        assert self._dirty is not None
        if cycle == 0:
            return self._dirty
        models = model.dense(self.geometry.npix, self.geometry.npix)
        subtraction = Reduction(tasks.residual, tasks.add_images)
        geometry = loosened(self.geometry, accuracy)
        shared = (self.planes, geometry, self.weighting, models)
        left = self.run.over(f"major cycle {cycle}", subtraction, *shared)
        images = tuple(
            left[plane.number] / weight_sum
            for plane, weight_sum in zip(self.planes, self._weight_sums, strict=True)
        )
        return replace(self._dirty, images=images)

    def close(self) -> None:
        """Do nothing: nothing is kept on the workers."""
