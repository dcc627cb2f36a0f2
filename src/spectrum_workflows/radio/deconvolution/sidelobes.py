"""Sidelobes of components, by blocks of columns: a convolution that no process holds whole.

A two-dimensional Fourier transform is one along the columns, an exchange, and one along the rows.
Blocks of columns of the image are transformed along the columns, those without components left
out; *bands* of the columns' frequencies are then transformed along the rows, multiplied with the
PSF's, and go the same way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from spectrum_workflows.radio.deconvolution.convolution import padded_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.components import Components


@dataclass(frozen=True)
class TransformBand:
    """A partition of the padded image's frequencies along its columns: ``start:stop``."""

    start: int
    stop: int
    side: int

    @property
    def size(self) -> int:
        """Frequencies, along both axes."""
        return (self.stop - self.start) * self.side

    @property
    def where(self) -> str:
        """The band in words."""
        return f"frequencies {self.start}:{self.stop} of {self.side // 2 + 1}"


@dataclass(frozen=True)
class Lines:
    """Some columns of the padded image, transformed, and where they are.

    Attributes
    ----------
    column : ndarray of int64, shape (n,)
    value : ndarray of complex, shape (frequencies, n)
    """

    column: NDArray[np.int64]
    value: NDArray[Any]


def bands(npix: int, count: int) -> tuple[TransformBand, ...]:
    """Nearly equal bands for images of npix × npix pixels."""
    side = padded_side(npix)
    ends = np.linspace(0, side // 2 + 1, count + 1).round().astype(int).tolist()
    return tuple(TransformBand(start, stop, side) for start, stop in pairwise(ends))


def component_lines(
    model: Components, start: int, rows: int, into: Sequence[TransformBand], kind: type
) -> tuple[tuple[Lines, ...], ...]:
    """Components within a block of columns, transformed, in pieces for the bands.

    Of every plane.

    Parameters
    ----------
    model : Components
        With columns counted from ``start``, the block's first.
    start, rows : int
        First column of the block; rows of the image.
    into : sequence of Band
    kind : type
        float32 or float64.
    """
    used, planes = model.lines(rows, kind)
    return tuple(_pieces(columns, start + used, into) for columns in planes)


def kernel_lines(
    kernel: NDArray[Any], start: int, into: Sequence[TransformBand]
) -> tuple[Lines, ...]:
    """Columns of a kernel whose origin is (npix // 2, npix // 2), in pieces for the bands."""
    rows, count = kernel.shape
    side, half = into[0].side, rows // 2
    centred = np.zeros((side, count), kernel.dtype)
    centred[: rows - half] = kernel[half:]
    centred[side - half :] = kernel[:half]
    return _pieces(centred, (start + np.arange(count) - half) % side, into)


def image_lines(
    columns: NDArray[Any], start: int, into: Sequence[TransformBand]
) -> tuple[Lines, ...]:
    """Columns of an image from number ``start`` on, in pieces for the bands."""
    return _pieces(columns, start + np.arange(columns.shape[1]), into)


def _pieces(
    columns: NDArray[Any], where: NDArray[np.int64], into: Sequence[TransformBand]
) -> tuple[Lines, ...]:
    """Columns transformed along themselves and cut into bands."""
    side = into[0].side
    if not len(where):
        empty = np.zeros((side // 2 + 1, 0), np.result_type(columns, np.complex64))
        return tuple(Lines(where, empty[band.start : band.stop]) for band in into)
    value = scipy.fft.rfft(columns, n=side, axis=0, workers=1)
    return tuple(Lines(where, value[band.start : band.stop].copy()) for band in into)


def transformed(pieces: Sequence[Lines], band: TransformBand) -> NDArray[Any]:
    """A band of the two-dimensional transform from the pieces of all blocks.

    Returns
    -------
    ndarray of complex, shape (band.stop - band.start, band.side)
    """
    value = np.zeros((band.stop - band.start, band.side), pieces[0].value.dtype)
    for piece in pieces:
        value[:, piece.column] = piece.value
    return np.asarray(scipy.fft.fft(value, axis=1, overwrite_x=True, workers=1))


def convolved_rows(
    pieces: Sequence[Lines], kernel: NDArray[Any], band: TransformBand
) -> NDArray[Any]:
    """A band of the convolution, back along the rows; shape (frequencies, band.side)."""
    product = transformed(pieces, band)
    product *= kernel
    return back_along_rows(product)


def back_along_rows(product: NDArray[Any]) -> NDArray[Any]:
    """A band, which may be overwritten, back along the rows; shape (frequencies, band.side)."""
    return np.asarray(scipy.fft.ifft(product, axis=1, overwrite_x=True, workers=1))


def columns_of(pieces: Sequence[NDArray[Any]], side: int, npix: int) -> NDArray[Any]:
    """A block of columns of the convolved image from the pieces of all bands."""
    joined = np.concatenate(pieces)
    padded = np.asarray(scipy.fft.irfft(joined, n=side, axis=0, overwrite_x=True, workers=1))
    return padded[:npix].copy()  # a view would keep the padding
