"""CLEAN components: a model that is zero nearly everywhere, in one plane or several."""

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
    flux : ndarray of float64, shape (n, nplane)
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
        total = np.zeros((np.count_nonzero(new), flux.shape[1]))
        np.add.at(total, np.cumsum(new) - 1, flux)
        return Components(row[new], column[new], total)

    def within(self, start: int, stop: int) -> Components:
        """Those in columns ``start:stop`` of the image, counted from ``start``."""
        inside = (self.column >= start) & (self.column < stop)
        return Components(self.row[inside], self.column[inside] - start, self.flux[inside])

    @property
    def planes(self) -> int:
        """Number of planes."""
        return int(self.flux.shape[1])

    def plane(self, number: int) -> Components:
        """The model of one plane, counted among its own."""
        return Components(self.row, self.column, self.flux[:, number : number + 1])

    def lines(self, rows: int, kind: type) -> tuple[NDArray[np.int64], tuple[NDArray[Any], ...]]:
        """The columns with components, rising, and in each plane the model in them.

        Returns
        -------
        used : ndarray of int64, shape (n,)
        columns : tuple of ndarray, shape (rows, n)
        """
        used, place = np.unique(self.column, return_inverse=True)
        planes: list[NDArray[Any]] = []
        for flux in self.flux.T:
            columns: NDArray[Any] = np.zeros((rows, len(used)), kind)
            columns[self.row, place] = flux
            planes.append(columns)
        return used, tuple(planes)

    def dense(self, rows: int, columns: int) -> tuple[Image, ...]:
        """The model as an image of every plane, Jy/pixel."""
        planes = []
        for flux in self.flux.T:
            model = np.zeros((rows, columns))
            model[self.row, self.column] = flux
            planes.append(model)
        return tuple(planes)


def none(planes: int) -> Components:
    """A model of nothing."""
    pixels = np.zeros(0, np.int64)
    return Components(pixels, pixels, np.zeros((0, planes)))


def of(*models: Image) -> Components:
    """The pixels of model images, one for every plane, Jy/pixel, that are not zero in all."""
    row, column = np.nonzero(np.any([model != 0 for model in models], axis=0))
    flux = np.stack([model[row, column].astype(np.float64) for model in models], axis=1)
    return Components(row, column, flux)
