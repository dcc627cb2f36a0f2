"""Evaluation of corrections of one structure: from the root to a leaf, and its formula.

The way down is the same for all of them and is gone once per element; in the leaf each has a
lane.  That is one function, since numba counts references of every array that is handed on.


Operations, their order and what happens at edges are those of correctionlib 2.9, but for what
its next version mends: a value whose place within uniform bins, or wrapped into bins, is rounded
up to the last edge is in the last bin.  What is no number has no place in uniform or wrapped bins.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from spectrum_workflows.hep.corrections.hashing import NORMAL, STDFLAT, STDNORMAL, random_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONSTANT, FORMULA, HASH, TRANSFORM, BINNING, CATEGORY = range(6)
"""Kinds of nodes; those from ``BINNING`` on lead further down."""

CLAMP, ERROR, WRAP, VALUE = range(4)
"""What is done with values outside all bins."""

GOOD, BELOW, ABOVE, MISSING, NO_NUMBER = range(5)
"""How the way down ended."""

LITERAL, VARIABLE, PARAMETER = range(3)
"""Instructions that load a number of the formula, an input, or a parameter."""

NEGATIVE, LOG, LOG10, EXP, ERF, SQRT, ABS, COS, SIN, TAN = range(3, 13)
ACOS, ASIN, ATAN, COSH, SINH, TANH, ACOSH, ASINH, ATANH = range(13, 22)
EQUAL, NOTEQUAL, GREATER, LESS, GREATEREQ, LESSEQ, MINUS, PLUS = range(22, 30)
DIV, TIMES, POW, ATAN2, MAX, MIN, LOGICALOR, LOGICALAND = range(30, 38)

DISTRIBUTIONS = {"stdflat": STDFLAT, "stdnormal": STDNORMAL, "normal": NORMAL}

ONCE, SPREAD = 1, 2
"""How a register is shared by corrections that are evaluated together."""

LARGEST = 9223372036854775808.0
SMALLEST = -9223372036854775808


OPERATIONS = {
    "NEGATIVE": NEGATIVE,
    "LOG": LOG,
    "LOG10": LOG10,
    "EXP": EXP,
    "ERF": ERF,
    "SQRT": SQRT,
    "ABS": ABS,
    "COS": COS,
    "SIN": SIN,
    "TAN": TAN,
    "ACOS": ACOS,
    "ASIN": ASIN,
    "ATAN": ATAN,
    "COSH": COSH,
    "SINH": SINH,
    "TANH": TANH,
    "ACOSH": ACOSH,
    "ASINH": ASINH,
    "ATANH": ATANH,
    "EQUAL": EQUAL,
    "NOTEQUAL": NOTEQUAL,
    "GREATER": GREATER,
    "LESS": LESS,
    "GREATEREQ": GREATEREQ,
    "LESSEQ": LESSEQ,
    "MINUS": MINUS,
    "PLUS": PLUS,
    "DIV": DIV,
    "TIMES": TIMES,
    "POW": POW,
    "ATAN2": ATAN2,
    "MAX": MAX,
    "MIN": MIN,
    "LOGICALOR": LOGICALOR,
    "LOGICALAND": LOGICALAND,
}
"""The library's name of each operation -> its number here."""


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _function(op: int, x: float) -> float:  # noqa: C901  (a list)
    """A function of one number, or its negative."""
    if op == NEGATIVE:
        return -x
    if op == LOG:
        return math.log(x)
    if op == LOG10:
        return math.log10(x)
    if op == EXP:
        return math.exp(x)
    if op == ERF:
        return math.erf(x)
    if op == SQRT:
        return math.sqrt(x)
    if op == ABS:
        return math.fabs(x)
    if op == COS:
        return math.cos(x)
    if op == SIN:
        return math.sin(x)
    if op == TAN:
        return math.tan(x)
    if op == ACOS:
        return math.acos(x)
    if op == ASIN:
        return math.asin(x)
    if op == ATAN:
        return math.atan(x)
    if op == COSH:
        return math.cosh(x)
    if op == SINH:
        return math.sinh(x)
    if op == TANH:
        return math.tanh(x)
    if op == ACOSH:
        return math.acosh(x)
    if op == ASINH:
        return math.asinh(x)
    if op == ATANH:
        return math.atanh(x)
    return math.nan


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _compared(op: int, left: float, right: float) -> float:
    """A comparison: 1 where it is true."""
    if op == EQUAL:
        true = left == right
    elif op == NOTEQUAL:
        true = left != right
    elif op == GREATER:
        true = left > right
    elif op == LESS:
        true = left < right
    elif op == GREATEREQ:
        true = left >= right
    elif op == LESSEQ:
        true = left <= right
    elif op == LOGICALOR:
        true = left != 0.0 or right != 0.0
    else:
        true = left != 0.0 and right != 0.0
    return 1.0 if true else 0.0


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _apply(op: int, left: float, right: float) -> Any:
    """One operation of a formula."""
    if op == TIMES:
        return left * right
    if op == PLUS:
        return left + right
    if op == MINUS:
        return left - right
    if op == DIV:
        return left / right
    if op == MAX:  # of numbers that do not compare, the first
        return right if left < right else left
    if op == MIN:
        return right if right < left else left
    if op == POW:
        return math.pow(left, right)
    if op == ATAN2:
        return math.atan2(left, right)
    if op <= ATANH:
        return _function(op, left)
    return _compared(op, left, right)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _uniform_bin(low: float, high: float, bins: int, flow: int, value: float) -> int:
    """As `_bin`, for bins of one width."""
    outside = value < low or value >= high
    if outside:
        if flow == VALUE:
            return bins
        if flow == ERROR:
            return -BELOW if value < low else -ABOVE
        if flow == CLAMP:
            return 0 if value < low else bins - 1
    place = (value - low) / (high - low)
    if outside:
        place -= np.floor(place)
    if not math.isfinite(place):
        return -NO_NUMBER
    return min(int(bins * place), bins - 1)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _wrapped(low: float, high: float, value: float) -> Any:
    """A value moved by whole periods to lie between two edges."""
    place = (value - low) / (high - low)
    place -= np.floor(place)
    return low + place * (high - low)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _free_bin(above: int, bins: int, flow: int, value: float) -> int:
    """As `_uniform_bin`, for a value above so many edges."""
    if flow == WRAP and not math.isfinite(value):
        return -NO_NUMBER
    if 0 < above <= bins:
        return above - 1
    if flow == VALUE:
        return bins
    if flow == ERROR:
        return -BELOW if above == 0 else -ABOVE
    return 0 if above == 0 else bins - 1


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _rounded(x: float) -> int:
    """To the next integer, halves away from zero; the smallest for what has none."""
    if not -LARGEST <= x < LARGEST:
        return SMALLEST
    whole = math.trunc(x)
    if math.fabs(x - whole) >= 0.5:
        whole += 1 if x > 0 else -1
    return int(whole)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def evaluate(  # noqa: C901  (one function, as above)
    nodes: NDArray[np.int64],
    axes: NDArray[np.int64],
    children: NDArray[np.int64],
    keys: NDArray[np.int64],
    edges: NDArray[np.float64],
    programs: NDArray[np.int64],
    code: NDArray[np.int64],
    literals: NDArray[np.float64],
    integers: NDArray[np.int64],
    depth: int,
    parameters: NDArray[np.float64],
    shared: NDArray[np.int64],
    values: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int, int, int]:
    """Evaluate corrections of one structure for many elements.

    Parameters
    ----------
    nodes, axes, children, keys, edges, programs, code, literals, integers, depth
        As in `tree.Structure`; if it has transforms, there is one correction.
    parameters : ndarray of float64, shape (n_parameters, n_corrections)
        As in `tree.Table`, side by side.
    shared : ndarray of int64, shape (n_instructions,)
        Whether a register is the same for all corrections: not (0), or so (``ONCE``), or so and
        read by one that is not (``SPREAD``); the last of a program is never ``ONCE``.
    values : ndarray of float64, shape (n, n_inputs)
        Inputs; of integers and words the bits of an int64.
    out : ndarray of float64, shape (n, n_corrections)
        Filled.

    Returns
    -------
    status : int
        ``GOOD``, or why an element has no value; it is the first that has none.
    element : int
    which : int
        Which input has no place.
    bits : int
        Its value where that was asked, of a real one its bits.
    """
    lanes = out.shape[1]
    row = np.empty(values.shape[1])
    bits = row.view(np.int64)
    words = np.empty(len(keys) + 1, np.uint64)
    registers = np.empty((len(code) + 1, lanes))
    single = np.empty(len(code) + 1)
    saved = np.empty((depth + 1, values.shape[1]))
    pending = np.empty(depth + 1, np.int64)
    for i in range(len(values)):
        for v in range(values.shape[1]):
            row[v] = values[i, v]
        at, level = len(nodes) - 1, 0
        while True:
            kind, first, second, below = nodes[at, 0], nodes[at, 1], nodes[at, 2], nodes[at, 4]
            flow = nodes[at, 3]
            if kind == BINNING:
                child = 0
                for k in range(first, first + second):
                    v, edge, bins = axes[k, 0], axes[k, 2], axes[k, 3]
                    value = np.float64(bits[v]) if integers[v] else row[v]
                    if axes[k, 1]:
                        bin_number = _uniform_bin(edges[edge], edges[edge + 1], bins, flow, value)
                    else:
                        if flow == WRAP:
                            value = _wrapped(edges[edge], edges[edge + bins], value)
                        low, left = edge, bins + 1
                        while left > 0:  # how many edges are not above it
                            half = left >> 1
                            above = value < edges[low + half]
                            low = low if above else low + half + 1
                            left = half if above else left - half - 1
                        bin_number = _free_bin(low - edge, bins, flow, value)
                    if bin_number < 0:
                        return -bin_number, i, v, bits[v]
                    if bin_number == bins:  # the default comes after all
                        child = axes[first, 3] * axes[first, 4]
                        break
                    child += bin_number * axes[k, 4]
                at = children[below + child]
                continue
            if kind == CATEGORY:
                low, count = second + 1, keys[second]
                high = low + count
                while low < high:
                    middle = (low + high) >> 1
                    if keys[middle] < bits[first]:
                        low = middle + 1
                    else:
                        high = middle
                child = low - second - 1
                if child == count or keys[low] != bits[first]:
                    if not flow:
                        return MISSING, i, first, bits[first]
                    child = count
                at = children[below + child]
                continue
            if kind == TRANSFORM:  # its rule sees the inputs as they are
                saved[level] = row
                pending[level] = at
                level += 1
                at = children[below]
                continue
            last = 0
            if kind == CONSTANT:
                for s in range(lanes):
                    registers[0, s] = parameters[below, s]
            elif kind == FORMULA:
                start, last = programs[first, 0], programs[first, 1] - 1
                for k in range(last + 1):
                    op, a, b = code[start + k, 0], code[start + k, 1], code[start + k, 2]
                    if shared[start + k]:
                        if op == PARAMETER:
                            single[k] = parameters[below + a, 0]
                        elif op == VARIABLE:
                            single[k] = row[a]
                        elif op == LITERAL:
                            single[k] = literals[a]
                        else:
                            single[k] = _apply(op, single[a], single[b])
                        if shared[start + k] == SPREAD:
                            for s in range(lanes):
                                registers[k, s] = single[k]
                    elif op == PARAMETER:
                        for s in range(lanes):
                            registers[k, s] = parameters[below + a, s]
                    elif op == TIMES:
                        for s in range(lanes):
                            registers[k, s] = registers[a, s] * registers[b, s]
                    elif op == PLUS:
                        for s in range(lanes):
                            registers[k, s] = registers[a, s] + registers[b, s]
                    elif op == MAX:
                        for s in range(lanes):
                            x, y = registers[a, s], registers[b, s]
                            registers[k, s] = y if x < y else x
                    elif op == MIN:
                        for s in range(lanes):
                            x, y = registers[a, s], registers[b, s]
                            registers[k, s] = y if y < x else x
                    else:
                        for s in range(lanes):
                            registers[k, s] = _apply(op, registers[a, s], registers[b, s])
            else:
                for k in range(second):
                    words[k] = np.uint64(bits[keys[first + k]])
                number = random_number(words[:second], flow)
                for s in range(lanes):
                    registers[0, s] = number
            if level == 0:
                for s in range(lanes):
                    out[i, s] = registers[last, s]
                break
            level -= 1
            rule = pending[level]
            row[:] = saved[level]
            v = nodes[rule, 1]
            if integers[v]:
                bits[v] = _rounded(registers[last, 0])
            else:
                row[v] = registers[last, 0]
            at = children[nodes[rule, 4] + 1]
    return GOOD, 0, 0, 0
