"""The axes of frequency and Stokes parameter along which planes lie in a file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError

if TYPE_CHECKING:
    from spectrum_workflows.radio.types import Channels, Observation, Plane

STOKES = {"I": 1, "Q": 2, "U": 3, "V": 4}
"""Stokes parameters as FITS numbers them."""


@dataclass(frozen=True)
class PlaneAxes:
    """Every Stokes parameter in every range of channels, in the order of the planes."""

    stokes: tuple[str, ...]
    channels: tuple[Channels, ...]


@dataclass(frozen=True)
class ImageBand:
    """Lower and upper end of a plane's channels, Hz."""

    low: float
    high: float

    @property
    def centre(self) -> float:
        """Hz."""
        return (self.low + self.high) / 2


def axes_of(planes: tuple[Plane, ...]) -> PlaneAxes:
    """The axes on which some planes lie: Stokes parameters, and in each the same channels.

    Raises
    ------
    DataError
        They are no such grid.
    """
    stokes = tuple(dict.fromkeys(plane.stokes for plane in planes))
    channels = tuple(dict.fromkeys(plane.channels for plane in planes))
    if [(plane.stokes, plane.channels) for plane in planes] != [*product(stokes, channels)]:
        message = "planes are not every Stokes parameter in every range of channels, in this order"
        raise DataError(message, "planes", "write them in several runs")
    return PlaneAxes(stokes, channels)


def band_of(observation: Observation, channels: Channels) -> ImageBand:
    """The band of some channels, as wide as the set says.

    Where it does not say, channels are as wide as they lie apart; one alone
    has no width.
    """
    frequency = observation.frequency
    apart = float(np.abs(np.diff(frequency)).mean()) if len(frequency) > 1 else 0.0
    width = np.full(len(frequency), np.nan)
    if observation.channel_width is not None:
        width = np.abs(observation.channel_width)
    half = np.where(np.isfinite(width), width, apart) / 2
    held = channels.hold(frequency)
    return ImageBand(float((frequency - half)[held].min()), float((frequency + half)[held].max()))
