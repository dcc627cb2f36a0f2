"""Smoothing of varied templates by running medians: 353QH, twice.

Source: J. Friedman, Data analysis techniques for high energy particle physics (1974);
ROOT's TH1::Smooth.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_BINS = 3
"""Bins below which nothing is smoothed."""


def smoothed(varied: Floats, nominal: Floats, times: int) -> Floats:
    """A varied template whose ratio to the nominal one is smooth, of the same yield.

    Parameters
    ----------
    varied, nominal : ndarray, shape (n_bins,)
    times : int
        How often the medians run.
    """
    if not times or len(varied) < FEWEST_BINS:
        return varied
    ratio = np.divide(varied, nominal, out=np.ones_like(varied), where=nominal > 0)
    for _ in range(times):
        ratio = running_medians(ratio)
    smooth = np.where(nominal > 0, ratio * nominal, varied)
    total = smooth.sum()
    return smooth * (varied.sum() / total) if total > 0 else varied


def running_medians(values: Floats) -> Floats:
    """353QH of the values, and of what it leaves over; shape (n_bins,), of at least three.

    Values that are not negative stay so.
    """
    once = _once(values)
    both = once + _once(values - once)
    return both if values.min() < 0 else np.maximum(both, 0.0)


def _once(values: Floats) -> Floats:
    """Medians of 3, 5 and 3; parabolas where they are flat; means of neighbours."""
    first = _medians(values, 3)
    first[0] = np.median([first[0], first[1], 3 * first[1] - 2 * first[2]])
    first[-1] = np.median([first[-1], first[-2], 3 * first[-2] - 2 * first[-3]])
    second = _medians(first, 5)
    second[1], second[-2] = np.median(first[:3]), np.median(first[-3:])
    bent = _bent(_medians(second, 3))
    out = bent.copy()
    out[1:-1] = 0.25 * bent[:-2] + 0.5 * bent[1:-1] + 0.25 * bent[2:]
    return out


def _medians(values: Floats, width: int) -> Floats:
    """Running medians; the ends stay."""
    out = values.copy()
    if len(values) >= width:
        half = width // 2
        out[half:-half] = np.median(sliding_window_view(values, width), axis=1)
    return out


def _bent(values: Floats) -> Floats:
    """Peaks and valleys of three equal values get the shape of a parabola."""
    out = values.copy()
    for i in range(2, len(values) - 2):
        here = values[i]
        left, right = values[i - 2] - here, values[i + 2] - here
        if values[i - 1] != here or values[i + 1] != here or left * right <= 0:
            continue
        toward = -1 if abs(right) > abs(left) else 1
        near, far = values[i + 2 * toward], values[i - 2 * toward]
        out[i] = -0.5 * far + here / 0.75 + near / 6
        out[i + toward] = 0.5 * (near - far) + here
    return out
