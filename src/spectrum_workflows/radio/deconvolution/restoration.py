"""Restoration: components with the beam, plus what CLEAN left."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.deconvolution.convolution import spread
from spectrum_workflows.radio.deconvolution.patches import add_patches
from spectrum_workflows.radio.deconvolution.scales import shape
from spectrum_workflows.radio.imaging.beam import draw_beam
from spectrum_workflows.radio.types import ARCSEC

if TYPE_CHECKING:
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
    for diameter, own in model.by_scale():
        drawn = patch if diameter == 0 else spread(patch, shape(diameter))
        add_patches(image, own.row, own.column, np.ascontiguousarray(own.flux[:, 0]), drawn)
    return image
