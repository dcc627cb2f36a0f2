"""Luminosity blocks that were read, and the luminosity that they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Blocks:
    """Luminosity blocks of some files, and how many of their events were read.

    Attributes
    ----------
    place : ndarray of int64, shape (n_blocks,)
        ``run * 2**32 + luminosity block``, rising.
    events, read : ndarray of int64, shape (n_blocks,)
        Events of the block in the files, and those of them that were read.
    listed : bool
        Whether all files list blocks without events, too.
    """

    place: NDArray[np.int64]
    events: NDArray[np.int64]
    read: NDArray[np.int64]
    listed: bool = True

    def __add__(self, other: Blocks) -> Blocks:
        """Two parts of one file: the same blocks, of which more was read."""
        return Blocks(self.place, self.events, self.read + other.read, self.listed)

    def beside(self, other: Blocks) -> Blocks:
        """Those of two files; a block may be in both."""
        place, where = np.unique(np.concatenate([self.place, other.place]), return_inverse=True)
        events, read = np.zeros((2, len(place)), np.int64)
        np.add.at(events, where, np.concatenate([self.events, other.events]))
        np.add.at(read, where, np.concatenate([self.read, other.read]))
        return Blocks(place, events, read, self.listed and other.listed)


@dataclass(frozen=True)
class ProcessedLuminosity:
    """The luminosity of the data that was processed.

    Attributes
    ----------
    processed : float
        In 1/pb.  Of a block that was read in part its share of events counts.
    certified : float
        In 1/pb: all certified blocks of the table.
    blocks, parts, unlisted : int
        Certified blocks that were read; those of which some events are lost; and those that the
        table does not have, which count nothing.
    """

    processed: float
    certified: float
    blocks: int
    parts: int = 0
    unlisted: int = 0
