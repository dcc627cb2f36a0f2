"""The strip operator in one process: for the self-check, and to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.strips import transform
from spectrum_workflows.radio.strips.cutting import cut, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spectrum_workflows.radio.strips.types import Coarse, StripLayout
    from spectrum_workflows.radio.types import Image, Visibilities


def invert_in_strips(data: Visibilities, layout: StripLayout) -> Image:
    """Weighted dirty image by strips, not normalised: what `gridding.invert` gives in one call.

    Parameters
    ----------
    data : Visibilities
        With imaging weights.
    layout : StripLayout
        Made for a coverage that holds them.

    Returns
    -------
    ndarray of float64, shape (npix, npix)
        In FITS orientation.
    """
    parts = []
    for own, strip in zip(cut(data, layout), layout.strips, strict=True):
        wholes = unpacked(own)
        vis = [whole.visibility for whole in wholes]
        samples = transform.sampled(wholes, vis, strip, layout)
        parts.append(transform.slices(samples, strip, layout))
    columns = (
        transform.column_block([part[number] for part in parts], block, layout)
        for number, block in enumerate(layout.blocks)
    )
    [image] = assembled(((block,) for block in columns), layout, 1)
    return image


def assembled(
    parts: Iterable[tuple[Coarse, ...]], layout: StripLayout, planes: int
) -> tuple[Image, ...]:
    """Images of some planes, float64, from blocks of their columns, in their order."""
    npix = layout.geometry.npix
    images = tuple(np.empty((npix, npix)) for _ in range(planes))
    for block, columns in zip(layout.blocks, parts, strict=True):
        for image, plane in zip(images, columns, strict=True):
            image[:, block.start : block.stop] = plane
    return images
