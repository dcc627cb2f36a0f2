"""CLEAN components: a model that is zero nearly everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image


@dataclass(frozen=True)
class Components:
    """Point sources on pixels, each pixel once, by row and then column.

    Attributes
    ----------
    row, column : ndarray of int64, shape (n,)
    flux : ndarray of float64, shape (n,)
        Jy; negative ones are allowed.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    flux: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.flux)

    def __add__(self, other: Self) -> Components:
        """Fluxes of the same pixel are added in the order of the terms."""
        row = np.concatenate([self.row, other.row])
        column = np.concatenate([self.column, other.column])
        flux = np.concatenate([self.flux, other.flux])
        order = np.lexsort((column, row))  # stable: the first term's flux comes first
        row, column, flux = row[order], column[order], flux[order]
        new = np.ones(len(row), bool)
        new[1:] = (np.diff(row) != 0) | (np.diff(column) != 0)
        total = np.zeros(np.count_nonzero(new))
        np.add.at(total, np.cumsum(new) - 1, flux)
        return Components(row[new], column[new], total)

    def within(self, start: int, stop: int) -> Components:
        """Those in columns ``start:stop`` of the image, counted from ``start``."""
        inside = (self.column >= start) & (self.column < stop)
        return Components(self.row[inside], self.column[inside] - start, self.flux[inside])

    def lines(self, rows: int, kind: type) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """The columns with components, rising, and the model in them: shapes (n,), (rows, n)."""
        used, place = np.unique(self.column, return_inverse=True)
        columns: NDArray[Any] = np.zeros((rows, len(used)), kind)
        columns[self.row, place] = self.flux
        return used, columns

    def dense(self, rows: int, columns: int) -> Image:
        """The model as an image, Jy/pixel."""
        model = np.zeros((rows, columns))
        model[self.row, self.column] = self.flux
        return model


def none() -> Components:
    """A model of nothing."""
    pixels = np.zeros(0, np.int64)
    return Components(pixels, pixels, np.zeros(0))


def of(model: Image) -> Components:
    """The pixels of a model image, Jy/pixel, that are not zero."""
    row, column = np.nonzero(model)
    return Components(row, column, model[row, column].astype(np.float64))
