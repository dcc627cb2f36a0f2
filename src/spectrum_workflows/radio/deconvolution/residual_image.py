"""The residual image as CLEAN uses it, and the pixels that it takes from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.deconvolution.scales import Scale
    from spectrum_workflows.radio.deconvolution.search import Search
    from spectrum_workflows.radio.imaging.noise import LocalNoise
    from spectrum_workflows.radio.imaging.preview import Preview
    from spectrum_workflows.radio.types import Image


FLOOR, SPARE = 0.5, 10_000
"""Pixels below the level that are cleaned along with those above it, should sidelobes
raise them: down to this part of the level, the strongest so many."""

MOST = 200_000
"""Pixels above the level that are cleaned together, at most: the strongest."""


@dataclass(frozen=True)
class Active:
    """Pixels to be cleaned together, each at one scale.

    Attributes
    ----------
    position : ndarray of int64, shape (n, 2)
    value : ndarray of float64, shape (n, nplane)
        Of the residual at the scale, Jy/beam.
    floor : float
        All that are stronger are among them.
    scale : ndarray of int64, shape (n,)
        Number of the scale, from 0.
    factor : ndarray of float64, shape (n,)
        By which values are multiplied before they are compared.
    """

    position: NDArray[np.int64]
    value: NDArray[np.float64]
    floor: float
    scale: NDArray[np.int64]
    factor: NDArray[np.float64]

    def __add__(self, other: Self) -> Active:
        """Those of two blocks, one after the other."""
        return Active(
            np.concatenate([self.position, other.position]),
            np.concatenate([self.value, other.value]),
            max(self.floor, other.floor),
            np.concatenate([self.scale, other.scale]),
            np.concatenate([self.factor, other.factor]),
        )

    def __getitem__(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Active:
        """Some of them."""
        place = self.position[kept], self.value[kept]
        return Active(*place, self.floor, self.scale[kept], self.factor[kept])

    @property
    def strength(self) -> NDArray[np.float64]:
        """Strength of each pixel, see `strength`, times its factor."""
        return np.asarray(strength(list(self.value.T)) * self.factor)

    def thinned(self, level: float) -> bool:
        """Whether pixels that may come to exceed a level were left out because they are many."""
        return self.floor > FLOOR * level

    def strongest(self, level: float) -> Active:
        """Those above the level, and of the others the `SPARE` strongest, equal ones among them.

        Of those above the level, the `MOST` strongest, and then none of the others.  What is
        left out of a block is left out of any image that holds it, so that blocks may be
        thinned before they are put together.
        """
        strongest = self.strength
        above = np.flatnonzero(strongest > level)
        if len(above) > MOST:
            least = float(np.partition(strongest[above], -MOST)[-MOST])
            kept = np.flatnonzero(strongest > least)
            equal = np.flatnonzero(strongest == least)[: MOST - len(kept)]
            kept = np.sort(np.concatenate([kept, equal]))
            return replace(self[kept], floor=max(self.floor, least))
        below = strongest[strongest <= level]
        if len(below) <= SPARE:
            return self
        least = float(np.partition(below, -SPARE)[-SPARE])
        return replace(self[strongest >= least], floor=max(self.floor, least))


def strength(planes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Strength that the peak is searched in: the absolute value of one plane, the norm of several.

    The root of the sum of squares is what WSClean, too, searches in where it joins planes of
    different Stokes parameters.
    """
    if len(planes) == 1:
        return np.asarray(np.abs(planes[0]))
    return np.asarray(np.sqrt(sum(np.square(plane) for plane in planes)))


class ResidualImage(Protocol):
    """The residual images of some planes, Jy/beam, in this process or elsewhere."""

    @property
    def pixels(self) -> int:
        """Number of pixels of a plane."""

    def at_scales(self, scales: tuple[Scale, ...]) -> ResidualImage:
        """The same images, which can then be searched at some scales."""

    def peak(self, search: Search) -> float:
        """Largest strength of all that may be a component, see `search.strengths`."""

    def rms(self) -> float:
        """Robust rms, see `robust_rms`; of several planes the root of the sum of squares."""

    def local_noise(self, side: int) -> LocalNoise:
        """The noise in squares of about so many pixels."""

    def above(self, level: float, search: Search) -> Active:
        """The pixels whose strength exceeds a level, and the strongest below it."""

    def around(self, model: Components, radius: float, search: Search) -> Active:
        """All pixels within a radius of point components on which components may lie."""

    def without(self, model: Components) -> ResidualImage:
        """The image after subtracting the PSF, known out to half the image, at every component.

        Of the residual at extended scales nothing is known then.
        """

    def preview(self) -> Preview:
        """A small view of the first plane, for those who watch."""

    def gathered(self) -> tuple[Image, ...]:
        """All pixels of every plane, in this process."""

    def close(self) -> None:
        """Release the pixels on the workers; none can be asked for any more."""

    @property
    def closed(self) -> bool:
        """Whether the pixels have been released."""
