"""The words of imaging in strips: small frozen values with their units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Geometry

    Coarse = NDArray[Any]
    """Samples of a strip's image, shape (along x, along y): single or double
    precision, as the gridder works in."""


@dataclass(frozen=True)
class CoarseAxis:
    """Coarse samples along one axis of the image, and the band that they hold.

    Attributes
    ----------
    npix : int
        Pixels of the image.
    ratio : float
        Pixel size over distance of the samples: below 1 where they are coarse.
    count : int
        Samples, even; sample ``count // 2`` lies on pixel ``npix // 2``.
    low, high : float
        The band that is kept, cycles per sample; ``low`` is 0 for a low-pass.
    taps : int
        Length of the interpolating filter; 0 where samples are the pixels.
    beta : float
        Shape of its Kaiser window.
    """

    npix: int
    ratio: float
    count: int
    low: float
    high: float
    taps: int
    beta: float


@dataclass(frozen=True)
class Strip:
    """A partition: visibilities with ``u_start <= |u| < u_stop``, in wavelengths.

    Attributes
    ----------
    number, count : int
        Which strip of how many; the last one has no upper end.
    u_start, u_stop : float
        In wavelengths.
    x : CoarseAxis
        Samples of its image along u's axis.
    planes : float
        Estimated number of w planes.
    depth : float
        Largest ``|w|``, wavelengths.
    size : int
        Visibilities in it, flagged ones among them.
    """

    number: int
    count: int
    u_start: float
    u_stop: float
    x: CoarseAxis
    planes: float
    depth: float
    size: int

    @property
    def where(self) -> str:
        """The strip in words."""
        ends = f"|u| {self.u_start:.6g} to {self.u_stop:.6g} wavelengths"
        return f"strip {self.number + 1} of {self.count} ({ends})"


@dataclass(frozen=True)
class Columns:
    """A partition of the image: columns ``start:stop`` of all rows."""

    start: int
    stop: int
    npix: int

    @property
    def size(self) -> int:
        """Pixels."""
        return (self.stop - self.start) * self.npix

    @property
    def where(self) -> str:
        """The block in words."""
        return f"columns {self.start}:{self.stop} of the image"


@dataclass(frozen=True)
class StripLayout:
    """Cuts of one image: strips of the uv plane, blocks of columns of the image.

    Attributes
    ----------
    geometry : Geometry
        Of the whole image.
    strips : tuple of Strip
        In order of rising ``|u|``.
    y : CoarseAxis
        Samples along v's axis, the same for all strips.
    blocks : tuple of Columns
    limits : tuple of float
        Largest ``|u|``, ``|v|`` and ``|w|`` that the samples are made for,
        wavelengths.
    """

    geometry: Geometry
    strips: tuple[Strip, ...]
    y: CoarseAxis
    blocks: tuple[Columns, ...]
    limits: tuple[float, float, float]


@dataclass(frozen=True)
class StripData:
    """The usable visibilities of a strip: of each row a contiguous range of channels.

    Attributes
    ----------
    uvw : ndarray of float64, shape (nrow, 3)
        m.
    frequency : ndarray of float64, shape (nchan,)
        Hz; lists of rising frequencies, one behind the other.
    channels : ndarray of int32, shape (nrow, 2)
        Half-open range of channels of each row, all in one list.
    visibility : ndarray of complex64, shape (n,)
        Jy; row after row.
    weight : ndarray of float32, shape (n,)
        Imaging weights; 0 for what is unusable or in another strip.
    unflagged : int
        Visibilities that are not flagged in what was cut, usable or not;
        counted in the first strip only.
    starts : tuple of int
        Where each list begins in ``frequency``.
    windows : tuple of int
        The data description that each list is of.
    outside : int
        Usable visibilities outside the chosen uv range; counted like ``unflagged``.
    """

    uvw: NDArray[np.float64]
    frequency: NDArray[np.float64]
    channels: NDArray[np.int32]
    visibility: NDArray[np.complex64]
    weight: NDArray[np.float32]
    unflagged: int
    starts: tuple[int, ...] = (0,)
    windows: tuple[int, ...] = (0,)
    outside: int = 0
