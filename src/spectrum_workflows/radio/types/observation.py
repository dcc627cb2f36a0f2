"""What a data set says of itself: small frozen values with their units."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.types.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


CONTENT, CHECKSUMS = PORTABLE = "content ", "checksums "
"""How identities begin that were computed of all bytes, and of checksums of all objects."""

SIMULATED = "simulated"
"""Observer and project of a set that is made here; its field has the same name in capitals."""


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
class Window:
    """What is imaged of one spectral window: the channels and rows of a data description.

    Attributes
    ----------
    number : int
        Row of the DATA_DESCRIPTION subtable.
    frequency : ndarray of float64, shape (nchan,)
        Centres of all channels, Hz, in the set's order.
    rows_per_time : ndarray of int64, shape (ntime,)
        Chosen cross-correlation rows at each distinct time.
    times : ndarray of float64, shape (ntime,)
        These times, rising, s of the Modified Julian Date.
    visibility_bytes : int
        Stored bytes per visibility: data and flags of all correlations.
    spectral_window : int
        Row of the SPECTRAL_WINDOW subtable.
    name : str
        What the set calls it.
    width : ndarray of float64, shape (nchan,), or None
        Of the channels, Hz; NaN where the set does not say.
    spectral_frame : str
        Of the frequencies, as FITS calls it (SPECSYS).
    correlations : tuple of str
    chosen : ndarray of bool, shape (nchan,), or None
        Channels that are imaged; ``None`` for all.
    """

    number: int
    frequency: NDArray[np.float64]
    rows_per_time: NDArray[np.int64]
    times: NDArray[np.float64] = dataclasses.field(default_factory=_no_times)
    visibility_bytes: int = 0
    spectral_window: int = 0
    name: str = ""
    width: NDArray[np.float64] | None = None
    spectral_frame: str = ""
    correlations: tuple[str, ...] = ()
    chosen: NDArray[np.bool_] | None = None

    @property
    def channels(self) -> NDArray[np.int64]:
        """Numbers of the channels that are imaged."""
        every = np.arange(len(self.frequency))
        return every if self.chosen is None else every[self.chosen]


@dataclass(frozen=True)
class Responsible:
    """Who observed, and for which project, as the set names them."""

    observer: str = ""
    project: str = ""


@dataclass(frozen=True)
class Observation:
    """Description of what is imaged of a data set, as the set gives it itself.

    Attributes
    ----------
    url, column, telescope, object_name : str
        Where it is, what is imaged, who observed what.
    field : int
        The chosen row of the FIELD subtable.
    phase_centre : tuple of float
        Right ascension and declination, rad.
    frame : str
        Of the phase centre, as FITS calls it (RADESYS).
    windows : tuple of Window
        In the order of their numbers.
    longest_baseline : float
        Largest ``hypot(u, v)``, m.
    identity : str
        What can be said of the set's content without reading it.
    time_scale : str
        Of the times, as FITS calls it (TIMESYS).
    antennas : Antennas
    notes : tuple of str
        What a user should know before running.
    weight_column : str
        What the weights are called in the set.
    selection : Selection
        Rows, hands and uv range that were chosen.
    responsible : Responsible
    """

    url: str
    column: str
    telescope: str
    object_name: str
    field: int
    phase_centre: tuple[float, float]
    frame: str
    windows: tuple[Window, ...]
    longest_baseline: float
    identity: str
    time_scale: str = "UTC"
    antennas: Antennas = Antennas()
    notes: tuple[str, ...] = ()
    weight_column: str = "WEIGHT"
    selection: Selection = EVERYTHING
    responsible: Responsible = Responsible()

    @property
    def portable(self) -> bool:
        """Whether its identity is of the content itself, wherever the set lies."""
        return self.identity.startswith(PORTABLE)

    @property
    def frequency(self) -> NDArray[np.float64]:
        """Centres of the channels that are imaged, of all windows, rising; Hz."""
        every = [window.frequency[window.channels] for window in self.windows]
        return np.sort(np.concatenate(every), kind="stable")

    @property
    def channel_width(self) -> NDArray[np.float64]:
        """Of these channels, Hz; NaN where the set does not say."""
        every = [window.frequency[window.channels] for window in self.windows]
        order = np.argsort(np.concatenate(every), kind="stable")
        widths = [
            np.full(len(window.channels), np.nan)
            if window.width is None
            else window.width[window.channels]
            for window in self.windows
        ]
        return np.concatenate(widths)[order]

    @property
    def times(self) -> NDArray[np.float64]:
        """The distinct times of all windows, rising, s of the Modified Julian Date."""
        return np.unique(np.concatenate([window.times for window in self.windows]))

    @property
    def rows(self) -> int:
        """Cross-correlation rows that are imaged."""
        return sum(int(window.rows_per_time.sum()) for window in self.windows)

    @property
    def spectral_frame(self) -> str:
        """Of the frequencies, as FITS calls it (SPECSYS); empty where windows differ."""
        frames = {window.spectral_frame for window in self.windows}
        return frames.pop() if len(frames) == 1 else ""

    @property
    def origin(self) -> str:
        """``generated data``, if this package made the visibilities; else nothing."""
        return "generated data" if self.responsible.project == SIMULATED else ""


def folders(fields: Sequence[Observation]) -> tuple[str, ...]:
    """Names of folders for several fields: their own, as far as a folder can have them.

    Where two would have the same, or one has none, all have their numbers in front.

    >>> from types import SimpleNamespace as Field
    >>> folders([Field(field=0, object_name="3C 391"), Field(field=2, object_name="J1331+3030")])
    ('3C_391', 'J1331+3030')
    >>> folders([Field(field=0, object_name="M 31"), Field(field=2, object_name="M/31")])
    ('0_M_31', '2_M_31')
    """
    names = [re.sub(r"[^\w+.-]", "_", each.object_name, flags=re.ASCII) for each in fields]
    names = [name.lstrip(".") for name in names]
    if all(names) and len({name.lower() for name in names}) == len(names):
        return tuple(names)
    return tuple(
        f"{each.field}_{name}".rstrip("_") for each, name in zip(fields, names, strict=True)
    )
