"""The random numbers of ``hashprng``: a hash of the inputs seeds a small generator.

XXH64 (Y. Collet, specification 0.1.1) of the inputs' bits gives the seed of PCG32 (M. O'Neill,
HMC-CS-2014-0905; one sequence, XSH-RR).  The distributions are those of GNU's C++ library.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

STDFLAT, STDNORMAL, NORMAL = range(3)

P1 = np.uint64(11400714785074694791)
P2 = np.uint64(14029467366897019727)
P3 = np.uint64(1609587929392839161)
P4 = np.uint64(9650029242287828579)
P5 = np.uint64(2870177450012600261)

MULTIPLIER = np.uint64(6364136223846793005)
INCREMENT = np.uint64(1442695040888963407)

U5, U18, U27, U31, U59 = (np.uint64(k) for k in (5, 18, 27, 31, 59))
U29, U32, U33, U64, MASK = (np.uint64(k) for k in (29, 32, 33, 64, 0xFFFFFFFF))
U1, U7, U12, EIGHT, ZERO = (np.uint64(k) for k in (1, 7, 12, 8, 0))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _turned(x: Any, by: Any) -> Any:
    return (x << by) | (x >> (U64 - by))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _round(state: Any, word: Any) -> Any:
    return _turned(state + word * P2, U31) * P1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _merged(total: Any, state: Any) -> Any:
    return (total ^ _round(ZERO, state)) * P1 + P4


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def xxh64(words: NDArray[np.uint64]) -> Any:
    """XXH64 of some 64-bit words, with seed 0."""
    n = len(words)
    at = 0
    if n >= 4:
        a, b, c, d = P1 + P2, P2, ZERO, ZERO - P1
        while at + 4 <= n:
            a = _round(a, words[at])
            b = _round(b, words[at + 1])
            c = _round(c, words[at + 2])
            d = _round(d, words[at + 3])
            at += 4
        total = _turned(a, U1) + _turned(b, U7) + _turned(c, U12) + _turned(d, U18)
        total = _merged(_merged(_merged(_merged(total, a), b), c), d)
    else:
        total = P5
    total += np.uint64(n) * EIGHT
    while at < n:
        total = _turned(total ^ _round(ZERO, words[at]), U27) * P1 + P4
        at += 1
    total = (total ^ (total >> U33)) * P2
    total = (total ^ (total >> U29)) * P3
    return total ^ (total >> U32)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _drawn(state: Any) -> Any:
    """The 32 bits that a state of PCG32 gives."""
    bits = (((state >> U18) ^ state) >> U27) & MASK
    turn = state >> U59
    return ((bits >> turn) | (bits << ((U32 - turn) & U31))) & MASK


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _canonical(first: Any, second: Any) -> Any:
    """A number in [0, 1) of two draws."""
    value = (np.float64(first) + np.float64(second) * 4294967296.0) / 18446744073709551616.0
    return value if value < 1.0 else 0.9999999999999999


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def random_number(words: NDArray[np.uint64], distribution: int) -> Any:
    """One number, the same for the same words."""
    state = (xxh64(words) + INCREMENT) * MULTIPLIER + INCREMENT
    if distribution == STDFLAT:
        first = _drawn(state)
        return _canonical(first, _drawn(state * MULTIPLIER + INCREMENT))
    while True:
        if distribution == NORMAL:
            u = np.float64(_drawn(state)) * 4.656612873077393e-10 - 1.0
            state = state * MULTIPLIER + INCREMENT
            v = np.float64(_drawn(state)) * 4.656612873077393e-10 - 1.0
            state = state * MULTIPLIER + INCREMENT
            s = u * u + v * v
            if s < 1.0 and s != 0.0:
                return u * math.sqrt(-2.0 * math.log(s) / s)
        else:
            first = _drawn(state)
            state = state * MULTIPLIER + INCREMENT
            v = 2.0 * _canonical(first, _drawn(state)) - 1.0
            state = state * MULTIPLIER + INCREMENT
            first = _drawn(state)
            state = state * MULTIPLIER + INCREMENT
            u = 2.0 * _canonical(first, _drawn(state)) - 1.0
            state = state * MULTIPLIER + INCREMENT
            s = v * v + u * u
            if s <= 1.0 and s != 0.0:
                return u * math.sqrt(-2.0 * math.log(s) / s)
