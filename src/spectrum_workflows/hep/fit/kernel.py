"""The likelihood of a HistFactory model and its derivatives, and the way to its minimum.

Expected events of a bin are the sum over its templates of factors times the content with its
shapes shifted.  Interpolation is pyhf's default and ROOT's: for yields a polynomial of sixth
degree inside one standard deviation and exponentials outside (code 4), for shapes a polynomial
inside and straight lines outside (code 4p).
"""

from __future__ import annotations

from math import inf, log
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FLAT, GAUSSIAN, POISSON = range(3)
"""Constraints of parameters."""

BIN, BEGIN, SIZE, SHAPES, SCALES, FACTORS, GAMMAS = range(7)
"""Columns of the table of templates: where each stands, and where its effects begin."""

LOW, HIGH, WIDTH = range(3)
"""Rows of the table of parameters."""

FOUND, STUCK, TOO_LONG, NO_NUMBER = range(4)
"""How a minimisation ended."""

MOST_STEPS = 500
"""Steps after which a minimisation is given up."""

CURVED = 1e-9
"""Distance to the minimum below which differences of the likelihood are rounding."""

MUCH = 0.75
"""Share of what a step promised below which it went too far."""

PATIENT = 12
"""Steps after which all second derivatives are taken: data far from the model, or at an end."""

NEAR = 1e-4
"""Standard deviations over which gradients differ for a second derivative."""

SHORTEST = 2.0**-40
"""Share of a step below which no shorter one is tried."""


outer = njit(cache=True, nogil=True, error_model="numpy")
inner = njit(
    cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)
"""What no Python calls has no entry for it, which would take longer to compile than all else."""


@inner  # type: ignore[untyped-decorator]
def yield_factor(alpha: float, yields: Floats, k: int) -> tuple[float, float]:
    """Factor of a yield at a shift, and its derivative (code 4)."""
    if alpha >= 1.0:
        value = yields[k, 0] ** alpha
        return value, value * log(yields[k, 0])
    if alpha <= -1.0:
        value = yields[k, 1] ** -alpha
        return value, -value * log(yields[k, 1])
    value, slope, power = 1.0, 0.0, 1.0
    for n in range(6):
        slope += (n + 1) * yields[k, n + 2] * power
        power *= alpha
        value += yields[k, n + 2] * power
    return value, slope


@inner  # type: ignore[untyped-decorator]
def shape_shares(alpha: float) -> tuple[float, float, float, float]:
    """Shares of the shifts up and down at a shift, and their derivatives (code 4p)."""
    if alpha > 1.0:
        return alpha, 0.0, 1.0, 0.0
    if alpha < -1.0:
        return 0.0, alpha, 0.0, 1.0
    square = alpha * alpha
    bend = 0.0625 * square * (15.0 + square * (3.0 * square - 10.0))
    slope = 0.0625 * alpha * (30.0 + square * (18.0 * square - 40.0))
    return 0.5 * alpha + bend, 0.5 * alpha - bend, 0.5 + slope, 0.5 - slope


@inner  # type: ignore[untyped-decorator]
def expect(model: Any, x: Floats, yields: Floats, slopes: Floats, sloped: bool) -> None:
    """Write the expected events of every template, and the derivatives of every bin.

    Parameters
    ----------
    model : Arrays
    x : ndarray, shape (n_parameters,)
    yields : ndarray, shape (n_contents,)
        Written: expected events, template after template.
    slopes : ndarray, shape (n_parameters, n_bins)
        Written if ``sloped``: derivatives of the sums of all templates.
    sloped : bool
    """
    if sloped:
        for p in range(slopes.shape[0]):
            for b in range(slopes.shape[1]):
                slopes[p, b] = 0.0
    for t in range(len(model.templates) - 1):
        begin, size = model.templates[t, BEGIN], model.templates[t, SIZE]
        for i in range(begin, begin + size):
            yields[i] = model.content[i]
        for k in range(model.templates[t, SHAPES], model.templates[t + 1, SHAPES]):
            up, down, _, _ = shape_shares(x[model.shapes[k, 0]])
            at = model.shapes[k, 1]
            for i in range(size):
                shift = up * model.shifts[0, at + i] + down * model.shifts[1, at + i]
                yields[begin + i] += shift
        factor = _factor(model, x, t, -1, -1)
        if sloped:
            _slope_of_bins(model, x, t, yields, factor, slopes)
            _slope_of_factors(model, x, t, yields, slopes)
        for i in range(size):
            yields[begin + i] *= factor * _gamma(model, x, t, i, -1)


