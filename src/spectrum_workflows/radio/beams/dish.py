"""Power patterns of a dish: how strongly it sees a direction, 1 on its axis.

All of them are round.  They end, with 0, where the main lobe does: sidelobes differ from dish
to dish, and nothing is corrected for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Geometry

    Angles = NDArray[np.float64]
    """Distances from the axis of the dish, rad."""

ARCMIN = 60 * ARCSEC

COSINE_HALF = 1.18896478
"""Times the full width at half maximum, this is where the cosine taper's argument is pi / 2."""

RADII, MOST = 4096, 64
"""Radii at which a pattern is computed, and channels over which it is averaged at most."""


class PrimaryBeam(Protocol):
    """A power pattern."""

    @property
    def words(self) -> str:
        """What it is, for the header of an image."""

    def power(self, angle: Angles, hertz: float) -> Angles:
        """The pattern at rising distances from the axis (rad), at one frequency."""


@dataclass(frozen=True)
class Airy:
    """A uniformly illuminated round aperture with a round blockage.

    ``(J(D) - (b/D)² J(b))² / (1 - (b/D)²)²``, where ``J(d) = 2 J1(x) / x`` and
    ``x = π d sin(angle) / wavelength`` (Born & Wolf, Principles of Optics, 8.5.2, 8.6.2).

    Attributes
    ----------
    diameter, blockage : float
        D and b, m.
    """

    diameter: float
    blockage: float = 0.0

    @property
    def words(self) -> str:
        """What it is, for the header of an image."""
        blocked = f", {self.blockage:g} m blocked" if self.blockage else ""
        return f"Airy, {self.diameter:g} m{blocked}"

    def power(self, angle: Angles, hertz: float) -> Angles:
        """The pattern at rising distances from the axis (rad), at one frequency."""
        from scipy.special import j1

        part = (self.blockage / self.diameter) ** 2
        wide = np.pi * np.sin(angle) * hertz / SPEED_OF_LIGHT

        def voltage(diameter: float) -> Any:
            x = wide * diameter
            away = x > 1e-6
            safe = np.where(away, x, 1.0)
            return np.where(away, 2 * j1(safe) / safe, 1.0)

        field = voltage(self.diameter)
        if part > 0:
            field = (field - part * voltage(self.blockage)) / (1 - part)
        return main_lobe(np.asarray(field, np.float64), np.asarray(field**2, np.float64))


@dataclass(frozen=True)
class Polynomial:
    """1 + c1 x + c2 x² + ..., where x is the square of distance in arcmin × frequency in GHz."""

    name: str
    coefficients: tuple[float, ...]

    @property
    def words(self) -> str:
        """What it is, for the header of an image."""
        return f"polynomial, {self.name}"

    def power(self, angle: Angles, hertz: float) -> Angles:
        """The pattern at rising distances from the axis (rad), at one frequency."""
        x = np.square(angle / ARCMIN * hertz / 1e9)
        values = np.polynomial.polynomial.polyval(x, (1.0, *self.coefficients)).astype(np.float64)
        return main_lobe(values, values)


@dataclass(frozen=True)
class CosineTaper:
    """The cosine-tapered aperture of Condon & Ransom 2016, Essential Radio Astronomy, 3.5.

    ``(cos(π a r) / (1 - 4 (a r)²))²`` with r = angle / FWHM and a = 1.189; the width goes with
    the wavelength.

    Attributes
    ----------
    name : str
    fwhm : float
        Full width at half maximum in rad, at 1 Hz.
    """

    name: str
    fwhm: float

    @property
    def words(self) -> str:
        """What it is, for the header of an image."""
        return f"cosine taper, {self.name}"

    def power(self, angle: Angles, hertz: float) -> Angles:
        """The pattern at rising distances from the axis (rad), at one frequency."""
        r = COSINE_HALF * angle * hertz / self.fwhm
        denominator = 1 - 4 * r**2
        near = np.abs(denominator) < 1e-6  # there numerator and denominator vanish together
        safe = np.where(near, 1.0, denominator)
        field: Angles = np.where(near, np.pi / 4, np.cos(np.pi * r) / safe)
        return main_lobe(field, field**2)


def image_of(
    beam: PrimaryBeam, geometry: Geometry, frequency: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The beam over an image whose middle is on the axis, averaged over channels.

    Parameters
    ----------
    beam : PrimaryBeam
    geometry : Geometry
    frequency : ndarray of float64, shape (nchan,)
        Hz; channels count the same.  Of many, some at equal steps are taken.

    Returns
    -------
    ndarray of float64, shape (npix, npix)
    """
    offset = (np.arange(geometry.npix) - geometry.npix // 2) * geometry.cell
    far = float(np.hypot(offset[0], offset[0]))
    sine = np.linspace(0, min(far, 1.0), RADII)
    angle = np.arcsin(sine)
    step = -(-len(frequency) // MOST)
    taken = np.sort(frequency)[(step - 1) // 2 :: step]
    profile = np.mean([beam.power(angle, float(hertz)) for hertz in taken], axis=0)
    radius = np.hypot(offset[:, None], offset[None, :])
    return np.asarray(np.interp(radius, sine, profile), np.float64)


def main_lobe(falling: Angles, power: Angles) -> Angles:
    """A pattern at rising angles, with 0 from where ``falling`` is 0 or rises again."""
    ended = (falling <= 0) | np.concatenate([[False], np.diff(falling) > 0])
    first = int(np.argmax(ended)) if ended.any() else len(power)
    out = power.copy()
    out[first:] = 0.0
    return out
