"""Everything that a set says of itself, and its rows in blocks, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Antennas


@dataclass(frozen=True)
class ListedField:
    """A field: number, name, phase centre (rad), the frame of that, and why it is not imaged."""

    number: int
    name: str
    centre: tuple[float, float]
    frame: str
    fault: str = ""


@dataclass(frozen=True)
class ListedWindow:
    """A data description: its channels (Hz), their frame, and its correlations by name."""

    number: int
    name: str
    frequency: NDArray[np.float64]
    width: NDArray[np.float64]
    frame: str
    correlations: tuple[str, ...]


@dataclass(frozen=True)
class RowBlock:
    """Some rows of one data description, in any order.

    Attributes
    ----------
    window : int
        Number of the data description.
    field, first, second : ndarray of int64, shape (nrow,)
        Numbers of the field and of the antennas.
    time : ndarray of float64, shape (nrow,)
        s of the Modified Julian Date.
    uvw : ndarray of float64, shape (nrow, 3)
        m.
    flagged : ndarray of int64, shape (nrow,)
        Flagged values among the channels and correlations of each row.
    scan : ndarray of int64, shape (nrow,), or None
        Number of the scan.
    """

    window: int
    field: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    time: NDArray[np.float64]
    uvw: NDArray[np.float64]
    flagged: NDArray[np.int64]
    scan: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Inventory:
    """A set as it describes itself.

    Attributes
    ----------
    telescope, observer, project : str
        Empty where it does not say.
    columns : tuple of str
        Data columns, by their names in a Measurement Set.
    fields : tuple of ListedField
    windows : tuple of ListedWindow
    antennas : Antennas
    time_scale : str
        As FITS calls it (TIMESYS).
    blocks : callable
        ``blocks()``: all rows, block by block, each read when it is asked for.
    notes : tuple of str
    """

    telescope: str
    observer: str
    project: str
    columns: tuple[str, ...]
    fields: tuple[ListedField, ...]
    windows: tuple[ListedWindow, ...]
    antennas: Antennas
    time_scale: str
    blocks: Callable[[], Iterator[RowBlock]]
    notes: tuple[str, ...] = ()
