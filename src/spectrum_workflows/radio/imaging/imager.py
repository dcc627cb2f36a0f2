"""The imager: what turns the data into images, again and again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution import Components, ResidualImage
    from spectrum_workflows.radio.imaging.self_check import Sample
    from spectrum_workflows.radio.types import Geometry, Image, Plane, Visibilities


LOOSEST = 1e-2
"""Least accuracy of gridding: beyond it little is gained."""


@dataclass(frozen=True)
class Outputs:
    """Images that are made besides the dirty ones.

    Attributes
    ----------
    psf : bool
    clean : bool
        Whether residual images of models will be asked for.
    check_of : int
        Visibilities in all chunks, from which the self-check's sample is drawn; 0 for none.
    """

    psf: bool
    clean: bool
    check_of: int


@dataclass(frozen=True)
class PlaneSums:
    """The images of one plane summed over the data, and what they are the sum of.

    Attributes
    ----------
    dirty, psf : ndarray of float64, shape (npix, npix)
        Until they are `normalised`, sums of weighted visibilities; then Jy/beam.
    weight_sum : float
        Of the imaging weights.
    used : int
        Visibilities with imaging weight.
    sample : Sample or None
        For the self-check.
    """

    dirty: Image
    psf: Image | None
    weight_sum: float
    used: int
    sample: Sample | None

    def __add__(self, other: PlaneSums) -> PlaneSums:
        return PlaneSums(
            dirty=self.dirty + other.dirty,
            psf=None if self.psf is None or other.psf is None else self.psf + other.psf,
            weight_sum=self.weight_sum + other.weight_sum,
            used=self.used + other.used,
            sample=add_samples(self.sample, other.sample),
        )


@dataclass(frozen=True)
class Sums:
    """The sums of the planes that were fed, by their numbers, and of their visibilities.

    Attributes
    ----------
    planes : dict of int to PlaneSums
    used, unflagged : int
        Visibilities with imaging weight, in whatever planes, and those that are not flagged.
    outside : int
        Usable visibilities that are left out, outside the chosen uv range.
    """

    planes: dict[int, PlaneSums]
    used: int
    unflagged: int
    outside: int = 0

    @property
    def weight_sum(self) -> float:
        """Of all planes: 0 where there is nothing to image."""
        return sum(plane.weight_sum for plane in self.planes.values())


class Imager(Protocol):
    """Turns the data into images: dirty images and PSFs once, residuals in every major cycle."""

    def sums(self) -> Sums:
        """Dirty image and PSF of every plane, in Jy/beam unless no visibility has a weight."""

    def residual(self, model: Components, cycle: int, *, accuracy: float = 1.0) -> ResidualImage:
        """The dirty images of the data minus a model, in the given major cycle (from 1).

        Cycle 0, whose model has no components, is the dirty images: it takes a pass over
        the data only where they were released.  Gridding may be less accurate than that of
        the dirty images by the factor ``accuracy``, see `loosened`.
        """

    def close(self) -> None:
        """Release all that is on the workers."""


def loosened(geometry: Geometry, accuracy: float) -> Geometry:
    """A geometry with gridding less accurate by a factor, but not beyond `LOOSEST`."""
    looser = min(geometry.epsilon * accuracy, LOOSEST)
    return replace(geometry, epsilon=max(geometry.epsilon, looser))


def add_samples(a: Sample | None, b: Sample | None) -> Sample | None:
    """The samples of two pieces of the data."""
    return None if a is None or b is None else a + b


def normalised(sums: Sums) -> Sums:
    """The images divided, in place, by the sum of weights: another large one would be felt."""
    for plane in sums.planes.values():
        for image in (plane.dirty, plane.psf):
            if image is not None and plane.weight_sum > 0:
                np.divide(image, plane.weight_sum, out=image)
    return sums


def visibilities_of(plane: Plane, data: Visibilities) -> Visibilities:
    """The visibilities of a plane's channels, without copying them."""
    held: NDArray[np.bool_] = plane.channels.hold(data.frequency)
    if held.all():
        return data
    used = np.flatnonzero(held)  # frequencies rise
    channels = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
    return replace(
        data,
        frequency=data.frequency[channels],
        visibility=data.visibility[:, channels],
        weight=data.weight[:, channels],
    )
