"""An image among axes, in pixels: no more of them are coloured than a picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Normalize
    from matplotlib.image import AxesImage

    from spectrum_workflows.radio.types import Image

SIDE = 1024
"""Pixels of a side that a picture has at most: larger images are cut into blocks of pixels."""


def draw_image(
    axes: Axes,
    image: Image,
    *,
    sparse: bool = False,
    norm: Normalize | None = None,
    **style: Any,
) -> AxesImage:
    """The image, the first pixel at the lower left and centred on (0, 0).

    Of a block of pixels the mean is drawn, not that of its colours, and 4096² pixels take a tenth
    of the memory; of a ``sparse`` image, such as a model of points, the strongest pixel.  A
    ``norm`` has its limits: given to matplotlib at once, it would look for them in every pixel.
    """
    rows, columns = image.shape
    extent = (-0.5, columns - 0.5, -0.5, rows - 0.5)
    options = {"origin": "lower", "extent": extent, "interpolation_stage": "data"} | style
    drawn = axes.imshow(strongest(image) if sparse else averaged(image), **options)
    if norm is not None:
        drawn.set_norm(norm)
    return drawn


def add_colour_bar(drawn: AxesImage, **style: Any) -> Colorbar:
    """The scale of an image whose limits are given: they are not looked for in its pixels."""
    from matplotlib.cm import ScalarMappable

    scale = ScalarMappable(drawn.norm, drawn.cmap)
    return drawn.axes.figure.colorbar(scale, ax=drawn.axes, pad=0.02, **style)


def label_of(unit: str, image: Image, *, sparse: bool = False) -> str:
    """The unit, and what is drawn of blocks of pixels where there are any."""
    rows, columns = (_block(length) for length in image.shape)
    if rows == columns == 1:
        return unit
    return f"{unit}, {'strongest' if sparse else 'means'} of {rows} × {columns} pixels"


def averaged(image: Image) -> Image:
    """Means of blocks, as large as leave `SIDE` pixels and divide the image."""
    rows, columns = (_block(length) for length in image.shape)
    if rows == columns == 1:
        return image
    mean: Image = _blocks(image, rows, columns).mean(axis=(1, 3))
    return mean


def strongest(image: Image) -> Image:
    """Of every such block the pixel that is farthest from zero."""
    rows, columns = (_block(length) for length in image.shape)
    if rows == columns == 1:
        return image
    blocks = _blocks(image, rows, columns)
    high, low = blocks.max(axis=(1, 3)), blocks.min(axis=(1, 3))
    farthest: Image = np.where(high >= -low, high, low)
    return farthest


def _blocks(image: Image, rows: int, columns: int) -> Image:
    down, across = image.shape[0] // rows, image.shape[1] // columns
    return image.reshape(down, rows, across, columns)


def _block(length: int) -> int:
    """The largest divisor of a length that leaves `SIDE` pixels or more."""
    return next(size for size in range(max(length // SIDE, 1), 0, -1) if length % size == 0)
