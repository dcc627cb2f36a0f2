"""Error bound of an image in strips: its interpolation, tone by tone.

The gridder gives exact samples of every strip's image, so that all that strips add to its
error is what the filters do to a single visibility's fringe, a plane wave with the w term's
chirp.  The filters reach many samples beyond the image's edge.  Where the samples lie far
apart, for short baselines, that is a part of the sky in which the chirp is steeper than in
the image, or none at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.strips.bandpass import response

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.strips.types import CoarseAxis, Strip, StripLayout

NEIGHBOURS = 3
"""Pixels that are looked at on each edge: they lie differently between the samples."""


@dataclass(frozen=True)
class Interpolated:
    """A pixel's place along an axis, and the places and weights of its samples; rad."""

    at: float
    samples: NDArray[np.float64]
    weights: NDArray[np.float64]


def error_bound(layout: StripLayout) -> float:
    """Largest error that interpolation makes in a fringe of 1 Jy, where it suffers most.

    Fringes with the least and the largest ``|u|`` of a strip, its largest ``|w|`` and the
    largest ``|v|`` are interpolated to pixels at the image's corner, the middles of its sides
    and its centre.  Infinite where samples would be needed from beyond the horizon.
    """
    return max(_strip_error(strip, layout) for strip in layout.strips)


def reach(axis: CoarseAxis) -> float:
    """Pixels from the image's centre to beyond the outermost sample that a filter takes."""
    return axis.npix / 2 + ((axis.taps / 2 + 1) / axis.ratio if axis.taps else 0.0)


def _strip_error(strip: Strip, layout: StripLayout) -> float:
    x, y, cell = strip.x, layout.y, layout.geometry.cell
    if not x.taps and not y.taps:
        return 0.0
    if math.hypot(reach(x), reach(y)) * cell >= 1:
        return math.inf
    _, v_high, _ = layout.limits
    u = np.array([strip.u_start, strip.u_stop, -strip.u_start, -strip.u_stop])
    v = np.array([-v_high, 0.0, v_high])
    pairs = product(_pixels(x, cell), _pixels(y, cell))
    return max(_pixel_error(east, north, (u, v, strip.depth)) for east, north in pairs)


def _pixels(axis: CoarseAxis, cell: float) -> list[Interpolated]:
    """Pixels at the centre and at the edge that is farther from it."""
    pixels = []
    for pixel in (*range(NEIGHBOURS), axis.npix // 2):
        at = (pixel - axis.npix // 2) * cell
        if axis.taps:
            first, weights = response(axis, pixel, pixel + 1)
            samples = first[0] + np.arange(axis.taps) - axis.count // 2
            pixels.append(Interpolated(at, samples * (cell / axis.ratio), weights[0]))
        else:
            pixels.append(Interpolated(at, np.array([at]), np.ones(1)))
    return pixels


def _pixel_error(
    x: Interpolated,
    y: Interpolated,
    fringes: tuple[NDArray[np.float64], NDArray[np.float64], float],
) -> float:
    """Of all fringes with these u and v, and one w: its sign changes with both of theirs."""
    u, v, w = fringes
    square = x.samples[:, None] ** 2 + y.samples**2
    chirp = np.exp(2j * np.pi * w * _depth(square))
    along = np.exp(2j * np.pi * np.outer(u, x.samples)) * x.weights
    up = np.exp(2j * np.pi * np.outer(v, y.samples)) * y.weights
    phase = u[:, None] * x.at + v * y.at + w * _depth(np.array(x.at**2 + y.at**2))
    return float(np.abs(along @ chirp @ up.T - np.exp(2j * np.pi * phase)).max())


def _depth(square: NDArray[np.float64]) -> NDArray[np.float64]:
    """The third direction cosine minus 1, for a sum of squares of the others."""
    return np.asarray(-square / (1 + np.sqrt(1 - square)))
