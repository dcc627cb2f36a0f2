"""Sums that are not rounded: of numbers, and of what is filled into a histogram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import hist
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ExactSums:
    """Sums of float64 numbers, to the last bit.

    Attributes
    ----------
    digits : ndarray of int64, shape (…, n_digits)
        Of every sum, the lowest first; of either sign, and not carried.
    lowest : int
        Place of the first of them: digit ``k`` counts ``2**(32 * (lowest + k) - 1074)``.
    """

    digits: NDArray[np.int64]
    lowest: int


@dataclass(frozen=True)
class ExactHistogram:
    """Sums of numbers in the bins of some axes.

    Attributes
    ----------
    like : hist.Hist
        Axes, storage and name of the histogram; empty.
    sums : ExactSums, shape (n_bins, n_moments)
        Flow bins count, the last axis is fastest.  Of weights and their squares, or of what the
        last of the axes tells apart.
    """

    like: hist.Hist
    sums: ExactSums


Sums: TypeAlias = "NDArray[Any] | ExactSums"
"""Exact, too, if they are an array: sums of whole numbers."""

Filling: TypeAlias = "hist.Hist | ExactHistogram"
"""A histogram that is being filled; of weights of 1 where it is the library's."""
