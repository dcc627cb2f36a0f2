"""Planes: the images that visibilities are gridded onto."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Channels:
    """A range of frequencies, ``start_hz <= frequency < stop_hz``; all of them by default."""

    start_hz: float = 0.0
    stop_hz: float = math.inf

    def hold(self, frequency: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Mask of the channel centres (Hz) that lie in the range."""
        return np.asarray((frequency >= self.start_hz) & (frequency < self.stop_hz))


@dataclass(frozen=True)
class Plane:
    """One gridded image: a range of channels in one Stokes parameter.

    Attributes
    ----------
    number : int
        Among all planes of a run, from 0.
    channels : Channels
    stokes : str
    """

    number: int = 0
    channels: Channels = Channels()
    stokes: str = "I"

    @property
    def where(self) -> str:
        """The plane in words."""
        low, high = self.channels.start_hz, self.channels.stop_hz
        if low == 0 and high == math.inf:
            return f"Stokes {self.stokes}"
        return f"Stokes {self.stokes}, {low / 1e6:g} to {high / 1e6:g} MHz"
