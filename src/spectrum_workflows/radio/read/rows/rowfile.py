"""A file of rows as one value: what it says of itself, and how its rows are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Antennas


@dataclass(frozen=True)
class Band:
    """A spectral window with its correlations: what a Measurement Set calls a data description.

    Attributes
    ----------
    number : int
        Its place among the file's bands.
    setup : int
        The frequency setup of the rows that have it.
    name : str
    types : tuple of int
        Correlations by their number in a Measurement Set.
    frequency, width : ndarray of float64, shape (nchan,)
        Of the channels, Hz; widths are positive, and NaN where not known.
    frame : str
        Of the frequencies, as FITS calls it (SPECSYS); empty where not known.
    """

    number: int
    setup: int
    name: str
    types: tuple[int, ...]
    frequency: NDArray[np.float64]
    width: NDArray[np.float64]
    frame: str = ""


@dataclass(frozen=True)
class Field:
    """A field and its phase centre.

    Attributes
    ----------
    number : int
        Its place among the file's fields.
    name : str
    centre : tuple of float
        Right ascension and declination, rad.
    frame : str
        Of the phase centre, as FITS calls it (RADESYS).
    fault : str
        Why it cannot be imaged; empty where it can.
    remedy : str
    """

    number: int
    name: str
    centre: tuple[float, float]
    frame: str
    fault: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Identifiers:
    """Time, baseline, field and setup of every row, shape (nrow,) each.

    Attributes
    ----------
    time : ndarray of float64
        s of the Modified Julian Date.
    first, second : ndarray of int32
        Places of the antennas in the file's list of them.
    field : ndarray of int32
        Number of the field.
    setup : ndarray of int32
        Frequency setup.
    exposure : ndarray of float32
        s; NaN where the file does not say.
    """

    time: NDArray[np.float64]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    field: NDArray[np.int32]
    setup: NDArray[np.int32]
    exposure: NDArray[np.float32]


class RowContent(NamedTuple):
    """Some rows and channels of a band.

    Coordinates in m, shape (nrow, 3); data, flags and weights of shape (nrow, nchan, ncorr).
    The convention is that of Measurement Sets: a point source at (l, m) has the visibilities
    ``exp(2πi(ul + vm + w(n-1)))``, and a weight is an inverse variance.
    """

    uvw: NDArray[np.float64]
    data: NDArray[np.complex64]
    flag: NDArray[np.bool_]
    weight: NDArray[np.float32]


class Reading(Protocol):
    """A file that is open."""

    def uvw(self, start: int, stop: int) -> NDArray[np.float64]:
        """Baseline coordinates of consecutive rows, m, shape (n, 3)."""

    def block(self, start: int, stop: int, band: Band, channels: slice, hands: slice) -> RowContent:
        """Consecutive rows, some channels of a band, and some of its correlations."""

    def blocks(self, start: int, stop: int, bands: Sequence[Band]) -> Iterator[RowContent]:
        """Consecutive rows, all of each band, read together."""


@dataclass(frozen=True)
class RowFile:
    """A file of rows.

    Attributes
    ----------
    url, telescope : str
    bands : tuple of Band
    fields : tuple of Field
    antennas : Antennas
    rows : Identifiers
    longest : float
        Largest ``hypot(u, v)`` of all rows, m.
    identity : str
        What tells this content from another.
    stored_bytes : int
        Of one visibility of one correlation.
    weights : str
        What weights are called in it.
    reading : callable
        ``reading()``: a context in which its rows are read: a `Reading`.
    row_bytes : int
        Bytes that are read for one row.
    time_scale : str
        As FITS calls it (TIMESYS).
    notes : tuple of str
        What a user should know.
    about : dict
        Observer and project, as far as the file says them.
    """

    url: str
    telescope: str
    bands: tuple[Band, ...]
    fields: tuple[Field, ...]
    antennas: Antennas
    rows: Identifiers
    longest: float
    identity: str
    stored_bytes: int
    weights: str
    reading: Callable[[], AbstractContextManager[Reading]]
    row_bytes: int
    time_scale: str = "UTC"
    notes: tuple[str, ...] = ()
    about: dict[str, str] = field(default_factory=dict)
