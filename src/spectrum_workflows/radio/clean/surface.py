"""What CLEAN asks of a residual image, wherever its pixels are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from spectrum_workflows.radio.clean.convolution import filtered, spectrum_of
from spectrum_workflows.radio.image import robust_rms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.clean.components import Components
    from spectrum_workflows.radio.types import Image


@dataclass(frozen=True)
class Active:
    """Pixels above some level: positions, int64 of shape (n, 2), and values, Jy/beam."""

    position: NDArray[np.int64]
    value: NDArray[np.float64]


class Surface(Protocol):
    """A residual image, Jy/beam, in this process or elsewhere."""

    @property
    def pixels(self) -> int:
        """How many."""

    def peak(self) -> float:
        """Largest absolute value; NaN if any pixel is."""

    def rms(self) -> float:
        """Robust rms, see `robust_rms`."""

    def above(self, level: float) -> Active:
        """The pixels whose absolute value exceeds a level."""

    def without(self, model: Components) -> Surface:
        """The image after subtracting the PSF, known out to half the image, at every component."""

    def gathered(self) -> Image:
        """All pixels, in this process."""

    def close(self) -> None:
        """Let the pixels go where they are held elsewhere; none can be asked for any more."""


@dataclass(frozen=True)
class Whole:
    """A residual image in this process.

    Attributes
    ----------
    image : ndarray of float64, shape (npix, npix)
    spectrum : ndarray of complex128
        Of the PSF, from `spectrum_of`.
    """

    image: Image
    spectrum: NDArray[np.complex128]

    @property
    def pixels(self) -> int:
        """How many."""
        return self.image.size

    def peak(self) -> float:
        """Largest absolute value; NaN if any pixel is."""
        return float(np.abs(self.image).max())

    def rms(self) -> float:
        """Robust rms, see `robust_rms`."""
        return robust_rms(self.image)

    def above(self, level: float) -> Active:
        """The pixels whose absolute value exceeds a level."""
        position = np.argwhere(np.abs(self.image) > level)
        return Active(position, self.image[position[:, 0], position[:, 1]])

    def without(self, model: Components) -> Whole:
        """The image after subtracting the PSF, known out to half the image, at every component."""
        found = filtered(model.dense(*self.image.shape), self.spectrum)
        return Whole(self.image - found, self.spectrum)

    def gathered(self) -> Image:
        """All pixels, in this process."""
        return self.image

    def close(self) -> None:
        """Nothing to let go of."""


def whole(image: Image, psf: Image) -> Whole:
    """A residual image in this process and the PSF that will be subtracted from it."""
    return Whole(image, spectrum_of(psf))
