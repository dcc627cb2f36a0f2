"""A reader: what is known of one format of visibilities, as one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from spectrum_workflows.radio.spec import SelectSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.choices import Named
    from spectrum_workflows.radio.read.inventory import Inventory
    from spectrum_workflows.radio.types import Chunk, Hands, Observation, Visibilities

Name = int | str
"""A row of a subtable, or the name that stands in it."""


class Choice(Protocol):
    """What is read of a set that may hold several of a kind: a spec, or a `Chosen`."""

    @property
    def column(self) -> str:
        """Visibilities, by their name in a Measurement Set."""

    @property
    def field(self) -> Name | tuple[Name, ...] | None:
        """Row of the FIELD table or its name, some, or ``all``; needed where there are several."""

    @property
    def spectral_window(self) -> Name | tuple[Name, ...] | None:
        """Rows of the SPECTRAL_WINDOW table or their names, or ``all``."""

    @property
    def data_description(self) -> int | None:
        """Row of the DATA_DESCRIPTION table, in place of a spectral window."""

    @property
    def hands(self) -> Hands:
        """Parallel hands that Stokes I is made of."""

    @property
    def select(self) -> SelectSpec:
        """Channels, times, scans, antennas, baselines and uv range."""


ALL = SelectSpec()
"""Everything."""


@dataclass(frozen=True)
class Chosen:
    """A `Choice` without a spec around it."""

    column: str = "DATA"
    field: Name | tuple[Name, ...] | None = None
    spectral_window: Name | tuple[Name, ...] | None = None
    data_description: int | None = None
    hands: Hands = "both"
    select: SelectSpec = ALL


@dataclass(frozen=True)
class Reader:
    """Reader of one format: how its sets are recognised and read.

    Attributes
    ----------
    name : str
        Of the format.
    remote : bool
        Whether it reads sets that are not on this file system.
    locate : callable
        ``locate(stem)``: the URL of the set whose name, without suffix, is given; ``None``
        where there is none in this format.
    recognises : callable
        ``recognises(url)``: whether the set there is in this format.
    describe : callable
        ``describe(choice, url)``: everything about a set but its visibilities.  Raises
        `DataError` where it cannot be imaged, `SpecError` where more must be chosen.
    fields : callable
        ``fields(url)``: the fields that occur in the data, rising.
    coordinates : callable
        ``coordinates(chunk)``: baseline coordinates (m) of a chunk's rows, in any order, and
        its frequencies (Hz).
    inventory : callable
        ``inventory(url)``: everything that a set says of itself, whether it can be imaged or
        not, and its rows.
    read : callable
        ``read(chunk)``: Stokes I, rows in (time, antenna1, antenna2) order, with the time
        and the antennas of each.  Rows and hands are those of the chunk's selection; its uv
        range is left to the caller.
    """

    name: str
    remote: bool
    locate: Callable[[str], str | None]
    recognises: Callable[[str], bool]
    describe: Callable[[Choice, str], Observation]
    fields: Callable[[str], Sequence[Named]]
    coordinates: Callable[[Chunk], tuple[NDArray[np.float64], NDArray[np.float64]]]
    inventory: Callable[[str], Inventory]
    read: Callable[[Chunk], Visibilities]
