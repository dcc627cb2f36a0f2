"""CLEAN components: a model that is zero nearly everywhere, in one plane or several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from spectrum_workflows.radio.deconvolution.patches import add_patches
from spectrum_workflows.radio.deconvolution.scales import reach, shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image


@dataclass(frozen=True)
class Components:
    """Sources on pixels, each pixel and scale once, by row, column and scale.

    Attributes
    ----------
    row, column : ndarray of int64, shape (n,)
    flux : ndarray of float64, shape (n, nplane)
        Jy; negative ones are allowed.
    scale : ndarray of float64, shape (n,), or None
        Diameter of each in pixels, see `scales.shape`, 0 for a point; None where all are points.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    flux: NDArray[np.float64]
    scale: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.flux)

    def __add__(self, other: Self) -> Components:
        """Fluxes of the same pixel and scale are added in the order of the terms."""
        row = np.concatenate([self.row, other.row])
        column = np.concatenate([self.column, other.column])
        flux = np.concatenate([self.flux, other.flux])
        points = self.scale is None and other.scale is None
        scale = np.zeros(0) if points else np.concatenate([self.diameters, other.diameters])
        keys = (column, row) if points else (scale, column, row)
        order = np.lexsort(keys)  # stable: the first term's flux comes first
        new = np.ones(len(row), bool)
        new[1:] = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
        total = np.zeros((np.count_nonzero(new), flux.shape[1]))
        np.add.at(total, np.cumsum(new) - 1, flux[order])
        kept = order[new]
        return Components(row[kept], column[kept], total, None if points else scale[kept])

    @property
    def diameters(self) -> NDArray[np.float64]:
        """The scale of each in pixels, 0 for a point."""
        return np.zeros(len(self)) if self.scale is None else self.scale

    def by_scale(self) -> Iterator[tuple[float, Components]]:
        """The components of each diameter, rising, which are otherwise as points."""
        if self.scale is None:
            yield 0.0, self
            return
        for diameter in np.unique(self.scale):
            own = self.scale == diameter
            yield float(diameter), Components(self.row[own], self.column[own], self.flux[own])

    def within(self, start: int, stop: int) -> Components:
        """The model in columns ``start:stop`` of the image, counted from ``start``, as points.

        Extended components are drawn: each pixel that they cover is a point.
        """
        if self.scale is None:
            inside = (self.column >= start) & (self.column < stop)
            return Components(self.row[inside], self.column[inside] - start, self.flux[inside])
        margin = np.array([reach(diameter) for diameter in self.scale], np.int64)
        near = (self.column + margin >= start) & (self.column - margin < stop)
        if not near.any():
            return none(self.planes)
        own = Components(self.row[near], self.column[near], self.flux[near], self.scale[near])
        rows = int((own.row + margin[near]).max()) + 1
        return of(*own._drawn(rows, start, stop))

    @property
    def planes(self) -> int:
        """Number of planes."""
        return int(self.flux.shape[1])

    def plane(self, number: int) -> Components:
        """The model of one plane, counted among its own."""
        return replace(self, flux=self.flux[:, number : number + 1])

    def lines(self, rows: int, kind: type) -> tuple[NDArray[np.int64], tuple[NDArray[Any], ...]]:
        """The columns with points, rising, and in each plane the model in them.

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
        return self._drawn(rows, 0, columns)

    def _drawn(self, rows: int, start: int, stop: int) -> tuple[Image, ...]:
        """Columns of the model in every plane: points, then ever larger components."""
        planes = tuple(np.zeros((rows, stop - start)) for _ in range(self.planes))
        for diameter, every in self.by_scale():
            own = every.within(start, stop) if diameter == 0 else every
            for model, flux in zip(planes, own.flux.T, strict=True):
                if diameter == 0:
                    model[own.row, own.column] = flux
                else:
                    where = own.row, own.column - start
                    add_patches(model, *where, np.ascontiguousarray(flux), shape(diameter))
        return planes


def none(planes: int) -> Components:
    """A model of nothing."""
    pixels = np.zeros(0, np.int64)
    return Components(pixels, pixels, np.zeros((0, planes)))


def of(*models: Image) -> Components:
    """The pixels of model images, one for every plane, Jy/pixel, that are not zero in all."""
    row, column = np.nonzero(np.any([model != 0 for model in models], axis=0))
    flux = np.stack([model[row, column].astype(np.float64) for model in models], axis=1)
    return Components(row, column, flux)
