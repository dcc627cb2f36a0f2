"""The result of a run: images, plane by plane, and what is known of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from spectrum_workflows.radio.types.observation import folders
from spectrum_workflows.radio.types.robust import robust_rms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types.geometry import Beam, Geometry, Image
    from spectrum_workflows.radio.types.model import ComponentList
    from spectrum_workflows.radio.types.observation import Observation
    from spectrum_workflows.radio.types.planes import Plane
    from spectrum_workflows.radio.types.sources import Agreement, Source


class Stop(Enum):
    """Reason why CLEAN stopped."""

    NOT_CLEANED = "no [clean] table: dirty image only"
    THRESHOLD = "residual peak at or below the threshold"
    SIGMA = "residual peak at or below sigma times the residual rms"
    ITERATIONS = "iteration limit"
    MAX_MAJOR = "major cycle limit"
    DIVERGED = "residual peak grew: kept the model before it did"
    NOTHING_LEFT = "residual is zero everywhere"
    LOST = "a major cycle failed: kept the model before it"


@dataclass(frozen=True)
class SelfCheck:
    """Gridding compared with a direct Fourier sum on a subset of the data.

    ``error_peak`` and ``error_rms`` are the largest deviation at the compared
    pixels, relative to the peak and to the rms of the subset's dirty image.
    """

    epsilon: float
    error_peak: float
    error_rms: float
    visibilities: int
    pixels: int
    cpu_seconds: float


@dataclass(frozen=True)
class Use:
    """Visibilities that were planned, and those among them that an image does not hold.

    Attributes
    ----------
    planned : int
    flagged : int
    unusable : int
        Not flagged, but without a positive weight, a finite value or a finite UVW.
    beyond : int
        Usable, but beyond the grid of the imaging weights.
    outside : int
        Usable, but outside the uv range that was chosen.
    """

    planned: int
    flagged: int
    unusable: int
    beyond: int
    outside: int = 0


@dataclass(frozen=True)
class PlaneImages:
    """The images of one plane in Jy/beam, except ``model`` in Jy/pixel.

    Attributes
    ----------
    plane : Plane
    dirty, psf, residual, model, image : ndarray of float64, shape (npix, npix)
        ``None`` for what was not made.
    weight_sum : float
        Of the imaging weights.
    visibilities : int
        Those with imaging weight.
    beam : Beam or None
    beam_fitted : bool
        Whether it is fitted to the PSF.
    self_check : SelfCheck or None
    primary_beam : ndarray of float64, shape (npix, npix), or None
        1 in the middle.
    corrected : ndarray of float64, shape (npix, npix), or None
        The restored (else dirty) image over the primary beam, Jy/beam; NaN below the cut.
    primary_beam_model : str
        What the beam is.
    coverage : ndarray of float64, shape (n, 2), or None
        u and v of some of the visibilities, wavelengths.
    sources : tuple of Source, or None
    agreement : Agreement or None
        Of the sources with a known sky.
    components : ComponentList or None
        What ``model`` is the drawing of, where CLEAN had several scales.
    """

    plane: Plane
    dirty: Image
    weight_sum: float
    visibilities: int
    psf: Image | None = None
    residual: Image | None = None
    model: Image | None = None
    image: Image | None = None
    beam: Beam | None = None
    beam_fitted: bool = False
    self_check: SelfCheck | None = None
    primary_beam: Image | None = None
    corrected: Image | None = None
    primary_beam_model: str = ""
    coverage: NDArray[np.float64] | None = None
    sources: tuple[Source, ...] | None = None
    agreement: Agreement | None = None
    components: ComponentList | None = None

    @property
    def sky(self) -> Image:
        """The restored, else the dirty image."""
        return self.dirty if self.image is None else self.image

    @property
    def noise(self) -> Image:
        """The residual, else the dirty image: what has noise and, as far as possible, no sky."""
        return self.dirty if self.residual is None else self.residual

    @cached_property
    def rms(self) -> float:
        """Robust rms of `noise`, Jy/beam."""
        return robust_rms(self.noise)

    def rms_of(self, image: Image) -> float:
        """Robust rms of one of these images, Jy/beam; that of `noise` is found once."""
        return self.rms if image is self.noise else robust_rms(image)


@dataclass(frozen=True)
class GroupImages:
    """The images of a group of planes, and how CLEAN went, which works on them together.

    Attributes
    ----------
    planes : tuple of PlaneImages
    use : Use or None
    stop : Stop
    major, iterations : int
    threshold : float
        The level, in Jy/beam, that CLEAN was asked to reach in its last major cycle.
    peak_left : float
        What is left, of all that CLEAN may take, to be compared with it; NaN where unknown.
    errors : tuple of str
        What failed after dirty image and PSF.
    """

    planes: tuple[PlaneImages, ...]
    use: Use | None = None
    stop: Stop = Stop.NOT_CLEANED
    major: int = 0
    iterations: int = 0
    threshold: float = 0.0
    peak_left: float = math.nan
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImagingResult:
    """Everything one run makes.

    Attributes
    ----------
    name : str
    observation : Observation
    geometry : Geometry
    weighting : str
        The imaging weights in words.
    groups : tuple of GroupImages
    warnings : tuple of str
        What the images show about themselves.
    single : bool
        Whether the images are rounded to single precision, and saved so.
    zarr : bool
        Whether they are saved as a Zarr dataset, too.
    plots : bool
        Whether uv coverage and residual histogram are drawn, too.
    """

    name: str
    observation: Observation
    geometry: Geometry
    weighting: str
    groups: tuple[GroupImages, ...]
    warnings: tuple[str, ...] = ()
    single: bool = False
    zarr: bool = False
    plots: bool = False

    @property
    def whose(self) -> str:
        """What pictures call the observed field, and that the data were generated if they were."""
        name = self.observation.object_name or self.name
        origin = self.observation.origin
        return f"{name} ({origin})" if origin else name

    @property
    def planes(self) -> tuple[PlaneImages, ...]:
        """All planes, by their numbers."""
        every = (images for group in self.groups for images in group.planes)
        return tuple(sorted(every, key=lambda images: images.plane.number))


@dataclass(frozen=True)
class FieldResults:
    """What one run makes of several fields.

    Attributes
    ----------
    name : str
        Of the run.
    fields : tuple of ImagingResult
        In the order of their numbers in the set.
    """

    name: str
    fields: tuple[ImagingResult, ...]

    @property
    def folders(self) -> tuple[str, ...]:
        """What the fields are called where files and arrays have a name."""
        return folders([result.observation for result in self.fields])

    def __getitem__(self, name: str) -> ImagingResult:
        """What was made of a field, by the name of its folder."""
        return dict(zip(self.folders, self.fields, strict=True))[name]
