"""Sources that were found in an image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A source, with a Gaussian fitted to it.

    Attributes
    ----------
    number : int
        From 1, the one with the largest peak first.
    right_ascension, declination : float
        Of its middle, degrees.
    east, north : float
        Direction cosines of its middle from the phase centre, in arcsec.
    peak : float
        Of the Gaussian, Jy/beam.
    flux : float
        Of the Gaussian, Jy.
    island : float
        Sum of the pixels above the threshold, Jy: of an extended source that is no Gaussian.
    snr : float
        Largest pixel over the rms of the residual.
    major, minor : float
        Full widths at half maximum of the Gaussian, the beam not taken off, arcsec.
    angle : float
        Position angle of the major axis, degrees from north through east.
    primary_beam : float or None
        There, if it was made; ``flux`` is not corrected for it.
    planted : str
        Name of the nearest source of a known sky within half a beam, if there is one.
    planted_flux : float or None
        Its flux, Jy.
    """

    number: int
    right_ascension: float
    declination: float
    east: float
    north: float
    peak: float
    flux: float
    island: float
    snr: float
    major: float
    minor: float
    angle: float
    primary_beam: float | None = None
    planted: str = ""
    planted_flux: float | None = None


@dataclass(frozen=True)
class Planted:
    """A source of a known sky: flux in Jy, direction cosines in arcsec, its extent if it has one.

    That is the full width of a Gaussian, or inner and outer diameter of a ring.
    """

    name: str
    flux_jy: float
    east_arcsec: float
    north_arcsec: float
    fwhm_arcsec: float | None = None
    ring_arcsec: tuple[float, float] | None = None

    @property
    def width(self) -> float:
        """Of the whole, arcsec; 0 of a point."""
        return self.ring_arcsec[1] if self.ring_arcsec else self.fwhm_arcsec or 0.0


@dataclass(frozen=True)
class Agreement:
    """Sources beside a known sky.

    Attributes
    ----------
    expected : int
        Planted sources inside the image that are strong enough to be found.
    found : int
        Those of them that were.
    spurious : int
        Sources with no planted one of any strength within half a beam.
    flux_ratio : float
        Median of measured over planted flux of those that were found; NaN of none.
    offset : float
        Median distance of the two, arcsec; NaN of none.
    """

    expected: int
    found: int
    spurious: int
    flux_ratio: float
    offset: float
