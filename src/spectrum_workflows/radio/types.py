"""The words of radio imaging: small frozen values with their units."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float64]
    """Shape (npix, npix): rows are Dec going up, columns are RA going down (FITS order)."""

ARCSEC = float(np.pi / (180 * 3600))
"""One arcsecond in radians."""

SPEED_OF_LIGHT = 299_792_458.0
"""In m/s, exact (SI)."""

SINGLE_EPSILON = 5e-5
"""Smallest accuracy for which single precision arithmetic is used."""


@dataclass(frozen=True)
class Chunk:
    """A partition: a range of time steps × a range of channels of one data set.

    Attributes
    ----------
    url, column : str
        The data set and the column of it that is imaged.
    field, data_description : int
        Rows of the FIELD and DATA_DESCRIPTION subtables.
    time_start, time_stop : int
        Half-open range among the sorted distinct times of that field and data
        description.
    chan_start, chan_stop : int
        Half-open range of channels.
    size : int
        Number of visibilities: cross-correlation rows × channels.
    """

    url: str
    column: str
    field: int
    data_description: int
    time_start: int
    time_stop: int
    chan_start: int
    chan_stop: int
    size: int

    @property
    def where(self) -> str:
        """The chunk in words."""
        times = f"times {self.time_start}:{self.time_stop}"
        return f"{self.url} ({times}, channels {self.chan_start}:{self.chan_stop})"


@dataclass(frozen=True)
class Observation:
    """What a data set says about itself.

    Attributes
    ----------
    url, column, telescope, object_name : str
        Where it is, what is imaged, who observed what.
    field, data_description : int
        The chosen rows of the subtables.
    phase_centre : tuple of float
        Right ascension and declination, rad.
    frame, spectral_frame : str
        Of the phase centre and of the frequencies, as FITS calls them
        (RADESYS, SPECSYS).
    frequency : ndarray of float64, shape (nchan,)
        Channel centres, Hz.
    rows_per_time : ndarray of int64, shape (ntime,)
        Cross-correlation rows at each distinct time.
    longest_baseline : float
        Largest ``hypot(u, v)``, m.
    visibility_bytes : int
        Stored bytes per visibility: data and flags of all correlations.
    identity : str
        What can be said of the set's content without reading it.
    channel_width : ndarray of float64, shape (nchan,), or None
        Hz; NaN where the set does not say.
    time : tuple of float
        First and last time of the rows, s of the Modified Julian Date.
    time_scale : str
        Of these, as FITS calls it (TIMESYS).
    notes : tuple of str
        What a user should know before running.
    weight_column : str
        What the weights are called in the set.
    """

    url: str
    column: str
    telescope: str
    object_name: str
    field: int
    data_description: int
    phase_centre: tuple[float, float]
    frame: str
    spectral_frame: str
    frequency: NDArray[np.float64]
    rows_per_time: NDArray[np.int64]
    longest_baseline: float
    visibility_bytes: int
    identity: str
    channel_width: NDArray[np.float64] | None = None
    time: tuple[float, float] = (0.0, 0.0)
    time_scale: str = "UTC"
    notes: tuple[str, ...] = ()
    weight_column: str = "WEIGHT"


@dataclass(frozen=True)
class Visibilities:
    """Stokes I visibilities of one chunk, rows sorted by (time, antenna1, antenna2).

    Attributes
    ----------
    uvw : ndarray of float64, shape (nrow, 3)
        Baseline coordinates, m.
    frequency : ndarray of float64, shape (nchan,)
        Hz.
    visibility : ndarray of complex64, shape (nrow, nchan)
        Jy; 0 where it is not usable.
    weight : ndarray of float32, shape (nrow, nchan)
        Inverse variance of Stokes I; exactly 0 where flagged, not finite or
        without weight in either parallel hand.
    unflagged : int
        Visibilities that are not flagged, usable or not.
    """

    uvw: NDArray[np.float64]
    frequency: NDArray[np.float64]
    visibility: NDArray[np.complex64]
    weight: NDArray[np.float32]
    unflagged: int


@dataclass(frozen=True)
class Geometry:
    """Image side in pixels, pixel size in rad, and requested gridding accuracy."""

    npix: int
    cell: float
    epsilon: float


@dataclass(frozen=True)
class Pixels:
    """A centred grid of pixels that need not be square.

    Numbers of ``columns`` and ``rows``, their ``width`` and ``height`` in rad,
    and the requested gridding accuracy.
    """

    columns: int
    rows: int
    width: float
    height: float
    epsilon: float


@dataclass(frozen=True)
class Beam:
    """An elliptical Gaussian: full widths at half maximum in arcsec.

    ``bpa`` is the position angle of the major axis in degrees, from north
    through east, in [-90, 90).
    """

    bmaj: float
    bmin: float
    bpa: float


class Stop(Enum):
    """Why CLEAN stopped."""

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
    """

    planned: int
    flagged: int
    unusable: int
    beyond: int


@dataclass(frozen=True)
class ImagingResult:
    """Everything one run makes; images in Jy/beam, except ``model`` in Jy/pixel.

    ``threshold`` is the level, in Jy/beam, that CLEAN was asked to reach in its
    last major cycle; ``weight_sum`` the sum of imaging weights.  ``beam_fitted`` says
    that the beam is fitted to the PSF; ``errors`` what failed after dirty image and PSF;
    ``warnings`` what the images show about themselves.
    """

    name: str
    observation: Observation
    geometry: Geometry
    weighting: str
    dirty: Image
    weight_sum: float
    visibilities: int
    psf: Image | None = None
    residual: Image | None = None
    model: Image | None = None
    image: Image | None = None
    beam: Beam | None = None
    stop: Stop = Stop.NOT_CLEANED
    major: int = 0
    iterations: int = 0
    threshold: float = 0.0
    self_check: SelfCheck | None = None
    use: Use | None = None
    beam_fitted: bool = False
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
