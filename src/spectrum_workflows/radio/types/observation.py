"""A data set, and the pieces of it that are read: small frozen values with their units."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Chunk:
    """A partition: a range of time steps × a range of channels of one data set.

    Attributes
    ----------
    url, column : str
        The data set and the column of it that is imaged.
    field, data_description : int
        Rows of the FIELD and DATA_DESCRIPTION subtables.
    time_start, time_stop : int
        Half-open range among the sorted distinct times of that field and data
        description.
    chan_start, chan_stop : int
        Half-open range of channels.
    size : int
        Number of visibilities: cross-correlation rows × channels.
    planes : tuple of int
        Numbers of the planes that it feeds.
    """

    url: str
    column: str
    field: int
    data_description: int
    time_start: int
    time_stop: int
    chan_start: int
    chan_stop: int
    size: int
    planes: tuple[int, ...] = (0,)

    @property
    def where(self) -> str:
        """The chunk in words."""
        times = f"times {self.time_start}:{self.time_stop}"
        return f"{self.url} ({times}, channels {self.chan_start}:{self.chan_stop})"


def _no_times() -> NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True)
class Antennas:
    """The antennas of a data set, in the order of their numbers.

    Attributes
    ----------
    name : tuple of str
    position : ndarray of float64, shape (nantenna, 3)
        Geocentric (ITRS), m; NaN where the set does not say.
    diameter : ndarray of float64, shape (nantenna,)
        Of the dish, m; NaN where the set does not say.
    """

    name: tuple[str, ...] = ()
    position: NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.empty((0, 3)))
    diameter: NDArray[np.float64] = dataclasses.field(default_factory=_no_times)


@dataclass(frozen=True)
class Observation:
    """Description of a data set, as it gives it itself.

    Attributes
    ----------
    url, column, telescope, object_name : str
        Where it is, what is imaged, who observed what.
    field, data_description : int
        The chosen rows of the subtables.
    phase_centre : tuple of float
        Right ascension and declination, rad.
    frame, spectral_frame : str
        Of the phase centre and of the frequencies, as FITS calls them
        (RADESYS, SPECSYS).
    frequency : ndarray of float64, shape (nchan,)
        Channel centres, Hz.
    rows_per_time : ndarray of int64, shape (ntime,)
        Cross-correlation rows at each distinct time.
    longest_baseline : float
        Largest ``hypot(u, v)``, m.
    visibility_bytes : int
        Stored bytes per visibility: data and flags of all correlations.
    identity : str
        What can be said of the set's content without reading it.
    channel_width : ndarray of float64, shape (nchan,), or None
        Hz; NaN where the set does not say.
    times : ndarray of float64, shape (ntime,)
        The distinct times, rising, s of the Modified Julian Date.
    time_scale : str
        Of these, as FITS calls it (TIMESYS).
    antennas : Antennas
    notes : tuple of str
        What a user should know before running.
    weight_column : str
        What the weights are called in the set.
    """

    url: str
    column: str
    telescope: str
    object_name: str
    field: int
    data_description: int
    phase_centre: tuple[float, float]
    frame: str
    spectral_frame: str
    frequency: NDArray[np.float64]
    rows_per_time: NDArray[np.int64]
    longest_baseline: float
    visibility_bytes: int
    identity: str
    channel_width: NDArray[np.float64] | None = None
    times: NDArray[np.float64] = dataclasses.field(default_factory=_no_times)
    time_scale: str = "UTC"
    antennas: Antennas = Antennas()
    notes: tuple[str, ...] = ()
    weight_column: str = "WEIGHT"