@inner  # type: ignore[untyped-decorator]
def _factor(model: Any, x: Floats, t: int, scale: int, factor: int) -> float:
    """Product of the factors of a whole template, without one of them."""
    product = 1.0
    for k in range(model.templates[t, FACTORS], model.templates[t + 1, FACTORS]):
        if k != factor:
            product *= x[model.factor_of[k]]
    for k in range(model.templates[t, SCALES], model.templates[t + 1, SCALES]):
        if k != scale:
            product *= yield_factor(x[model.scale_of[k]], model.yields, k)[0]
    return product


@inner  # type: ignore[untyped-decorator]
def _gamma(model: Any, x: Floats, t: int, i: int, gamma: int) -> float:
    """Product of the factors of one bin, without one of them."""
    product = 1.0
    for k in range(model.templates[t, GAMMAS], model.templates[t + 1, GAMMAS]):
        if k != gamma:
            product *= x[model.gamma_of[k] + i]
    return product


@inner  # type: ignore[untyped-decorator]
def _slope_of_bins(
    model: Any, x: Floats, t: int, yields: Floats, factor: float, slopes: Floats
) -> None:
    """Add the derivatives of one template by its shapes and by factors of single bins."""
    first, begin, size = (
        model.templates[t, BIN],
        model.templates[t, BEGIN],
        model.templates[t, SIZE],
    )
    for k in range(model.templates[t, SHAPES], model.templates[t + 1, SHAPES]):
        p, at = model.shapes[k, 0], model.shapes[k, 1]
        _, _, up, down = shape_shares(x[p])
        for i in range(size):
            shift = up * model.shifts[0, at + i] + down * model.shifts[1, at + i]
            slopes[p, first + i] += factor * _gamma(model, x, t, i, -1) * shift
    for k in range(model.templates[t, GAMMAS], model.templates[t + 1, GAMMAS]):
        for i in range(size):
            others = factor * _gamma(model, x, t, i, k)
            slopes[model.gamma_of[k] + i, first + i] += others * yields[begin + i]


@inner  # type: ignore[untyped-decorator]
def _slope_of_factors(model: Any, x: Floats, t: int, yields: Floats, slopes: Floats) -> None:
    """Add the derivatives of one template by factors of all of it."""
    first, begin, size = (
        model.templates[t, BIN],
        model.templates[t, BEGIN],
        model.templates[t, SIZE],
    )
    for k in range(model.templates[t, SCALES], model.templates[t + 1, SCALES]):
        p = model.scale_of[k]
        _, slope = yield_factor(x[p], model.yields, k)
        slope *= _factor(model, x, t, k, -1)
        for i in range(size):
            slopes[p, first + i] += slope * _gamma(model, x, t, i, -1) * yields[begin + i]
    for k in range(model.templates[t, FACTORS], model.templates[t + 1, FACTORS]):
        p, slope = model.factor_of[k], _factor(model, x, t, -1, k)
        for i in range(size):
            slopes[p, first + i] += slope * _gamma(model, x, t, i, -1) * yields[begin + i]


@inner  # type: ignore[untyped-decorator]
def total(model: Any, yields: Floats, expected: Floats) -> None:
    """Write the sums of the templates; shape (n_bins,)."""
    for b in range(len(expected)):
        expected[b] = 0.0
    for t in range(len(model.templates) - 1):
        first, begin = model.templates[t, BIN], model.templates[t, BEGIN]
        for i in range(model.templates[t, SIZE]):
            expected[first + i] += yields[begin + i]


