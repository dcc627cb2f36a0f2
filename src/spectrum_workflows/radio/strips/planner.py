"""Number and borders of strips, from the data's coverage and the image alone."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.strips import cost
from spectrum_workflows.radio.strips.accuracy import error_bound, reach
from spectrum_workflows.radio.strips.bandpass import axis, zone
from spectrum_workflows.radio.strips.coverage import BINS
from spectrum_workflows.radio.strips.types import CoarseAxis, Columns, Strip, StripLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.strips.coverage import Coverage
    from spectrum_workflows.radio.types import Geometry

GAP_X, GAP_Y = 0.12, 0.15
"""Least widths of the filters' transitions, in units of the sampling rate."""

MARGIN = 1.05
"""The strips' images reach this much beyond the image's edge, or more."""

FILTERS = 12
"""Decibel by which every filter is better than the accuracy that is asked for: two of them,
each with several spectral images, make the error."""

TRIALS = 4
"""Margins that are tried."""

BLOCK = 1024
"""Columns of a block of the image."""

SECONDS, MOST = 0.5, 32
"""A strip is worth this much CPU by the constants of `cost`; at most so many."""

EVEN = 4
"""More strips than this come in multiples of it: as many for each of two or four workers."""

WIDEST_GUARD = 1.4
"""2 K l w / u stays below it: narrower strips would be mostly guard bands."""

ALWAYS_ABOVE, NEVER_UP_TO = 2048, 1024
"""Image sides: strips by default above the first; in between, where CLEAN uses the data often."""


ROUNDING = 1 + 1e-9
"""The limits allow for rounding."""


