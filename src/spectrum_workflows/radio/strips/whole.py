"""The strip operator in one process: for the self-check, and to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.strips import operator
from spectrum_workflows.radio.strips.cutting import cut, unpacked

if TYPE_CHECKING:
    from spectrum_workflows.radio.strips.types import Layout
    from spectrum_workflows.radio.types import Image, Visibilities


def gridded_in_strips(data: Visibilities, layout: Layout) -> Image:
    """Weighted dirty image by strips, not normalised: what `gridding.gridded` gives in one call.

    Parameters
    ----------
    data : Visibilities
        With imaging weights.
    layout : Layout
        Made for a coverage that holds them.

    Returns
    -------
    ndarray of float64, shape (npix, npix)
        In FITS orientation.
    """
    parts = []
    for own, strip in zip(cut(data, layout), layout.strips, strict=True):
        seen = unpacked(own)
        samples = operator.sampled(seen, seen.visibility, strip, layout)
        parts.append(operator.slices(samples, strip, layout))
    image = np.empty((layout.geometry.npix, layout.geometry.npix))
    for number, block in enumerate(layout.blocks):
        columns = operator.column_block([part[number] for part in parts], block, layout)
        image[:, block.start : block.stop] = columns
    return image