@inner  # type: ignore[untyped-decorator]
def distance(model: Any, x: Floats, data: Floats, centre: Floats, expected: Floats) -> float:
    """Negative logarithm of the likelihood, less that of a model that meets all of the data."""
    sum_ = 0.0
    for b in range(len(data)):
        n, nu = data[b], expected[b]
        if not nu >= 0.0 or (nu == 0.0 and n > 0.0):
            return inf
        sum_ += nu - n
        if n > 0.0:
            sum_ += n * log(n / nu)
    for p in range(len(x)):
        if model.constraint[p] == GAUSSIAN:
            pull = (x[p] - centre[p]) / model.parameters[WIDTH, p]
            sum_ += 0.5 * pull * pull
        elif model.constraint[p] == POISSON:
            n, nu = centre[p], x[p] * model.parameters[WIDTH, p]
            sum_ += nu - n
            if n > 0.0:
                sum_ += n * log(n / nu)
    for k in range(model.penalty.shape[0]):
        apart = 0.0
        for p in range(len(x)):
            apart += model.penalty[k, p] * x[p]
        sum_ += 0.5 * apart * apart
    return sum_


@inner  # type: ignore[untyped-decorator]
def differentiate(
    model: Any,
    x: Floats,
    data: Floats,
    centre: Floats,
    expected: Floats,
    slopes: Floats,
    gradient: Floats,
    matrix: Floats,
) -> None:
    """Write the gradient, and the second derivatives without those of the expectation."""
    n_parameters, n_bins = slopes.shape
    surplus, weight = np.empty(n_bins), np.empty(n_bins)
    for b in range(n_bins):
        nu = max(expected[b], 1e-300)
        surplus[b] = 1.0 - data[b] / nu
        weight[b] = max(data[b], 1e-3 * nu) / (nu * nu) if nu > 1e-300 else 0.0
    for p in range(n_parameters):
        sum_ = 0.0
        for b in range(n_bins):
            sum_ += surplus[b] * slopes[p, b]
        gradient[p] = sum_
        for q in range(p + 1):
            sum_ = 0.0
            for b in range(n_bins):
                sum_ += weight[b] * slopes[p, b] * slopes[q, b]
            matrix[p, q] = sum_
            matrix[q, p] = sum_
        if model.constraint[p] == GAUSSIAN:
            width = model.parameters[WIDTH, p]
            gradient[p] += (x[p] - centre[p]) / (width * width)
            matrix[p, p] += 1.0 / (width * width)
        elif model.constraint[p] == POISSON:
            gradient[p] += model.parameters[WIDTH, p] - centre[p] / x[p]
            matrix[p, p] += centre[p] / (x[p] * x[p])
    _regularise(model, x, gradient, matrix)


@inner  # type: ignore[untyped-decorator]
def _regularise(model: Any, x: Floats, gradient: Floats, matrix: Floats) -> None:
    """Add the derivatives of what holds combinations of parameters at 0."""
    for k in range(model.penalty.shape[0]):
        apart = 0.0
        for p in range(len(x)):
            apart += model.penalty[k, p] * x[p]
        for p in range(len(x)):
            gradient[p] += apart * model.penalty[k, p]
            for q in range(len(x)):
                matrix[p, q] += model.penalty[k, p] * model.penalty[k, q]


@inner  # type: ignore[untyped-decorator]
def decompose(matrix: Floats, free: NDArray[np.bool_], lower: Floats) -> bool:
    """Cholesky's decomposition of the free part of a matrix; whether it is positive definite.

    Our own, so that results depend on no library's number of threads.
    """
    for i in range(len(matrix)):
        for j in range(i + 1):
            lower[i, j] = 0.0
            if not (free[i] and free[j]):
                continue
            sum_ = matrix[i, j]
            for k in range(j):
                sum_ -= lower[i, k] * lower[j, k]
            if i > j:
                lower[i, j] = sum_ / lower[j, j]
            elif sum_ > 1e-14 * matrix[i, i]:
                lower[i, i] = np.sqrt(sum_)
            else:
                return False
    return True


