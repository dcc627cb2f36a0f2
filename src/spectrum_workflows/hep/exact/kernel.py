"""Digits of sums, added up number by number: compiled."""

from __future__ import annotations

from typing import Any

from spectrum_workflows.compiled import compiled

FRACTION = (1 << 52) - 1
EXPONENT = 0x7FF
DIGIT = 0xFFFFFFFF
WIDTH = 32
"""Bits of a digit."""


@compiled(nogil=True)
def digits_of(bits: int) -> Any:
    """Place of the lowest of three digits that a float64 has, and the digits with its sign.

    Counted from 0, which is 2**-1074: the smallest number that a float64 can be.
    """
    exponent, fraction = (bits >> 52) & EXPONENT, bits & FRACTION
    if exponent:
        fraction |= FRACTION + 1
        exponent -= 1
    shift = exponent & (WIDTH - 1)
    above = fraction >> (WIDTH - shift)
    sign = -1 if bits < 0 else 1
    low = ((fraction << shift) & DIGIT) * sign
    return exponent >> 5, low, (above & DIGIT) * sign, (above >> WIDTH) * sign


@compiled(nogil=True)
def range_of(bits: Any) -> Any:
    """Lowest and highest place of the lowest digits of numbers that are not 0; shape (n,)."""
    lowest, highest = EXPONENT + 1, -1
    for i in range(len(bits)):
        if bits[i] << 1:  # it is neither 0 nor -0
            exponent = max((bits[i] >> 52) & EXPONENT, 1) - 1
            lowest, highest = min(lowest, exponent), max(highest, exponent)
    return lowest >> 5, highest >> 5


@compiled(nogil=True)
def add(cells: Any, bits: Any, lowest: int, out: Any) -> None:
    """Add numbers to the sums of their cells.

    Parameters
    ----------
    cells : ndarray of int64, shape (n,)
    bits : ndarray of int64, shape (n,)
        Of the numbers: float64, none of them infinite.
    lowest : int
        Place of the first digit of the sums.
    out : ndarray of int64, shape (n_cells, n_digits)
        The sums.
    """
    for i in range(len(cells)):
        if bits[i] << 1:  # it is neither 0 nor -0
            place, low, middle, high = digits_of(bits[i])
            k, cell = place - lowest, cells[i]
            out[cell, k] += low
            out[cell, k + 1] += middle
            out[cell, k + 2] += high


@compiled(nogil=True)
def add_drawn(
    draws: Any, rows: Any, cells: Any, bits: Any, lowest: int, first: int, out: Any
) -> None:
    """Add numbers to the sums of their cells in some replicas, each as often as it was drawn.

    Parameters
    ----------
    draws : ndarray of uint8, shape (n_rows, n_replicas)
    rows, cells : ndarray of int64, shape (n,)
        Row of the draws and cell of every number.
    bits, lowest
        As of `add`.
    first : int
        The first of the replicas.
    out : ndarray of int64, shape (n_digits, n_cells, n_all_replicas)
        The sums.
    """
    for i in range(len(cells)):
        if bits[i] << 1:  # it is neither 0 nor -0
            place, low, middle, high = digits_of(bits[i])
            k, cell, row = place - lowest, cells[i], rows[i]
            for j in range(draws.shape[1]):
                out[k, cell, first + j] += low * draws[row, j]
                out[k + 1, cell, first + j] += middle * draws[row, j]
                out[k + 2, cell, first + j] += high * draws[row, j]
