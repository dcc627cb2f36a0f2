"""Times of a simulated observation, and its noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio.synthetic import array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.spec import SimulationSpec

J2000_MJD = 51_544.5
START_MJD = 60_310.0  # 2024-01-01
DAY = 86_400.0
SIDEREAL = 360.985_647_366_29  # degrees of Earth rotation per day


@dataclass(frozen=True)
class Schedule:
    """A track on one field.

    Attributes
    ----------
    telescope : Telescope
    right_ascension, declination : float
        Phase centre, rad.
    hour_angle : ndarray of float64, shape (ntime,)
        rad.
    interval : float
        Time between samples, s.
    frequency : ndarray of float64, shape (nchan,)
        Channel centres, Hz.
    channel_width : float
        Hz.
    sigma : float
        Noise of the real or imaginary part of one correlation, Jy.
    """

    telescope: array.Telescope
    right_ascension: float
    declination: float
    hour_angle: NDArray[np.float64]
    interval: float
    frequency: NDArray[np.float64]
    channel_width: float
    sigma: float

    @property
    def time(self) -> NDArray[np.float64]:
        """Times at which the hour angles occur on the first day of 2024, MJD s."""
        sidereal = np.degrees(self.hour_angle + self.right_ascension - self.telescope.longitude)
        at_start = 280.460_618_37 + SIDEREAL * (START_MJD - J2000_MJD)
        turned = (sidereal[0] - at_start) % 360 + sidereal - sidereal[0]
        return np.asarray((START_MJD + turned / SIDEREAL) * DAY)


def schedule(synthetic: SimulationSpec, visibilities: int) -> Schedule:
    """Spread about ``visibilities`` over the hour angles of the spec.

    The noise follows from the system equivalent flux density: SEFD / √(2 Δν Δt)
    per correlation (Thompson, Moran & Swenson 2017, eq. 6.50).

    Raises
    ------
    SpecError
        The phase centre is below the horizon for part of the time.
    """
    telescope = array.telescope(synthetic.telescope)
    per_time = len(array.baselines(telescope)[0]) * synthetic.channels
    ntime = max(1, round(visibilities / per_time))
    start, stop = synthetic.hour_angles
    interval = (stop - start) / 24 * DAY / ntime
    hours = start + (np.arange(ntime) + 0.5) * (stop - start) / ntime
    hour_angle, declination = np.radians(15 * hours), np.radians(synthetic.declination_deg)
    if array.elevation(telescope, hour_angle, declination).min() <= 0:
        raise SpecError(
            f"the phase centre is below the horizon of {telescope.name}",
            "[synthetic]",
            "change hour_angles or declination_deg",
        )
    width = synthetic.channel_width_hz
    return Schedule(
        telescope=telescope,
        right_ascension=float(np.radians(synthetic.right_ascension_deg)),
        declination=float(declination),
        hour_angle=hour_angle,
        interval=interval,
        frequency=synthetic.frequency_hz + width * np.arange(synthetic.channels, dtype=np.float64),
        channel_width=width,
        sigma=float(synthetic.sefd_jy / np.sqrt(2 * width * interval)),
    )