@inner  # type: ignore[untyped-decorator]
def solve(lower: Floats, vector: Floats, free: NDArray[np.bool_], out: Floats) -> None:
    """Write the solution for the free parameters; others get 0."""
    n = len(vector)
    for i in range(n):
        out[i] = 0.0
        if free[i]:
            sum_ = vector[i]
            for k in range(i):
                sum_ -= lower[i, k] * out[k]
            out[i] = sum_ / lower[i, i]
    for i in range(n - 1, -1, -1):
        if free[i]:
            sum_ = out[i]
            for k in range(i + 1, n):
                sum_ -= lower[k, i] * out[k]
            out[i] = sum_ / lower[i, i]


@inner  # type: ignore[untyped-decorator]
def _may_move(
    model: Any,
    x: Floats,
    fixed: NDArray[np.bool_],
    gradient: Floats,
    matrix: Floats,
    free: NDArray[np.bool_],
) -> None:
    """Write which parameters are free: neither fixed, nor without effect, nor pushed at an end."""
    for p in range(len(x)):
        below = x[p] <= model.parameters[LOW, p] and gradient[p] >= 0.0
        above = x[p] >= model.parameters[HIGH, p] and gradient[p] <= 0.0
        free[p] = not (fixed[p] or below or above or matrix[p, p] == 0.0)


@inner  # type: ignore[untyped-decorator]
def _step(
    matrix: Floats, gradient: Floats, free: NDArray[np.bool_], damping: float, step: Floats
) -> float:
    """Write Newton's step, damped until it leads down; half of what it promises, or less than 0."""
    n = len(gradient)
    lower, damped, down = np.empty((n, n)), np.empty((n, n)), np.empty(n)
    for p in range(n):
        down[p] = -gradient[p]
        for q in range(n):
            damped[p, q] = matrix[p, q]
    while True:
        for p in range(n):
            damped[p, p] = matrix[p, p] * (1.0 + damping)
        if decompose(damped, free, lower):
            break
        damping = max(10.0 * damping, 1e-8)
        if damping > 1e8:
            return -1.0
    solve(lower, down, free, step)
    promised = 0.0
    for p in range(n):
        promised += 0.5 * down[p] * step[p]
    return promised


@inner  # type: ignore[untyped-decorator]
def _curve(
    model: Any,
    x: Floats,
    data: Floats,
    centre: Floats,
    yields: Floats,
    expected: Floats,
    slopes: Floats,
    gradient: Floats,
    matrix: Floats,
    second: Floats,
) -> None:
    """Write all second derivatives: differences of the gradient over small steps."""
    n = len(x)
    moved, other, rough = np.empty(n), np.empty(n), np.empty((n, n))
    for p in range(n):
        moved[p] = x[p]
    for p in range(n):
        if matrix[p, p] <= 0.0:
            for q in range(n):
                second[p, q] = 0.0
            continue
        width = NEAR / np.sqrt(matrix[p, p])
        moved[p] = x[p] + width
        expect(model, moved, yields, slopes, True)
        total(model, yields, expected)
        differentiate(model, moved, data, centre, expected, slopes, other, rough)
        moved[p] = x[p]
        for q in range(n):
            second[p, q] = (other[q] - gradient[q]) / width
    for p in range(n):
        for q in range(p):
            mean = 0.5 * (second[p, q] + second[q, p])
            second[p, q] = mean
            second[q, p] = mean


@inner  # type: ignore[untyped-decorator]
def _move(
    model: Any,
    x: Floats,
    value: float,
    step: Floats,
    gradient: Floats,
    data: Floats,
    centre: Floats,
    yields: Floats,
    expected: Floats,
    slopes: Floats,
) -> tuple[float, float]:
    """Go along the step as far as it leads down: the share of it, and the value there.

    Written: x.
    """
    share, tried = 1.0, np.empty(len(x))
    while share > SHORTEST:
        promised = 0.0
        for p in range(len(x)):
            tried[p] = x[p]
            if step[p] != 0.0:
                moved = x[p] + share * step[p]
                tried[p] = min(max(moved, model.parameters[LOW, p]), model.parameters[HIGH, p])
            promised += gradient[p] * (tried[p] - x[p])
        expect(model, tried, yields, slopes, False)
        total(model, yields, expected)
        found = distance(model, tried, data, centre, expected)
        if found <= value + 1e-4 * promised + 1e-14 * (1.0 + abs(value)):
            for p in range(len(x)):
                x[p] = tried[p]
            return share, found
        share *= 0.5
    return 0.0, value


