"""A small view of a large image: the strongest pixel of every square, and one pixel of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 256
"""Squares along a side, at most."""


@dataclass(frozen=True)
class Preview:
    """Columns of squares of an image, or all of them.

    Attributes
    ----------
    first : int
        Number of the first column of squares.
    strongest : ndarray of float32, shape (rows, columns)
        The pixel of each square that is farthest from 0: no source is lost, and noise looks
        higher than it is.
    sample : ndarray of float32, shape (rows, columns)
        One pixel of each, for the noise; of a square that is cut, it is in one part.
    """

    first: int
    strongest: NDArray[np.float32]
    sample: NDArray[np.float32]

    def __add__(self, other: Self) -> Preview:
        """Of two neighbours, which may share a column of squares."""
        mine, more = self.strongest, other.strongest
        if other.first < self.first + mine.shape[1]:
            shared = _stronger(mine[:, -1:], more[:, :1])
            mine, more = np.hstack([mine[:, :-1], shared]), more[:, 1:]
        return Preview(self.first, np.hstack([mine, more]), np.hstack([self.sample, other.sample]))


def preview(columns: NDArray[Any], start: int = 0, *, side: int = SIDE) -> Preview:
    """The small view of some columns of a square image.

    Parameters
    ----------
    columns : ndarray, shape (npix, n)
        Jy/beam.
    start : int
        Number of the first of them in the image.
    side : int
        Squares along a side, at most.
    """
    npix, width = columns.shape
    step = -(-npix // side)
    first = start // step
    left = np.maximum(np.arange(first, (start + width - 1) // step + 1) * step - start, 0)
    rows = np.arange(0, npix, step)
    highest = np.maximum.reduceat(np.maximum.reduceat(columns, rows, axis=0), left, axis=1)
    lowest = np.minimum.reduceat(np.minimum.reduceat(columns, rows, axis=0), left, axis=1)
    sample = columns[::step, -start % step :: step]
    return Preview(first, _stronger(highest, lowest), np.asarray(sample, np.float32))


def _stronger(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    """Of each two numbers the one that is farther from 0."""
    return np.asarray(np.where(np.abs(a) >= np.abs(b), a, b), np.float32)
