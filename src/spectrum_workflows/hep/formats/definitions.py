"""Definitions of columns by several branches of a file: functions of flat arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]


def working_points(*flags: Numbers) -> NDArray[np.int32]:
    """How many of some flags are set: the tightest working point, counted from the loosest.

    Parameters
    ----------
    *flags : ndarray, shape (n,)
        From the loosest to the tightest, each 0 or 1.
    """
    passed: NDArray[np.int32] = np.sum([flag != 0 for flag in flags], axis=0, dtype=np.int32)
    return passed


def ratio(above: Numbers, below: Numbers) -> Numbers:
    """One branch over another of the same unit; shape (n,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return above / below


def discriminant(b: Numbers, c: Numbers, light: Numbers, *, fraction: float) -> Numbers:
    """Log-likelihood ratio of b against charm and light flavour.

    ``log(b / (f c + (1 - f) light))``, as ATLAS defines it for its taggers DL1d and GN2; -inf
    where b is 0.

    Parameters
    ----------
    b, c, light : ndarray, shape (n,)
        Probabilities of the tagger.
    fraction : float
        Share f of charm in the background.

    Returns
    -------
    ndarray, shape (n,), float32
        Computed with 53 bits, so that one of 24 hardly depends on the processor.
    """
    b, c, light = (p.astype(np.float64) for p in (b, c, light))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(b / (fraction * c + (1 - fraction) * light)).astype(np.float32)


def transverse(x: Numbers, y: Numbers) -> Numbers:
    """Size of two components; shape (n,)."""
    return np.hypot(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)


def azimuth(x: Numbers, y: Numbers) -> Numbers:
    """Azimuth of two components; shape (n,)."""
    return np.arctan2(y.astype(np.float64), x.astype(np.float64)).astype(np.float32)


def pseudorapidity(x: Numbers, y: Numbers, z: Numbers) -> Numbers:
    """Pseudorapidity of three components; shape (n,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = z.astype(np.float64) / np.hypot(x.astype(np.float64), y.astype(np.float64))
    return np.arcsinh(slope).astype(np.float32)


DEFINITIONS: dict[str, Callable[..., Numbers]] = {
    "working_points": working_points,
    "ratio": ratio,
    "discriminant": discriminant,
    "transverse": transverse,
    "azimuth": azimuth,
    "pseudorapidity": pseudorapidity,
}
