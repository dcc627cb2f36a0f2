"""Sums without rounding: the same whatever the order of what is added, and however it is grouped.

A sum is a whole number in digits of 32 bits, each in 64 bits, so that carries can wait: a small
superaccumulator (R. M. Neal, arXiv:1505.05571).  It is rounded once, when all is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.exact import kernel
from spectrum_workflows.hep.exact.kernel import DIGIT, WIDTH
from spectrum_workflows.hep.types.sums import ExactSums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.hep.types.sums import Sums

LOWEST = -1074
"""Power of two that the first digit of all counts: the smallest float64."""

SPARE = 3
"""Digits above the lowest one of a number: two of its own, and one for what is carried."""


def sums_in(
    cells: NDArray[np.int64], moments: Sequence[NDArray[np.float64]], n_cells: int
) -> ExactSums:
    """Add up numbers cell by cell.

    Parameters
    ----------
    cells : ndarray of int64, shape (n,)
        Where each number is added.
    moments : sequence of ndarray, shape (n,)
        Several numbers for each cell, which have sums of their own.
    n_cells : int

    Returns
    -------
    ExactSums, shape (n_cells, n_moments)

    Raises
    ------
    DataError
        A number is infinite, or none.

    Examples
    --------
    >>> import numpy as np
    >>> numbers = np.array([1e16, 1.0, -1e16])
    >>> float(numbers.sum()), rounded(sums_in(np.zeros(3, np.int64), [numbers], 1)).tolist()
    (0.0, [[1.0]])
    """
    bits = [bits_of(moment) for moment in moments]
    lowest, n_digits = places_of(bits)
    out = np.zeros((len(bits), n_cells, n_digits), np.int64)
    for of_moment, own in zip(bits, out, strict=True):
        kernel.add(cells, of_moment, lowest, own)
    return ExactSums(carried(out.swapaxes(0, 1)), lowest)


def added(a: Sums, b: Sums) -> Sums:
    """Sums of both."""
    if isinstance(a, ExactSums) or isinstance(b, ExactSums):
        return both(_exact(a), _exact(b))
    return a + b


def both(a: ExactSums, b: ExactSums) -> ExactSums:
    """Exact sums of both."""
    (*shape, n_a), (*_, n_b) = a.digits.shape, b.digits.shape
    if not n_a or not n_b:  # nothing but zeros was added
        return a if n_a else b
    lowest = min(a.lowest, b.lowest)
    n_digits = max(a.lowest + n_a, b.lowest + n_b) - lowest
    digits = np.zeros((*shape, n_digits), np.int64)
    for one, n in ((a, n_a), (b, n_b)):
        first = one.lowest - lowest
        digits[..., first : first + n] += one.digits
    return ExactSums(digits, lowest)


def exactly(numbers: NDArray[Any]) -> ExactSums:
    """Numbers, each as the sum of itself alone."""
    values = np.asarray(numbers, np.float64)
    return reshaped(sums_in(np.arange(values.size), [values.ravel()], values.size), *values.shape)


def reshaped(sums: ExactSums, *shape: int) -> ExactSums:
    """The same sums in another shape."""
    return ExactSums(sums.digits.reshape(*shape, sums.digits.shape[-1]), sums.lowest)


def rounded(sums: Sums) -> NDArray[np.float64]:
    """Sums as float64, which depend on nothing but their exact values; within one ulp."""
    if not isinstance(sums, ExactSums):
        return np.asarray(sums, np.float64)
    total = np.zeros(sums.digits.shape[:-1])
    if not sums.digits.shape[-1]:
        return total
    digits = carried(sums.digits)
    sign = np.where(digits[..., -1] < 0, -1, 1)
    digits = carried(digits * sign[..., None])  # no difference of large numbers is rounded
    with np.errstate(over="ignore"):
        for k in range(digits.shape[-1]):
            power = WIDTH * (sums.lowest + k) + LOWEST
            total += np.ldexp(digits[..., k].astype(np.float64), power)
    return np.asarray(total * sign)


def bits_of(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bits of numbers that can be added up.

    Raises
    ------
    DataError
        One is infinite, or none.
    """
    values = np.ascontiguousarray(numbers, np.float64)
    if not np.isfinite(values).all():
        message = "weights, or what they multiply, are too large to be summed"
        raise DataError(message, "select", "their squares have to lie below 1e308")
    return values.view(np.int64)


def places_of(bits: Sequence[NDArray[np.int64]]) -> tuple[int, int]:
    """Place of the lowest digit that sums of such numbers need, and how many they need."""
    ranges = [kernel.range_of(own) for own in bits]
    lowest, highest = min(r[0] for r in ranges), max(r[1] for r in ranges)
    return (lowest, highest - lowest + 1 + SPARE) if highest >= 0 else (0, 0)


def carried(digits: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same numbers with digits of 0 to 2**32 - 1; the highest alone can be of either sign."""
    out = digits.copy()
    for k in range(out.shape[-1] - 1):
        out[..., k + 1] += out[..., k] >> WIDTH
        out[..., k] &= DIGIT
    return out


def _exact(sums: Sums) -> ExactSums:
    return sums if isinstance(sums, ExactSums) else exactly(sums)
