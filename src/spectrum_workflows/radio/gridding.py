"""From visibilities to images and back: two functions, each the other's adjoint.

The gridder is ducc0's (Arras, Reinecke, Westermann & Enßlin 2021, A&A 646,
A58), with the full w term.  The measurement equation is
V = Σ I exp(2πi (ul + vm + w(n-1)) ν/c) with the data's own uvw, and pixels are
not divided by n: so that images equal WSClean's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ducc0 import wgridder

from spectrum_workflows.radio.types import SINGLE_EPSILON, Geometry, Visibilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image


def gridded(data: Visibilities, geometry: Geometry) -> Image:
    """Weighted dirty image of one slab, not normalised.

    Parameters
    ----------
    data : Visibilities
        With imaging weights.
    geometry : Geometry

    Returns
    -------
    ndarray of float64, shape (npix, npix)
        Σ w Re(V exp(-2πi …)) at every pixel, in FITS orientation; to be divided
        by the sum of weights.
    """
    return _dirty(data, data.visibility, geometry)


def gridded_psf(data: Visibilities, geometry: Geometry) -> Image:
    """The same for a point source of 1 Jy at the phase centre: the PSF."""
    ones = np.broadcast_to(np.complex64(1), data.visibility.shape)
    return _dirty(data, ones, geometry)


def predicted(model: Image, data: Visibilities, geometry: Geometry) -> NDArray[np.complex64]:
    """Visibilities of a model image at the coordinates of ``data``.

    Parameters
    ----------
    model : ndarray, shape (npix, npix)
        Jy/pixel.
    data : Visibilities
        Only coordinates and weights are used; nothing is predicted where the
        weight is 0.
    geometry : Geometry

    Returns
    -------
    ndarray of complex64, shape (nrow, nchan)
        Jy.
    """
    single = _single(geometry)
    dirty = model.T.astype(np.float32 if single else np.float64)
    found = wgridder.dirty2vis(
        dirty=dirty,
        wgt=None,
        mask=(data.weight > 0).astype(np.uint8),
        **_options(data, geometry),
    )
    return np.asarray(found.astype(np.complex64, copy=False))


def _dirty(data: Visibilities, vis: NDArray[np.complex64], geometry: Geometry) -> Image:
    single = _single(geometry)
    image = wgridder.vis2dirty(
        vis=vis if single else vis.astype(np.complex128),
        wgt=data.weight if single else data.weight.astype(np.float64),
        npix_x=geometry.npix,
        npix_y=geometry.npix,
        **_options(data, geometry),
    )
    return np.ascontiguousarray(image.T, dtype=np.float64)


def _single(geometry: Geometry) -> bool:
    return geometry.epsilon >= SINGLE_EPSILON


def _options(data: Visibilities, geometry: Geometry) -> dict[str, Any]:
    """What both directions share; one thread, for the same bits everywhere."""
    return {
        "uvw": data.uvw,
        "freq": data.frequency,
        "pixsize_x": geometry.cell,
        "pixsize_y": geometry.cell,
        "epsilon": geometry.epsilon,
        "do_wgridding": True,
        "flip_v": True,
        "divide_by_n": False,
        "nthreads": 1,
    }
