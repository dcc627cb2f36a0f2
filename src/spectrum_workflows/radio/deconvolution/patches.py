"""Small images added around many positions of a large one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image


@compiled()
def add_patches(
    image: Image,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    flux: NDArray[np.float64],
    patch: Image,
) -> None:
    """Add a patch times a flux around every position, in their order; what is outside is lost."""
    rows, columns = image.shape
    reach = patch.shape[0] // 2
    for k in range(flux.shape[0]):
        top, left = row[k] - reach, column[k] - reach
        for y in range(max(top, 0), min(row[k] + reach + 1, rows)):
            for x in range(max(left, 0), min(column[k] + reach + 1, columns)):
                image[y, x] += flux[k] * patch[y - top, x - left]


@compiled()
def mark_discs(
    marked: NDArray[np.bool_],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    radius: float,
    step: int,
) -> None:
    """Mark the samples within a radius of any position.

    Positions and radius are in pixels from the first sample, samples ``step`` pixels apart.
    """
    rows, columns = marked.shape
    reach = int(radius)
    for k in range(row.shape[0]):
        top, bottom = -((reach - row[k]) // step), (row[k] + reach) // step
        left, right = -((reach - column[k]) // step), (column[k] + reach) // step
        for y in range(max(top, 0), min(bottom + 1, rows)):
            for x in range(max(left, 0), min(right + 1, columns)):
                away = (y * step - row[k]) ** 2 + (x * step - column[k]) ** 2
                if away <= radius * radius:
                    marked[y, x] = True
