"""What is converted, whatever its format: its words, its parts, and the cells of a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.convert.layout import Block
    from spectrum_workflows.radio.convert.parts import VisibilitySet
    from spectrum_workflows.radio.types import Antennas


@dataclass(frozen=True)
class SetWords:
    """What a set says of itself as a whole.

    Attributes
    ----------
    form : str
        Its format, in words.
    telescope, time_scale : str
    antennas : Antennas
    stations, mounts : tuple of str
        Of the antennas.
    observation, processor : dict
        ``observation_info`` and ``processor_info`` of the schema.
    longest : float
        Largest ``hypot(u, v)``, m.
    """

    form: str
    telescope: str
    time_scale: str
    antennas: Antennas
    stations: tuple[str, ...]
    mounts: tuple[str, ...]
    observation: dict[str, Any]
    processor: dict[str, str]
    longest: float


@dataclass(frozen=True)
class PartWords:
    """What a set says of one field and data description.

    Attributes
    ----------
    interval : float
        Between two times, s; NaN where it does not say.
    reference_hz : float
    scans : tuple of str
        The scan of every time.
    intents : tuple of str
    without_cross : tuple of int
        Places of the times at which there are autocorrelations only.
    """

    interval: float
    reference_hz: float
    scans: tuple[str, ...]
    intents: tuple[str, ...]
    without_cross: tuple[int, ...]


@dataclass(frozen=True)
class Origin:
    """A set that is converted.

    Attributes
    ----------
    stamp : str
        What tells this state of it from another.
    columns, left_out : tuple of str
        Data columns that are converted, and that are not.
    parts : callable
        ``parts(pieces)``: one `VisibilitySet` for each field and data description, the
        frequency axis in so many pieces.
    words : callable
        ``words()``: what holds for all of them.
    part_words : callable
        ``part_words(part)``
    filled : callable
        ``filled(part, block, names)``: name and values of some large arrays in a block, one
        after the other.
    """

    stamp: str
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    parts: Callable[[int], tuple[VisibilitySet, ...]]
    words: Callable[[], SetWords]
    part_words: Callable[[VisibilitySet], PartWords]
    filled: Callable[[VisibilitySet, Block, Sequence[str]], Iterator[tuple[str, NDArray[Any]]]]
