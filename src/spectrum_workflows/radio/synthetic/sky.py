"""Simulated sources and their exact visibilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from spectrum_workflows.radio.spec import SimulationSpec, SourceSpec
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIELD_FRACTION = 0.84
"""Part of the image side over which random sources are scattered."""


def sources(synthetic: SimulationSpec, field_arcsec: float) -> tuple[SourceSpec, ...]:
    """The listed sources and the random ones, as positions and fluxes.

    Random fluxes S follow N(>S) ∝ S^-0.8 between the ends of ``flux_jy``, with
    the brightest at the upper end; positions are uniform over the field.
    """
    rng = np.random.default_rng([synthetic.seed, 1])
    low, high = synthetic.flux_jy
    rank = np.arange(synthetic.point_sources) / max(synthetic.point_sources - 1, 1)
    flux = (high**-0.8 + rank * (low**-0.8 - high**-0.8)) ** (-1 / 0.8)
    half = FIELD_FRACTION * field_arcsec / 2
    east, north = rng.uniform(-half, half, (2, synthetic.point_sources))
    scattered = (
        SourceSpec(
            name=f"P{n}",
            flux_jy=round(float(flux[n]), 6),
            east_arcsec=round(float(east[n]), 3),
            north_arcsec=round(float(north[n]), 3),
        )
        for n in range(synthetic.point_sources)
    )
    return (*synthetic.sources, *scattered)


def table(sky: tuple[SourceSpec, ...]) -> NDArray[np.float64]:
    """Sources as rows (flux Jy, l, m, n-1, fwhm rad; 0 for points).

    Raises
    ------
    ValueError
        A source lies beyond the horizon of the phase centre.
    """
    rows = []
    for source in sky:
        east, north = source.east_arcsec * ARCSEC, source.north_arcsec * ARCSEC
        square = east**2 + north**2
        if square >= 1:
            raise ValueError(f"source {source.name} is more than 90 deg from the phase centre")
        depth = -square / (1 + np.sqrt(1 - square))
        rows.append((source.flux_jy, east, north, depth, (source.fwhm_arcsec or 0) * ARCSEC))
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


def visibilities(
    uvw: NDArray[np.float64], frequency: NDArray[np.float64], sky: NDArray[np.float64]
) -> NDArray[np.complex64]:
    """Sum the measurement equation over the sources, in double precision.

    V = Σ S exp(-π² θ² (u² + v²) / (4 ln 2)) exp(2πi (ul + vm + w(n-1))), with u,
    v, w in wavelengths; a Gaussian of full width θ keeps its centre's w phase.

    Parameters
    ----------
    uvw : ndarray, shape (nrow, 3)
        m.
    frequency : ndarray, shape (nchan,)
        Hz, evenly spaced.
    sky : ndarray, shape (nsource, 5)
        From `table`.

    Returns
    -------
    ndarray of complex64, shape (nrow, nchan)
        Jy.
    """
    step = frequency[1] - frequency[0] if len(frequency) > 1 else 0.0
    out = np.empty((len(uvw), len(frequency)), np.complex64)
    _sum(uvw / SPEED_OF_LIGHT, float(frequency[0]), float(step), sky, out)
    return out


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
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
