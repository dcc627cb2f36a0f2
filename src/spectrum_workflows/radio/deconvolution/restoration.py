"""Restoration: components with the beam, plus what CLEAN left."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

from spectrum_workflows.radio.imaging.beam import draw_beam
from spectrum_workflows.radio.types import ARCSEC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.types import Beam, Image

REACH = 3.3
"""Half the side of a drawn beam in its FWHM: beyond, it is below 1e-13 of its peak."""


def restored(model: Components, residual: Image, beam: Beam, cell: float) -> Image:
    """The model of one plane convolved with the restoring beam, plus residual.

    Parameters
    ----------
    model : Components
        Of this plane only.
    residual : ndarray of float64, shape (npix, npix)
        Jy/beam; not changed.
    beam : Beam
    cell : float
        Pixel size, rad.

    Returns
    -------
    ndarray of float64, shape (npix, npix)
        Jy/beam.
    """
    reach = math.ceil(REACH * beam.bmaj * ARCSEC / cell)
    patch = draw_beam(beam, 2 * min(reach, residual.shape[0]) + 1, cell)
    image = residual.copy()
    _add_patches(image, model.row, model.column, np.ascontiguousarray(model.flux[:, 0]), patch)
    return image


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _add_patches(
    image: Image,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    flux: NDArray[np.float64],
    patch: Image,
) -> None:
    """Add a patch times a flux around every position, in their order."""
    rows, columns = image.shape
    reach = patch.shape[0] // 2
    for k in range(flux.shape[0]):
        top, left = row[k] - reach, column[k] - reach
        for y in range(max(top, 0), min(row[k] + reach + 1, rows)):
            for x in range(max(left, 0), min(column[k] + reach + 1, columns)):
                image[y, x] += flux[k] * patch[y - top, x - left]
