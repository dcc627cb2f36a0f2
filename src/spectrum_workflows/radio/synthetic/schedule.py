"""Times, fields and bands of a simulated observation, and its noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio.spec import HANDS, SimulatedWindowSpec
from spectrum_workflows.radio.synthetic import array
from spectrum_workflows.radio.types import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spectrum_workflows.radio.spec import SimulationSpec

J2000_MJD = 51_544.5
START_MJD = 60_310.0  # 2024-01-01
DAY = 86_400.0
SIDEREAL = 360.985_647_366_29  # degrees of Earth rotation per day


@dataclass(frozen=True)
class Band:
    """A spectral window.

    Attributes
    ----------
    frequency : ndarray of float64, shape (nchan,)
        Channel centres, Hz.
    channel_width : float
        Hz.
    sigma : float
        Noise of the real or imaginary part of one correlation, Jy.
    """

    frequency: NDArray[np.float64]
    channel_width: float
    sigma: float

    @property
    def weight(self) -> float:
        """Inverse variance of a correlation; 1 without noise."""
        return float((self.sigma or 1.0) ** -2)


@dataclass(frozen=True)
class Target:
    """A field: its name, and its phase centre in rad."""

    name: str
    right_ascension: float
    declination: float


@dataclass(frozen=True)
class Schedule:
    """A track, on one field or on several in turn.

    Attributes
    ----------
    telescope : Telescope
    targets : tuple of Target
    hands : tuple of str
        Parallel hands that are recorded.
    bands : tuple of Band
    hour_angle : ndarray of float64, shape (ntime,)
        Of the first field, rad.
    target : ndarray of int32, shape (ntime,)
        Which field is observed.
    scan : ndarray of int32, shape (ntime,)
        Numbers of the stretches on one field, from 1.
    interval : float
        Time between samples, s.
    """

    telescope: array.Telescope
    targets: tuple[Target, ...]
    hands: tuple[str, ...]
    bands: tuple[Band, ...]
    hour_angle: NDArray[np.float64]
    target: NDArray[np.int32]
    scan: NDArray[np.int32]
    interval: float

    @property
    def time(self) -> NDArray[np.float64]:
        """Times at which the hour angles occur on the first day of 2024, MJD s."""
        first = self.targets[0].right_ascension
        sidereal = np.degrees(self.hour_angle + first - self.telescope.longitude)
        at_start = 280.460_618_37 + SIDEREAL * (START_MJD - J2000_MJD)
        turned = (sidereal[0] - at_start) % 360 + sidereal - sidereal[0]
        return np.asarray((START_MJD + turned / SIDEREAL) * DAY)

    @property
    def nrow(self) -> int:
        """Rows of one band: times by baselines."""
        return len(self.hour_angle) * len(array.baselines(self.telescope)[0])

    @property
    def plain(self) -> bool:
        """Whether it is of one field and one band."""
        return len(self.targets) == len(self.bands) == 1

    def uvw(self, times: slice) -> NDArray[np.float64]:
        """Baseline coordinates at some times of one scan, m, shape (n, nbaseline, 3)."""
        target = self.targets[self.target[times][0]]
        angle = self.hour_angle[times] - (target.right_ascension - self.targets[0].right_ascension)
        return array.uvw(self.telescope, angle, target.declination)

    def stretches(self, longest: int) -> Iterator[slice]:
        """Consecutive times of one scan, so many at most."""
        ends = np.flatnonzero(np.diff(self.scan)) + 1
        begin = 0
        for end in (*ends.tolist(), len(self.scan)):
            for start in range(begin, end, longest):
                yield slice(start, min(start + longest, end))
            begin = end


class Block(NamedTuple):
    """Data of consecutive times of one scan.

    Coordinates in m, shape (ntime × nbaseline, 3), rows in (time, antenna1, antenna2) order; and
    visibilities of every band, Jy, shape (ntime × nbaseline, nchan, nhand).
    """

    times: slice
    uvw: NDArray[np.float64]
    data: tuple[NDArray[np.complex64], ...]


def schedule(synthetic: SimulationSpec, visibilities: int) -> Schedule:
    """Spread about ``visibilities`` over the hour angles of the spec.

    The noise follows from the system equivalent flux density: SEFD / √(2 Δν Δt)
    per correlation (Thompson, Moran & Swenson 2017, eq. 6.50).

    Raises
    ------
    SpecError
        A phase centre is below the horizon for part of the time, or there are fewer times
        than scans.
    """
    telescope = array.telescope(synthetic.telescope)
    windows = synthetic.windows or (SimulatedWindowSpec(frequency_hz=synthetic.frequency_hz),)
    channels = [window.channels or synthetic.channels for window in windows]
    per_time = len(array.baselines(telescope)[0]) * sum(channels)
    ntime = max(1, round(visibilities / per_time))
    start, stop = synthetic.hour_angles
    interval = (stop - start) / 24 * DAY / ntime
    hours = start + (np.arange(ntime) + 0.5) * (stop - start) / ntime
    bands = []
    for window, count in zip(windows, channels, strict=True):
        width = window.channel_width_hz or synthetic.channel_width_hz
        frequency = window.frequency_hz + width * np.arange(count, dtype=np.float64)
        bands.append(
            Band(frequency, width, float(synthetic.sefd_jy / np.sqrt(2 * width * interval)))
        )
    targets = _targets(synthetic)
    target, scan = _turns(len(targets), synthetic.turns, ntime)
    plan = Schedule(
        telescope=telescope,
        targets=targets,
        hands=HANDS[synthetic.feeds] if synthetic.hands == "both" else (synthetic.hands,),
        bands=tuple(bands),
        hour_angle=np.radians(15 * hours),
        target=target,
        scan=scan,
        interval=interval,
    )
    _check_elevation(plan)
    return plan


def _targets(synthetic: SimulationSpec) -> tuple[Target, ...]:
    """The fields; the one that there is without a list has the name of what is simulated."""
    given = [(f.name, f.right_ascension_deg, f.declination_deg) for f in synthetic.fields]
    one = (SIMULATED.upper(), synthetic.right_ascension_deg, synthetic.declination_deg)
    return tuple(
        Target(name, float(np.radians(ra)), float(np.radians(dec)))
        for name, ra, dec in given or (one,)
    )


def _turns(ntarget: int, turns: int, ntime: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Field and scan of every time: the fields in turn, equally long as far as that goes."""
    count = ntarget * turns
    if count > ntime:
        raise SpecError(
            f"{count} scans, and {ntime} times that so many visibilities make",
            "[synthetic]",
            "ask for more visibilities or fewer turns",
        )
    lengths = [len(part) for part in np.array_split(np.arange(ntime), count)]
    scan = np.repeat(np.arange(count, dtype=np.int32), lengths)
    return scan % np.int32(ntarget), scan + np.int32(1)


def _check_elevation(plan: Schedule) -> None:
    """Refuse to look below the horizon."""
    for number, target in enumerate(plan.targets):
        angle = plan.hour_angle[plan.target == number]
        angle = angle - (target.right_ascension - plan.targets[0].right_ascension)
        if array.elevation(plan.telescope, angle, target.declination).min() > 0:
            continue
        which = "the phase centre" if len(plan.targets) == 1 else f"field {target.name}"
        raise SpecError(
            f"{which} is below the horizon of {plan.telescope.name}",
            "[synthetic]",
            "change hour_angles or declination_deg",
        )
