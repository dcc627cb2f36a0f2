"""The residual image as CLEAN uses it, and the one in this process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from spectrum_workflows.radio.clean.convolution import filtered, spectrum_of
from spectrum_workflows.radio.image import robust_rms

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spectrum_workflows.radio.clean.components import Components
    from spectrum_workflows.radio.types import Image


FLOOR, SPARE = 0.5, 10_000
"""Pixels below the level that are cleaned along with those above it, should sidelobes
raise them: down to this part of the level, the strongest so many."""


@dataclass(frozen=True)
class Active:
    """Pixels to be cleaned together.

    Attributes
    ----------
    position : ndarray of int64, shape (n, 2)
    value : ndarray of float64, shape (n,)
        Jy/beam.
    floor : float
        All pixels of a larger absolute value are among them.
    """

    position: NDArray[np.int64]
    value: NDArray[np.float64]
    floor: float

    def __add__(self, other: Self) -> Active:
        """Those of two blocks, one after the other."""
        position = np.concatenate([self.position, other.position])
        value = np.concatenate([self.value, other.value])
        return Active(position, value, max(self.floor, other.floor))

    def thinned(self, level: float) -> bool:
        """Whether pixels that may come to exceed a level were left out because they are many."""
        return self.floor > FLOOR * level

    def strongest(self, level: float) -> Active:
        """All above the level, and of the others the `SPARE` strongest, equal ones among them.

        What is left out of a block is left out of any image that holds it, so
        that blocks may be thinned before they are put together.
        """
        strength = np.abs(self.value)
        below = strength[strength <= level]
        if len(below) <= SPARE:
            return self
        least = float(np.partition(below, -SPARE)[-SPARE])
        kept = strength >= least
        return Active(self.position[kept], self.value[kept], max(self.floor, least))


def active(image: NDArray[Any], level: float, column: int = 0) -> Active:
    """The active pixels of an image, or of a block that begins at some column."""
    floor = FLOOR * level
    row, there = np.nonzero((image > floor) | (image < -floor))
    value = image[row, there].astype(np.float64)
    found = Active(np.stack([row, column + there], axis=1), value, floor)
    return found.strongest(level)


class ResidualImage(Protocol):
    """A residual image, Jy/beam, in this process or elsewhere."""

    @property
    def pixels(self) -> int:
        """Number of pixels."""

    def peak(self) -> float:
        """Largest absolute value; NaN if any pixel is."""

    def rms(self) -> float:
        """Robust rms, see `robust_rms`."""

    def above(self, level: float) -> Active:
        """The pixels whose absolute value exceeds a level, and the strongest below it."""

    def without(self, model: Components) -> ResidualImage:
        """The image after subtracting the PSF, known out to half the image, at every component."""

    def gathered(self) -> Image:
        """All pixels, in this process."""

    def close(self) -> None:
        """Release the pixels on the workers; none can be asked for any more."""

    @property
    def closed(self) -> bool:
        """Whether the pixels have been released."""


@dataclass(frozen=True)
class LocalResidual:
    """A residual image in this process.

    Attributes
    ----------
    image : ndarray of float64, shape (npix, npix)
    spectrum : callable
        Gives that of the PSF, from `spectrum_of`.
    """

    image: Image
    spectrum: Callable[[], NDArray[np.complex128]]

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.image.size

    def peak(self) -> float:
        """Largest absolute value; NaN if any pixel is."""
        return float(np.abs(self.image).max())

    def rms(self) -> float:
        """Robust rms, see `robust_rms`."""
        return robust_rms(self.image)

    def above(self, level: float) -> Active:
        """The pixels whose absolute value exceeds a level, and the strongest below it."""
        return active(self.image, level)

    def without(self, model: Components) -> LocalResidual:
        """The image after subtracting the PSF, known out to half the image, at every component."""
        found = filtered(model.dense(*self.image.shape), self.spectrum())
        return LocalResidual(self.image - found, self.spectrum)

    def gathered(self) -> Image:
        """All pixels, in this process."""
        return self.image

    def close(self) -> None:
        """Do nothing: the image is in this process."""

    @property
    def closed(self) -> bool:
        """Never: the image is in this process."""
        return False


def local_residual(image: Image, psf: Image) -> LocalResidual:
    """A residual image in this process and the PSF that will be subtracted from it.

    The PSF's transform is made when it is first needed, once for all images that are made
    from this one by replacing its pixels.
    """
    return LocalResidual(image, cache(partial(spectrum_of, psf)))
