"""The model that CLEAN has found, as a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ComponentList:
    """The components of one plane, by row, column and scale.

    Attributes
    ----------
    row, column : ndarray of int64, shape (n,)
        Pixels of the image, from 0.
    diameter : ndarray of float64, shape (n,)
        Of extended components, arcsec; 0 for a point.
    flux : ndarray of float64, shape (n,)
        Jy.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    diameter: NDArray[np.float64]
    flux: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.flux)
