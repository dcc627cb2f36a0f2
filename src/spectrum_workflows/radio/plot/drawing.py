"""An image among axes, in pixels: no more of them are coloured than a picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from spectrum_workflows.radio.types import Image

SIDE = 1024
"""Pixels of a side that a picture has at most: larger images are averaged to fewer than twice."""


def draw_image(axes: Axes, image: Image, **style: Any) -> AxesImage:
    """The image, the first pixel at the lower left, centred on (0, 0) unless ``extent`` is given.

    Flux is averaged, not its colours: a point that is smaller than a pixel of the picture stays
    visible where colours are stretched, and an image of 4096² takes a tenth of the memory.
    """
    rows, columns = image.shape
    middle = (-0.5, columns - 0.5, -0.5, rows - 0.5)
    options = {"origin": "lower", "extent": middle, "interpolation_stage": "data"} | style
    return axes.imshow(averaged(image), **options)


def averaged(image: Image) -> Image:
    """Means of blocks, as large as leave `SIDE` pixels and divide the image."""
    rows, columns = (_block(length) for length in image.shape)
    if rows == columns == 1:
        return image
    down, across = image.shape[0] // rows, image.shape[1] // columns
    mean: Image = image.reshape(down, rows, across, columns).mean(axis=(1, 3))
    return mean


def _block(length: int) -> int:
    """The largest divisor of a length that leaves `SIDE` pixels or more."""
    return next(size for size in range(max(length // SIDE, 1), 0, -1) if length % size == 0)
