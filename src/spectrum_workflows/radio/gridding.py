"""From visibilities to images and back: two functions, each the other's adjoint.

The gridder is ducc0's (Arras, Reinecke, Westermann & Enßlin 2021, A&A 646,
A58), with the full w term.  The measurement equation is
V = Σ I exp(2πi (ul + vm + w(n-1)) ν/c) with the data's own uvw, and pixels are
not divided by n: so that images equal WSClean's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from ducc0 import wgridder

from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio.types import (
    SINGLE_EPSILON,
    SPEED_OF_LIGHT,
    Geometry,
    Pixels,
    Visibilities,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image


def invert(data: Visibilities | Sequence[Visibilities], geometry: Geometry) -> Image:
    """Weighted dirty image of one chunk, or of several together, not normalised.

    Parameters
    ----------
    data : Visibilities or sequence of Visibilities
        With imaging weights; of each window, if there are several.
    geometry : Geometry

    Returns
    -------
    ndarray of float64, shape (npix, npix)
        Σ w Re(V exp(-2πi …)) at every pixel, in FITS orientation; to be divided
        by the sum of weights.
    """
    windows = _windows(data)
    return _square(windows, [own.visibility for own in windows], geometry)


def invert_psf(data: Visibilities | Sequence[Visibilities], geometry: Geometry) -> Image:
    """The same for a point source of 1 Jy at the phase centre: the PSF."""
    windows = _windows(data)
    ones = [np.broadcast_to(np.complex64(1), own.visibility.shape) for own in windows]
    return _square(windows, ones, geometry)


def predict(model: Image, data: Visibilities, geometry: Geometry) -> NDArray[np.complex64]:
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
    return dirty2vis(model.T.astype(working_type(geometry.epsilon)), data, _pixels(geometry))


def invert_residual(
    data: Visibilities | Sequence[Visibilities], model: Image, geometry: Geometry
) -> Image:
    """Weighted dirty image of the data minus a model (Jy/pixel), not normalised; see `invert`."""
    windows, image = _windows(data), model.T.astype(working_type(geometry.epsilon))
    left = dirty2windows(image, windows, _pixels(geometry))
    for own, seen in zip(windows, left, strict=True):
        np.subtract(own.visibility, seen, out=seen)
    return _square(windows, left, geometry)


def vis2dirty(data: Visibilities, vis: NDArray[np.complex64], pixels: Pixels) -> NDArray[Any]:
    """Weighted sum of some visibilities on any grid of pixels.

    Parameters
    ----------
    data : Visibilities
        Coordinates and weights.
    vis : ndarray of complex64, shape (nrow, nchan)
    pixels : Pixels
        Coarser ones than the data resolve sample the same image: the gridder
        folds u modulo 1 / width.

    Returns
    -------
    ndarray, shape (columns, rows)
        In the precision of `working_type`; columns are RA going down.
    """
    single = working_type(pixels.epsilon) is np.float32
    with _gridder_errors():
        return np.asarray(
            wgridder.vis2dirty(
                vis=vis if single else vis.astype(np.complex128),
                wgt=data.weight if single else data.weight.astype(np.float64),
                npix_x=pixels.columns,
                npix_y=pixels.rows,
                **_options(data, pixels),
            )
        )


def dirty2vis(image: NDArray[Any], data: Visibilities, pixels: Pixels) -> NDArray[np.complex64]:
    """The adjoint of `vis2dirty` with weights of 1; nothing where the weight is 0.

    Parameters
    ----------
    image : ndarray, shape (columns, rows)
        Jy/pixel, in the precision of `working_type`.
    data : Visibilities
        Only coordinates and weights are used.
    pixels : Pixels
    """
    with _gridder_errors():
        visibilities = wgridder.dirty2vis(
            dirty=image,
            wgt=None,
            mask=(data.weight > 0).astype(np.uint8),
            **_options(data, pixels),
        )
    return np.asarray(visibilities.astype(np.complex64, copy=False))


def windows2dirty(
    parts: Sequence[Visibilities], vis: Sequence[NDArray[np.complex64]], pixels: Pixels
) -> NDArray[Any]:
    """`vis2dirty` of several windows, which have frequencies of their own, together.

    In one call, which transforms once, where the gridder takes a list of frequencies per row;
    else in one call for each.

    Parameters
    ----------
    parts : sequence of Visibilities
        One at least; coordinates and weights of each window.
    vis : sequence of ndarray of complex64, shape (nrow, nchan)
        Of each window.
    pixels : Pixels
    """
    packed = _packed_call("vis2dirty_bda")
    if len(parts) == 1 or packed is None:
        images = (vis2dirty(own, values, pixels) for own, values in zip(parts, vis, strict=True))
        return sum(images, start=next(images))
    single = working_type(pixels.epsilon) is np.float32
    with _gridder_errors():
        return np.asarray(
            packed(
                vis=_flat(vis, np.complex64 if single else np.complex128),
                wgt=_flat([own.weight for own in parts], np.float32 if single else np.float64),
                npix_x=pixels.columns,
                npix_y=pixels.rows,
                **_packed_options(parts, pixels),
            )
        )


def dirty2windows(
    image: NDArray[Any], parts: Sequence[Visibilities], pixels: Pixels
) -> tuple[NDArray[np.complex64], ...]:
    """The adjoint of `windows2dirty` with weights of 1; nothing where the weight is 0.

    Parameters
    ----------
    image : ndarray, shape (columns, rows)
        Jy/pixel, in the precision of `working_type`.
    parts : sequence of Visibilities
        One at least; only coordinates and weights are used.
    pixels : Pixels

    Returns
    -------
    tuple of ndarray of complex64, shape (nrow, nchan)
        Of each window, Jy.
    """
    packed = _packed_call("dirty2vis_bda")
    if len(parts) == 1 or packed is None:
        return tuple(dirty2vis(image, own, pixels) for own in parts)
    with _gridder_errors():
        flat = packed(
            dirty=image,
            mask=_flat([own.weight > 0 for own in parts], np.uint8),
            **_packed_options(parts, pixels),
        )
    ends = np.cumsum([own.weight.size for own in parts])
    pieces = np.split(flat.astype(np.complex64, copy=False), ends[:-1])
    return tuple(piece.reshape(own.weight.shape) for piece, own in zip(pieces, parts, strict=True))


def _packed_call(name: str) -> Callable[..., NDArray[Any]] | None:
    """A call of the gridder that takes a list of frequencies per row, if this gridder has it."""
    return getattr(getattr(wgridder, "experimental", None), name, None)


def _packed_options(parts: Sequence[Visibilities], pixels: Pixels) -> dict[str, Any]:
    """`_options` for such a call: list n for the rows of part n."""
    rows = [len(own.uvw) for own in parts]
    options = _options(parts[0], pixels) | {
        "uvw": np.concatenate([own.uvw for own in parts]),
        "freqlist_id": np.repeat(np.arange(len(parts), dtype=np.uint64), rows),
        "freqlist_nfreqs": np.array([len(own.frequency) for own in parts], np.uint64),
        "freqlist_freqs": np.concatenate([own.frequency for own in parts]),
        "do_wgridding": any(_needs_w(own, pixels) for own in parts),
    }
    del options["freq"]
    return options


def _flat(arrays: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    """Arrays of several windows, row after row; not copied where they lie so, or are constant."""
    if all(array.size and not any(array.strides) for array in arrays):
        first, *others = [array.flat[0] for array in arrays]
        if all(value == first for value in others):
            return np.broadcast_to(np.asarray(first, kind), sum(array.size for array in arrays))
    whole = arrays[0].base
    if isinstance(whole, np.ndarray) and whole.dtype == kind and _fill(arrays, whole):
        return whole
    return np.concatenate([array.ravel() for array in arrays], dtype=kind, casting="unsafe")


def _fill(arrays: Sequence[NDArray[Any]], whole: NDArray[Any]) -> bool:
    """Whether arrays are views of a flat one that fill it in their order."""
    starts = whole.ctypes.data + np.cumsum([0, *(array.nbytes for array in arrays)])
    return (
        whole.ndim == 1
        and whole.ctypes.data + whole.nbytes == starts[-1]
        and all(
            array.dtype == whole.dtype and array.flags.c_contiguous and array.ctypes.data == start
            for array, start in zip(arrays, starts[:-1].tolist(), strict=True)
        )
    )


@contextmanager
def _gridder_errors() -> Iterator[None]:
    """The gridder's one limit that depends on the data, as an error of ours.

    Raises
    ------
    SpecError
        Between nearest and farthest data lie more w planes than it can count.
    """
    try:
        yield
    except RuntimeError as error:
        if "too many w planes" not in str(error):
            raise
        message = "the data need more w planes than the gridder has (65,536) in so wide a field"
        remedy = "choose smaller or fewer pixels: are the units right?"
        raise SpecError(message, "image.cell_arcsec", remedy) from None


def working_type(epsilon: float) -> type[np.float32 | np.float64]:
    """Single precision as long as that allows the accuracy."""
    return np.float32 if epsilon >= SINGLE_EPSILON else np.float64


def _windows(data: Visibilities | Sequence[Visibilities]) -> Sequence[Visibilities]:
    return (data,) if isinstance(data, Visibilities) else data


def _square(
    windows: Sequence[Visibilities], vis: Sequence[NDArray[np.complex64]], geometry: Geometry
) -> Image:
    image = windows2dirty(windows, vis, _pixels(geometry))
    return np.ascontiguousarray(image.T, dtype=np.float64)


def _pixels(geometry: Geometry) -> Pixels:
    npix, cell = geometry.npix, geometry.cell
    return Pixels(npix, npix, cell, cell, geometry.epsilon)


def _options(data: Visibilities, pixels: Pixels) -> dict[str, Any]:
    """What both directions share; one thread, for the same bits everywhere.

    Where the w term changes no phase, it is left out: in fields of a few microarcseconds
    the gridder cannot tell n from 1, divides by the difference, and gives nothing finite.
    """
    return {
        "uvw": data.uvw,
        "freq": data.frequency,
        "pixsize_x": pixels.width,
        "pixsize_y": pixels.height,
        "epsilon": pixels.epsilon,
        "do_wgridding": _needs_w(data, pixels),
        "flip_v": True,
        "divide_by_n": False,
        "nthreads": 1,
    }


def _needs_w(data: Visibilities, pixels: Pixels) -> bool:
    """Whether the phase 2π w (n - 1) reaches a tenth of the accuracy anywhere in the image."""
    half = (pixels.columns * pixels.width / 2) ** 2 + (pixels.rows * pixels.height / 2) ** 2
    if half >= 1:
        return True
    depth = half / (1 + np.sqrt(1 - half))
    w = np.abs(data.uvw[:, 2]).max(initial=0.0) * np.abs(data.frequency).max(initial=0.0)
    return not 2 * np.pi * depth * w / SPEED_OF_LIGHT < pixels.epsilon / 10
