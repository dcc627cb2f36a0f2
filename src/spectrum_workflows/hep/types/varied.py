"""Objects under many variations at once, as a selection may take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class VariedBlock:
    """Objects of some neighbouring events, under all variations.

    Attributes
    ----------
    start, stop : int
        Events ``start <= event < stop``, counted from 0 in what the selection is given.
    changed : mapping of str to ndarray, shape (n_items, n_variations)
        Columns of these events' items, one after the other, that vary; and of events, of shape
        (n_events, n_variations): the missing momentum.  The memory is used again for the next
        block.
    """

    start: int
    stop: int
    changed: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class VariedObjects:
    """All events under all variations, block by block.

    Attributes
    ----------
    number : int
        Of variations.
    blocks : callable
        ``blocks(items=None)``: an iterator of VariedBlock, in the order of events, without gap.
        ``items``, a mask of shape (n_items,), says which of all objects are looked at: the others
        are in no block, as if their events did not have them.  Not where the missing momentum
        follows the objects.
    """

    number: int
    blocks: Callable[..., Iterator[VariedBlock]]