@outer  # type: ignore[untyped-decorator]
def minimise(
    model: Any,
    data: Floats,
    centre: Floats,
    start: Floats,
    fixed: NDArray[np.bool_],
    tolerance: float,
) -> tuple[Floats, float, int, int]:
    """Go down to the minimum inside the bounds: Gauss and Newton's steps, shortened if need be.

    Parameters
    ----------
    model : Arrays
    data : ndarray, shape (n_bins,)
    centre : ndarray, shape (n_parameters,)
        Of the constraints.
    start : ndarray, shape (n_parameters,)
        Inside the bounds, but for what is fixed.
    fixed : ndarray of bool, shape (n_parameters,)
        Parameters that stay where they start.
    tolerance : float
        Of the distance to the minimum as the last step estimates it.

    Returns
    -------
    (x, distance, steps, how)
        ``how`` is ``FOUND`` or what went wrong.
    """
    n_parameters, n_bins = len(start), len(data)
    x = start.copy()
    yields, expected = np.empty(len(model.content)), np.empty(n_bins)
    slopes = np.empty((n_parameters, n_bins))
    gradient, step = np.empty(n_parameters), np.empty(n_parameters)
    matrix, free = np.empty((n_parameters, n_parameters)), np.empty(n_parameters, np.bool_)
    second = np.empty((n_parameters, n_parameters))
    expect(model, x, yields, slopes, False)
    total(model, yields, expected)
    value = distance(model, x, data, centre, expected)
    if not value < inf:
        return x, value, 0, NO_NUMBER
    damping = 0.0
    for taken in range(MOST_STEPS):
        expect(model, x, yields, slopes, True)
        total(model, yields, expected)
        differentiate(model, x, data, centre, expected, slopes, gradient, matrix)
        _may_move(model, x, fixed, gradient, matrix, free)
        estimate = -1.0
        if taken >= PATIENT:
            _curve(model, x, data, centre, yields, expected, slopes, gradient, matrix, second)
            estimate = _step(second, gradient, free, damping, step)
        if not estimate >= 0.0:
            estimate = _step(matrix, gradient, free, damping, step)
        if not estimate >= 0.0:
            return x, value, taken, STUCK
        if estimate * (1.0 + damping) <= tolerance:
            return x, value, taken, FOUND
        share, reached = _move(
            model, x, value, step, gradient, data, centre, yields, expected, slopes
        )
        if share == 0.0:  # what is left is rounding, if the step promised next to nothing
            return x, value, taken, FOUND if estimate < 1e-7 else STUCK
        if share < 1.0:
            damping = max(10.0 * damping, 0.1)
        elif estimate > CURVED:
            gain = (value - reached) / estimate
            overshot = gain < MUCH  # the next step is damped by the curvature that this one met
            damping = min((2.0 - gain) * (1.0 + damping) - 1.0, 100.0) if overshot else 0.0
        else:
            damping = 0.0
        value = reached
    return x, value, MOST_STEPS, TOO_LONG


@outer  # type: ignore[untyped-decorator]
def evaluate(
    model: Any, x: Floats, data: Floats, centre: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Expected events of every template and of every bin, the gradient and the matrix."""
    n_parameters, n_bins = len(x), len(data)
    yields, expected = np.empty(len(model.content)), np.empty(n_bins)
    slopes, gradient = np.empty((n_parameters, n_bins)), np.empty(n_parameters)
    matrix = np.empty((n_parameters, n_parameters))
    expect(model, x, yields, slopes, True)
    total(model, yields, expected)
    differentiate(model, x, data, centre, expected, slopes, gradient, matrix)
    return yields, expected, gradient, matrix
