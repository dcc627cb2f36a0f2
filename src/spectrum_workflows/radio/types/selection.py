"""What is chosen of the rows of a data set: small frozen values with their units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Hands = Literal["both", "either", "XX", "YY", "RR", "LL"]
"""Parallel hands that Stokes I is made of."""


@dataclass(frozen=True)
class Interval:
    """A range of numbers, ``start <= x < stop``; all of them by default."""

    start: float = -math.inf
    stop: float = math.inf

    def hold(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Mask of the values that lie in the range."""
        return np.asarray((values >= self.start) & (values < self.stop))


ANY = Interval()
"""Every number."""


@dataclass(frozen=True)
class Selection:
    """Rows, hands and uv range that are imaged; empty ranges and lists choose everything.

    Attributes
    ----------
    times : tuple of Interval
        s of the Modified Julian Date.
    scans : tuple of int
    antennas : tuple of int
        Numbers of those that may be at the ends of a baseline.
    without_antennas : tuple of int
        Numbers of those that may not.
    baselines : tuple of (int, int)
        The only pairs of antennas, in either order.
    uv_m : Interval
        Of ``hypot(u, v)``, m.
    uv_wavelengths : Interval
        Of the same in wavelengths, which differs from channel to channel.
    hands : str
        ``both`` parallel hands, which are both needed; ``either``, whichever there is; or the
        name of one.
    """

    times: tuple[Interval, ...] = ()
    scans: tuple[int, ...] = ()
    antennas: tuple[int, ...] = ()
    without_antennas: tuple[int, ...] = ()
    baselines: tuple[tuple[int, int], ...] = ()
    uv_m: Interval = ANY
    uv_wavelengths: Interval = ANY
    hands: Hands = "both"

    @property
    def any_time(self) -> bool:
        """Whether it holds every time and scan."""
        return not (self.times or self.scans)

    @property
    def any_baseline(self) -> bool:
        """Whether it holds every baseline."""
        return not (self.antennas or self.without_antennas or self.baselines)

    @property
    def any_uv(self) -> bool:
        """Whether it holds every length of baseline."""
        return self.uv_m == ANY and self.uv_wavelengths == ANY

    def hold_times(
        self, time: NDArray[np.float64], scan: NDArray[np.int64] | None
    ) -> NDArray[np.bool_]:
        """Mask of the times that are chosen.

        Parameters
        ----------
        time : ndarray of float64, shape (n,)
            s of the Modified Julian Date.
        scan : ndarray of int64, shape (n,), or None
            Needed where scans are chosen.
        """
        mask = np.ones(len(time), np.bool_)
        if self.times:
            mask &= np.any([interval.hold(time) for interval in self.times], axis=0)
        if self.scans:
            assert scan is not None
            mask &= np.isin(scan, self.scans)
        return mask

    def hold_baselines(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
        """Mask of the baselines, by the numbers of their antennas, that are chosen."""
        mask = np.ones(len(first), np.bool_)
        if self.antennas:
            mask &= np.isin(first, self.antennas) & np.isin(second, self.antennas)
        if self.without_antennas:
            mask &= ~np.isin(first, self.without_antennas)
            mask &= ~np.isin(second, self.without_antennas)
        if self.baselines:
            low, high = np.minimum(first, second), np.maximum(first, second)
            pairs = [(low == min(pair)) & (high == max(pair)) for pair in self.baselines]
            mask &= np.any(pairs, axis=0)
        return mask


EVERYTHING = Selection()
"""All rows, both hands."""
