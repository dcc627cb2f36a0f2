"""The residual image as CLEAN uses it, and the pixels that it takes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.imaging.preview import Preview
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
    value : ndarray of float64, shape (n, nplane)
        Jy/beam.
    floor : float
        All pixels that are stronger are among them.
    """

    position: NDArray[np.int64]
    value: NDArray[np.float64]
    floor: float

    def __add__(self, other: Self) -> Active:
        """Those of two blocks, one after the other."""
        position = np.concatenate([self.position, other.position])
        value = np.concatenate([self.value, other.value])
        return Active(position, value, max(self.floor, other.floor))

    @property
    def strength(self) -> NDArray[np.float64]:
        """Strength of each pixel, see `strength`."""
        return np.asarray(strength(list(self.value.T)))

    def thinned(self, level: float) -> bool:
        """Whether pixels that may come to exceed a level were left out because they are many."""
        return self.floor > FLOOR * level

    def strongest(self, level: float) -> Active:
        """All above the level, and of the others the `SPARE` strongest, equal ones among them.

        What is left out of a block is left out of any image that holds it, so
        that blocks may be thinned before they are put together.
        """
        strongest = self.strength
        below = strongest[strongest <= level]
        if len(below) <= SPARE:
            return self
        least = float(np.partition(below, -SPARE)[-SPARE])
        kept = strongest >= least
        return Active(self.position[kept], self.value[kept], max(self.floor, least))


def strength(planes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Strength that the peak is searched in: the absolute value of one plane, the norm of several.

    The root of the sum of squares is what WSClean, too, searches in where it joins planes of
    different Stokes parameters.
    """
    if len(planes) == 1:
        return np.asarray(np.abs(planes[0]))
    return np.asarray(np.sqrt(sum(np.square(plane) for plane in planes)))


def active(planes: Sequence[NDArray[Any]], level: float, column: int = 0) -> Active:
    """The active pixels of an image's planes, or of those of a block that begins at a column."""
    floor = FLOOR * level
    row, place = np.nonzero(strength(planes) > floor)
    value = np.stack([plane[row, place].astype(np.float64) for plane in planes], axis=1)
    return Active(np.stack([row, column + place], axis=1), value, floor).strongest(level)


class ResidualImage(Protocol):
    """The residual images of some planes, Jy/beam, in this process or elsewhere."""

    @property
    def pixels(self) -> int:
        """Number of pixels of a plane."""

    def peak(self) -> float:
        """Largest `strength`; NaN if any pixel is."""

    def rms(self) -> float:
        """Robust rms, see `robust_rms`; of several planes the root of the sum of squares."""

    def above(self, level: float) -> Active:
        """The pixels whose `strength` exceeds a level, and the strongest below it."""

    def without(self, model: Components) -> ResidualImage:
        """The image after subtracting the PSF, known out to half the image, at every component."""

    def preview(self) -> Preview:
        """A small view of the first plane, for those who watch."""

    def gathered(self) -> tuple[Image, ...]:
        """All pixels of every plane, in this process."""

    def close(self) -> None:
        """Release the pixels on the workers; none can be asked for any more."""

    @property
    def closed(self) -> bool:
        """Whether the pixels have been released."""
