"""Evaluation of corrections of one structure: from the root to a leaf, and its formula.

The way down is the same for all of them and is gone once per element; in the leaf each has a
lane.  Some elements go down together, one node after the other, and then through each
instruction of their formula: the processor works at several of them at once.

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

TOGETHER = 128
"""Elements that are evaluated together."""

COUNTED = 16
"""Edges that are compared one by one, several in one instruction; of more half is left out."""

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
def _edges_not_above(edges: NDArray[np.float64], first: int, count: int, value: float) -> int:
    """How many of ``count`` edges, in their order from ``first`` on, a value is not below."""
    low, left = first, count
    while left > COUNTED:
        half = left >> 1
        less = value < edges[low + half]
        low = low if less else low + half + 1
        left = half if less else left - half - 1
    number = low - first
    for k in range(low, low + left):
        number += 0 if value < edges[k] else 1
    return number


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def evaluate(  # noqa: C901  (kinds of leaves)
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
    inputs, root = values.shape[1], len(nodes) - 1
    most = 1 if depth else TOGETHER
    rows = np.empty((most, inputs))
    bits = rows.view(np.int64)
    at = np.empty(most, np.int64)
    single = np.empty((len(code) + 1, most))
    registers = np.empty((len(code) + 1, out.shape[1]))
    words = np.empty(len(keys) + 1, np.uint64)
    saved = np.empty((depth + 1, inputs))
    pending = np.empty(depth + 1, np.int64)
    for begin in range(0, len(values), most):
        n, level = min(most, len(values) - begin), 0
        for e in range(n):
            at[e] = root
            for v in range(inputs):
                rows[e, v] = values[begin + e, v]
        while True:
            status, element, which = _go_down(
                nodes, axes, children, keys, edges, integers, rows[:n], bits, at
            )
            if status != GOOD:
                return status, begin + element, which, bits[element, which]
            if nodes[at[0], 0] == TRANSFORM:  # its rule sees the inputs as they are
                saved[level] = rows[0]
                pending[level] = at[0]
                level += 1
                at[0] = children[nodes[at[0], 4]]
                continue
            some = out[begin : begin + n]
            start = 0
            while start < n:  # neighbours whose leaves are of one kind
                kind, first = nodes[at[start], 0], nodes[at[start], 1]
                stop = start + 1
                while stop < n and nodes[at[stop], 0] == kind and nodes[at[stop], 1] == first:
                    stop += 1
                if kind == FORMULA:
                    program = (programs[first, 0], programs[first, 0] + programs[first, 1])
                    _formula(
                        *(nodes, at, start, stop, code, program, literals, parameters, shared),
                        *(rows, single, registers, some),
                    )
                elif kind == CONSTANT:
                    for e in range(start, stop):
                        leaf = nodes[at[e], 4]
                        for s in range(out.shape[1]):
                            some[e, s] = parameters[leaf, s]
                else:
                    for e in range(start, stop):
                        hashed = nodes[at[e], 2]
                        for k in range(hashed):
                            words[k] = np.uint64(bits[e, keys[first + k]])
                        some[e] = random_number(words[:hashed], nodes[at[e], 3])
                start = stop
            if level == 0:
                break
            level -= 1
            rule = pending[level]
            rows[0] = saved[level]
            v = nodes[rule, 1]
            if integers[v]:
                bits[0, v] = _rounded(some[0, 0])
            else:
                rows[0, v] = some[0, 0]
            at[0] = children[nodes[rule, 4] + 1]
    return GOOD, 0, 0, 0


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _go_down(  # noqa: C901  (kinds of nodes)
    nodes: NDArray[np.int64],
    axes: NDArray[np.int64],
    children: NDArray[np.int64],
    keys: NDArray[np.int64],
    edges: NDArray[np.float64],
    integers: NDArray[np.int64],
    rows: NDArray[np.float64],
    bits: NDArray[np.int64],
    at: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Move all elements from their nodes to leaves or transforms, as of `evaluate`."""
    n, status, which, moved = len(rows), GOOD, 0, True
    while moved:
        moved = False
        for e in range(n):
            node = at[e]
            kind, first, second = nodes[node, 0], nodes[node, 1], nodes[node, 2]
            flow, child = nodes[node, 3], 0
            if kind == BINNING:
                for k in range(first, first + second):
                    v, edge, bins = axes[k, 0], axes[k, 2], axes[k, 3]
                    value = np.float64(bits[e, v]) if integers[v] else rows[e, v]
                    if axes[k, 1]:
                        bin_number = _uniform_bin(edges[edge], edges[edge + 1], bins, flow, value)
                    else:
                        if flow == WRAP:
                            value = _wrapped(edges[edge], edges[edge + bins], value)
                        above = _edges_not_above(edges, edge, bins + 1, value)
                        bin_number = _free_bin(above, bins, flow, value)
                    if bin_number < 0:
                        status, which, n = -bin_number, v, e  # those after it do not count
                        break
                    if bin_number == bins:  # the default comes after all
                        child = axes[first, 3] * axes[first, 4]
                        break
                    child += bin_number * axes[k, 4]
            elif kind == CATEGORY:
                low, count = second + 1, keys[second]
                high = low + count
                while low < high:
                    middle = (low + high) >> 1
                    if keys[middle] < bits[e, first]:
                        low = middle + 1
                    else:
                        high = middle
                child = low - second - 1
                if child == count or keys[low] != bits[e, first]:
                    child = count
                    if not flow:
                        status, which, n = MISSING, first, e
            else:
                continue
            if n == e:
                break
            at[e] = children[nodes[node, 4] + child]
            moved = True
    return status, n, which


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _formula(  # noqa: C901  (a list)
    nodes: NDArray[np.int64],
    at: NDArray[np.int64],
    start: int,
    stop: int,
    code: NDArray[np.int64],
    program: tuple[int, int],
    literals: NDArray[np.float64],
    parameters: NDArray[np.float64],
    shared: NDArray[np.int64],
    rows: NDArray[np.float64],
    single: NDArray[np.float64],
    registers: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Values of some elements whose leaves have one formula, as of `evaluate`.

    ``single`` has room for what all corrections share, of all of them, and ``registers`` for
    what they do not, of one element.
    """
    first, last = program[0], program[1] - program[0] - 1
    for k in range(last + 1):
        op, a, b = code[first + k, 0], code[first + k, 1], code[first + k, 2]
        if not shared[first + k]:
            continue
        if op == PARAMETER:
            for e in range(start, stop):
                single[k, e] = parameters[nodes[at[e], 4] + a, 0]
        elif op == VARIABLE:
            for e in range(start, stop):
                single[k, e] = rows[e, a]
        elif op == LITERAL:
            for e in range(start, stop):
                single[k, e] = literals[a]
        elif op == TIMES:
            for e in range(start, stop):
                single[k, e] = single[a, e] * single[b, e]
        elif op == PLUS:
            for e in range(start, stop):
                single[k, e] = single[a, e] + single[b, e]
        elif op == DIV:
            for e in range(start, stop):
                single[k, e] = single[a, e] / single[b, e]
        elif op == MAX:
            for e in range(start, stop):
                x, y = single[a, e], single[b, e]
                single[k, e] = y if x < y else x
        elif op == MIN:
            for e in range(start, stop):
                x, y = single[a, e], single[b, e]
                single[k, e] = y if y < x else x
        elif op == SQRT:
            for e in range(start, stop):
                single[k, e] = math.sqrt(single[a, e])
        else:
            for e in range(start, stop):
                single[k, e] = _apply(op, single[a, e], single[b, e])
    lanes = out.shape[1]
    if shared[first + last]:
        for e in range(start, stop):
            number = single[last, e]
            for s in range(lanes):
                out[e, s] = number
        return
    for e in range(start, stop):
        leaf = nodes[at[e], 4]
        for k in range(last + 1):
            op, a, b = code[first + k, 0], code[first + k, 1], code[first + k, 2]
            if shared[first + k] == ONCE:
                continue
            if shared[first + k] == SPREAD:
                number = single[k, e]
                for s in range(lanes):
                    registers[k, s] = number
            elif op == PARAMETER:
                for s in range(lanes):
                    registers[k, s] = parameters[leaf + a, s]
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
        for s in range(lanes):
            out[e, s] = registers[last, s]
