"""Masks: the pixels in which CLEAN may put components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelMask:
    """A mask of an image, small enough to go to every worker: a bit per pixel.

    Attributes
    ----------
    npix : int
        Side of the image.
    bits : ndarray of uint8, shape (npix, ceil(npix / 8))
        Of every column the pixels from the first row on.
    """

    npix: int
    bits: NDArray[np.uint8]

    def columns(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Columns ``start:stop``, shape (npix, stop - start)."""
        return np.unpackbits(self.bits[start:stop], axis=1, count=self.npix).T.astype(bool)

    @property
    def pixels(self) -> int:
        """How many pixels are in the mask."""
        return int(np.unpackbits(self.bits, axis=1, count=self.npix).sum(dtype=np.int64))


def pixel_mask(allowed: NDArray[np.bool_]) -> PixelMask:
    """The mask of a square image that is true in some pixels."""
    return PixelMask(allowed.shape[0], np.packbits(allowed.T, axis=1))
