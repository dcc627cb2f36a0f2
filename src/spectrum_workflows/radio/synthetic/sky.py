"""Simulated sources and their exact visibilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.compiled import compiled
from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio.spec import SimulationSpec, SourceSpec
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

FIELD_FRACTION = 0.84
"""Part of the image side over which random sources are scattered."""


def sources(
    synthetic: SimulationSpec, field_arcsec: float, field: int = 0
) -> tuple[SourceSpec, ...]:
    """The listed sources of a field and the random ones, as positions and fluxes.

    Random fluxes S follow N(>S) ∝ S^-0.8 between the ends of ``flux_jy``, with
    the brightest at the upper end; positions are uniform over the field.
    """
    of = synthetic.fields[field] if synthetic.fields else synthetic
    rng = np.random.default_rng([synthetic.seed, 1, field] if field else [synthetic.seed, 1])
    low, high = synthetic.flux_jy
    rank = np.arange(of.point_sources) / max(of.point_sources - 1, 1)
    flux = (high**-0.8 + rank * (low**-0.8 - high**-0.8)) ** (-1 / 0.8)
    half = FIELD_FRACTION * field_arcsec / 2
    east, north = rng.uniform(-half, half, (2, of.point_sources))
    scattered = (
        SourceSpec(
            name=f"P{n}",
            flux_jy=round(float(flux[n]), 6),
            east_arcsec=round(float(east[n]), 3),
            north_arcsec=round(float(north[n]), 3),
        )
        for n in range(of.point_sources)
    )
    return (*of.sources, *scattered)


@dataclass(frozen=True)
class Sky:
    """Sources as numbers.

    Attributes
    ----------
    smooth : ndarray of float64, shape (n, 5)
        Points and Gaussians: flux (Jy), l, m, n-1, fwhm (rad; 0 for points).
    rings : ndarray of float64, shape (n, 6)
        Rings: flux, l, m, n-1, inner and outer diameter (rad).
    """

    smooth: NDArray[np.float64]
    rings: NDArray[np.float64]


def sky_of(sources: Iterable[SourceSpec]) -> Sky:
    """The numbers of some sources.

    Raises
    ------
    SpecError
        A source lies beyond the horizon of the phase centre.
    """
    smooth, rings = [], []
    for source in sources:
        place = _place(source)
        if source.ring_arcsec is None:
            smooth.append((source.flux_jy, *place, (source.fwhm_arcsec or 0) * ARCSEC))
        else:
            rings.append((source.flux_jy, *place, *(d * ARCSEC for d in source.ring_arcsec)))
    return Sky(
        np.array(smooth, dtype=np.float64).reshape(-1, 5),
        np.array(rings, dtype=np.float64).reshape(-1, 6),
    )


def _place(source: SourceSpec) -> tuple[float, float, float]:
    """Direction cosines l, m, n-1."""
    east, north = source.east_arcsec * ARCSEC, source.north_arcsec * ARCSEC
    square = east**2 + north**2
    if square >= 1:
        message = f"source {source.name} is more than 90 deg from the phase centre"
        raise SpecError(
            message, "[synthetic]", "east_arcsec and north_arcsec are direction cosines"
        )
    return east, north, -square / (1 + np.sqrt(1 - square))


def visibilities(
    uvw: NDArray[np.float64], frequency: NDArray[np.float64], sky: Sky
) -> NDArray[np.complex64]:
    """Sum the measurement equation over the sources, in double precision.

    V = Σ S exp(-π² θ² (u² + v²) / (4 ln 2)) exp(2πi (ul + vm + w(n-1))), with u,
    v, w in wavelengths, for a Gaussian of full width θ; for a ring see `ring`.  What is
    extended keeps its centre's w phase.

    Parameters
    ----------
    uvw : ndarray, shape (nrow, 3)
        m.
    frequency : ndarray, shape (nchan,)
        Hz, evenly spaced.
    sky : Sky

    Returns
    -------
    ndarray of complex64, shape (nrow, nchan)
        Jy.
    """
    step = frequency[1] - frequency[0] if len(frequency) > 1 else 0.0
    out = np.empty((len(uvw), len(frequency)), np.complex64)
    delay = uvw / SPEED_OF_LIGHT
    _sum(delay, float(frequency[0]), float(step), sky.smooth, out)
    for flux, east, north, depth, inner, outer in sky.rings:
        turns = (delay @ [east, north, depth])[:, None] * frequency
        baseline = np.hypot(delay[:, 0], delay[:, 1])[:, None] * frequency
        out += flux * ring(baseline, inner, outer) * np.exp(2j * np.pi * turns)
    return out


def ring(baseline: NDArray[np.float64], inner: float, outer: float) -> NDArray[np.float64]:
    """Visibility of a ring of unit flux and constant brightness around the origin.

    A thin ring of diameter θ has J0(πθq) at q wavelengths, a disk 2 J1(πθq) / (πθq), and a
    ring is the disk of its outer diameter less that of its inner one, by their areas
    (Bracewell 2000, The Fourier Transform and Its Applications, chapter 13).

    Parameters
    ----------
    baseline : ndarray
        Length of (u, v), wavelengths.
    inner, outer : float
        Diameters, rad; both the same for a thin ring.
    """
    from scipy.special import j0, j1

    if inner == outer:
        return np.asarray(j0(np.pi * outer * baseline))

    def disk(diameter: float) -> Any:
        x = np.pi * diameter * baseline
        far = np.where(x > 0, x, 1.0)
        return diameter**2 * np.where(x > 0, 2 * j1(far) / far, 1.0)

    return np.asarray((disk(outer) - disk(inner)) / (outer**2 - inner**2))


@compiled()
def _sum(
    delay: NDArray[np.float64],
    first: float,
    step: float,
    sky: NDArray[np.float64],
    out: NDArray[np.complex64],
) -> None:
    nchan = out.shape[1]
    total = np.empty(nchan, np.complex128)
    for row in range(out.shape[0]):
        u, v, w = delay[row]
        total[:] = 0
        for source in range(sky.shape[0]):
            flux, east, north, depth, fwhm = sky[source]
            turns = u * east + v * north + w * depth
            phase = np.exp(2j * np.pi * turns * first)
            turn = np.exp(2j * np.pi * turns * step)
            taper = (np.pi * fwhm) ** 2 * (u * u + v * v) / (4 * np.log(2.0))
            for chan in range(nchan):
                amplitude = flux
                if fwhm > 0:
                    amplitude *= np.exp(-taper * (first + chan * step) ** 2)
                total[chan] += amplitude * phase
                phase *= turn
        out[row] = total