def strip_count(coverage: Coverage, geometry: Geometry, *, again: bool) -> int:
    """The number of strips where the spec gives none; 1 for a single call per chunk.

    Small images keep one call: their transforms cost little.  Beyond, a strip
    holds about half a second of work, as long as the guard bands, which the w
    term asks for, stay narrower than the strips.

    Parameters
    ----------
    coverage : Coverage
    geometry : Geometry
    again : bool
        The data are gone over again and again, by CLEAN.
    """
    if geometry.npix <= NEVER_UP_TO or (geometry.npix <= ALWAYS_ABOVE and not again):
        return 1
    u, w = coverage.u_high, float(coverage.w_high.max())
    steepest = slope(geometry)
    if not u > 0 or steepest == math.inf:
        return 1
    a, beta = cost.constants(geometry.epsilon)
    planes = cost.planes(np.array(w), geometry.npix * geometry.cell / 2, geometry.epsilon)
    work = a * float(coverage.count.sum()) + beta * geometry.npix**2 * float(planes)
    allowed = WIDEST_GUARD * u / (2 * steepest * w) if w > 0 else MOST
    most = max(1, min(int(allowed), MOST))
    count = math.ceil(work / SECONDS)
    if count <= EVEN or most < EVEN:
        return min(count, most)
    return min(math.ceil(count / EVEN), most // EVEN) * EVEN


def below_horizon(geometry: Geometry) -> bool:
    """Whether the image with its margin lies within the hemisphere."""
    return MARGIN * geometry.npix * geometry.cell / math.sqrt(2) < 1


def slope(geometry: Geometry, margin: float = MARGIN) -> float:
    """Largest |d(n - 1)/dl| in the image with a margin: l/n at the corner."""
    half = margin * geometry.npix * geometry.cell / 2
    return half / math.sqrt(1 - 2 * half**2) if 2 * half**2 < 1 else math.inf


def layout(coverage: Coverage, geometry: Geometry, count: int) -> StripLayout | None:
    """Strips of nearly equal cost, and the blocks of columns; ``None`` where they would be wrong.

    The visibilities of a strip u1 <= |u| < u2 make an image with spatial
    frequencies up to a guard g beyond it: the phase w (n - 1) has the slope
    w l/n, and the finite field adds four resolution elements.  The filters take samples
    from beyond the image, where the slope is larger: as long as they do not keep the accuracy
    that is asked for, guards are made for more of what lies there.

    Parameters
    ----------
    coverage : Coverage
    geometry : Geometry
        An image within the hemisphere, see `below_horizon`.
    count : int
        Strips that are wanted; fewer where there are fewer bins with data.
    """
    margin = MARGIN
    for _ in range(TRIALS):
        if slope(geometry, margin) == math.inf:
            return None
        trial = _layout(coverage, geometry, count, margin)
        if error_bound(trial) <= geometry.epsilon:
            return trial
        margin = _wider(trial, margin)
    return None


def _wider(layout: StripLayout, margin: float) -> float:
    """A margin on the way to where the outermost samples are, in units of half the image."""
    outermost = max(reach(axis) for axis in (layout.y, *(strip.x for strip in layout.strips)))
    return max(1.1 * margin, (margin + 2 * outermost / layout.geometry.npix) / 2)


def _layout(coverage: Coverage, geometry: Geometry, count: int, margin: float) -> StripLayout:
    """Strips with guards for what is within a margin."""
    npix, field = geometry.npix, geometry.npix * geometry.cell
    steepest = slope(geometry, margin)
    highest = (coverage.u_high, coverage.v_high, float(coverage.w_high.max()))
    top = highest[1] + steepest * highest[2] + 4 / field
    y = _axis(geometry, (0.0, top), GAP_Y)
    cuts = tuple(pairwise(_minimax(_costs(coverage, geometry, y.count, steepest), count)))
    ends = [*range(0, npix, BLOCK), npix]
    return StripLayout(
        geometry=geometry,
        strips=tuple(_strip(coverage, geometry, cuts, n, steepest) for n in range(len(cuts))),
        y=y,
        blocks=tuple(Columns(start, stop, npix) for start, stop in pairwise(ends)),
        limits=(highest[0] * ROUNDING, highest[1] * ROUNDING, highest[2] * ROUNDING),
    )


def _strip(
    coverage: Coverage,
    geometry: Geometry,
    cuts: tuple[tuple[int, int], ...],
    number: int,
    steepest: float,
) -> Strip:
    """One strip; ``cuts`` holds the ranges of bins of all."""
    i, j = cuts[number]
    field, ends = geometry.npix * geometry.cell, _bin_edges(coverage)[[i, j]].tolist()
    low, high = float(coverage.w_low[i:j].min()), float(coverage.w_high[i:j].max())
    guard = steepest * high + 4 / field
    return Strip(
        number=number,
        count=len(cuts),
        u_start=ends[0],
        u_stop=ends[1],
        x=_axis(geometry, (max(ends[0] - guard, 0.0), ends[1] + guard), GAP_X),
        planes=float(cost.planes(np.array(high - min(low, high)), field / 2, geometry.epsilon)),
        depth=high,
        size=int(coverage.count[i:j].sum()),
    )


def _axis(geometry: Geometry, band: tuple[float, float], gap: float) -> CoarseAxis:
    decibel = FILTERS - 20 * math.log10(geometry.epsilon)
    return axis(geometry.npix, geometry.cell, band, gap=gap, decibel=decibel)


def _bin_edges(coverage: Coverage) -> NDArray[np.float64]:
    """Ends of the bins; the last one with data ends at the largest ``|u|``."""
    edges = np.linspace(0, coverage.limit, BINS + 1)
    return np.minimum(edges, coverage.u_high * ROUNDING)


def _costs(
    coverage: Coverage, geometry: Geometry, rows: int, steepest: float
) -> NDArray[np.float64]:
    """Seconds of a strip of bins ``i:j``, shape (bins + 1, bins + 1); inf for i >= j."""
    used = int(np.flatnonzero(coverage.count)[-1]) + 1
    edges, field = _bin_edges(coverage), geometry.npix * geometry.cell
    a, beta = cost.constants(geometry.epsilon)
    seconds = np.full((used + 1, used + 1), np.inf)
    for i in range(used):
        low = np.minimum.accumulate(coverage.w_low[i:used])
        high = np.maximum.accumulate(coverage.w_high[i:used])
        guard = steepest * high + 4 / field
        rate, _ = zone(np.maximum(edges[i] - guard, 0), edges[i + 1 : used + 1] + guard, GAP_X)
        planes = cost.planes(high - np.minimum(low, high), field / 2, geometry.epsilon)
        number = np.cumsum(coverage.count[i:used])
        seconds[i, i + 1 :] = a * number + beta * rows * (rate * field + 60) * planes
    return seconds


def _minimax(costs: NDArray[np.float64], count: int) -> list[int]:
    """Edges of at most ``count`` strips whose costliest is cheapest.

    A thousandth of the sum decides between cuts that are equal in that.
    """
    total = 1e-3 * np.where(np.isfinite(costs), costs, 0.0)
    best, back = costs[0].copy(), []
    for _ in range(min(count, len(costs) - 1) - 1):
        trial = np.maximum(best[:, None], costs) + total
        back.append(trial.argmin(axis=0))
        best = trial.min(axis=0)
    edges = [len(costs) - 1]
    for step in reversed(back):
        edges.append(int(step[edges[-1]]))
    return [0, *reversed(edges)]
