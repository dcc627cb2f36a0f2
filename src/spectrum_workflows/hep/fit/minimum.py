"""The best fit of a compiled model, its errors, and what is expected there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.fit import kernel
from spectrum_workflows.hep.fit.model import Model

Floats = NDArray[np.float64]

TOLERANCE = 1e-11
"""Of the distance to the minimum: values are within some 5e-6 standard deviations."""


ATTEMPTS = 6
"""Of a minimisation."""


@dataclass(frozen=True)
class Minimum:
    """The best fit, of all parameters or with some held.

    Attributes
    ----------
    values : ndarray, shape (n_parameters,)
    distance : float
        Negative logarithm of the likelihood, less that of a model that meets all of the data.
    steps : int
    found : bool
        Whether it is one.
    """

    values: Floats
    distance: float
    steps: int
    found: bool


def minimum(
    model: Model,
    *,
    data: Floats | None = None,
    centre: Floats | None = None,
    start: Floats | None = None,
    held: Mapping[int, float] | None = None,
) -> Minimum:
    """Minimise the negative logarithm of the likelihood.

    Parameters
    ----------
    model : Model
    data : ndarray, shape (n_bins,), optional
        The model's own, if left out.
    centre : ndarray, shape (n_parameters,), optional
        Of the constraints; the model's own, if left out.
    start : ndarray, shape (n_parameters,), optional
        Where to begin.
    held : mapping of int to float, optional
        Parameters that are held at a value.
    """
    low, high = model.arrays.parameters[kernel.LOW], model.arrays.parameters[kernel.HIGH]
    begin = np.clip(model.start if start is None else start, low, high)
    begin[model.fixed] = model.start[model.fixed]
    fixed = np.array(model.fixed)
    for index, value in (held or {}).items():
        begin[index], fixed[index] = value, True
    given = (
        model.data if data is None else data,
        model.centre if centre is None else centre,
    )
    taken = 0
    for _ in range(ATTEMPTS):  # each goes on where the last one stopped
        begin, distance, steps, how = kernel.minimise(model.arrays, *given, begin, fixed, TOLERANCE)
        taken += int(steps)
        if how in {kernel.FOUND, kernel.NO_NUMBER}:
            break
    return Minimum(begin, float(distance), taken, how == kernel.FOUND)


def found(at: Minimum, where: str = "fit") -> Minimum:
    """The minimum, if it is one.

    Raises
    ------
    DataError
        It is none, or there is none where parameters are held.
    """
    if not np.isfinite(at.distance):
        remedy = "merge bins (rebin), or leave them out (start, stop)"
        raise DataError("data stands where nothing is expected without the signal", where, remedy)
    if not at.found:
        remedy = "look for empty bins and for variations without events"
        raise DataError("the minimisation does not converge", where, remedy)
    return at


def expected(model: Model, values: Floats) -> Floats:
    """Expected events at some values of the parameters; shape (n_bins,)."""
    return np.asarray(kernel.evaluate(model.arrays, values, model.data, model.centre)[1])


def covariance(model: Model, at: Minimum) -> Floats:
    """Inverse of the matrix of second derivatives at the best fit; 0 for what is fixed.

    Derivatives of the gradient are differences over a thousandth of a standard deviation.

    Raises
    ------
    DataError
        The matrix is not positive definite.
    """
    free = ~model.fixed
    _, first = _derivatives(model, at.values)
    scale = 1e-3 / np.sqrt(np.maximum(np.diag(first), 1e-30))
    second = np.zeros_like(first)
    for p in np.flatnonzero(free):
        step = np.zeros(len(free))
        step[p] = scale[p]
        up, down = (_derivatives(model, at.values + sign * step)[0] for sign in (1, -1))
        second[p] = (up - down) / (2 * scale[p])
    out = np.zeros_like(second)
    inner = np.ix_(free, free)
    try:
        symmetric = (second[inner] + second[inner].T) / 2
        np.linalg.cholesky(symmetric)
        out[inner] = np.linalg.inv(symmetric)
    except np.linalg.LinAlgError:
        message = "the second derivatives at the best fit have no inverse"
        remedy = "leave out parameters that change nothing, or alike: prune them, or merge bins"
        raise DataError(message, "fit", remedy) from None
    return out


def _derivatives(model: Model, values: Floats) -> tuple[Floats, Floats]:
    _, _, gradient, matrix = kernel.evaluate(model.arrays, values, model.data, model.centre)
    return gradient, matrix
