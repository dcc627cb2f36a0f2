"""Small images added around many positions of a large one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Image


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
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
