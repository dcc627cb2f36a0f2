"""The profile likelihood along the parameter of interest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.fit.kernel import HIGH, LOW
from spectrum_workflows.hep.fit.minimum import Minimum, covariance, found, minimum
from spectrum_workflows.hep.fit.model import Model, compiled
from spectrum_workflows.hep.types import LikelihoodScan

if TYPE_CHECKING:
    from spectrum_workflows.hep.types import LikelihoodFit

POINTS = 13
"""Of the scan."""

REACH = 2.5
"""Standard deviations of the Hesse matrix to which it goes, on both sides of the best fit."""


def scan(fit: LikelihoodFit, *, points: int = POINTS) -> LikelihoodScan:
    """The scan of a fit; see `scan_likelihood`."""
    return scan_likelihood(fit.workspace, points=points)


def scan_likelihood(workspace: Mapping[str, Any], *, points: int = POINTS) -> LikelihoodScan:
    """Fit all other parameters with the one of interest held, at points around the best fit.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf.
    points : int
        At least 3.

    Returns
    -------
    LikelihoodScan

    Raises
    ------
    SpecError
        There are fewer points.
    DataError
        The workspace is not one, or a fit does not converge.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(1, 0, 1, name="x")
    >>> described = hep.workspace(
    ...     {
    ...         ("top", "4j"): hep.fill([0.5] * 10_000, axis, weight=[0.01] * 10_000),
    ...         ("data", "4j"): hep.fill([0.5] * 100, axis),
    ...     },
    ...     signal="top",
    ... )
    >>> low, high = hep.scan_likelihood(described).interval
    >>> f"1 -{1 - low:.2f} +{high - 1:.2f}"
    '1 -0.10 +0.10'
    """
    if points < 3:
        raise SpecError(f"a scan of {points} points", "scan", "choose 3 or more")
    model = compiled(workspace)
    at = found(minimum(model))
    error = float(np.sqrt(covariance(model, at)[model.poi, model.poi]))
    best = float(at.values[model.poi])
    reach, (low, high) = REACH * error, model.arrays.parameters[[LOW, HIGH], model.poi]
    values = np.linspace(max(best - reach, low), min(best + reach, high), points)
    rises = [_rise(model, at, value) for value in values.tolist()]
    interval = (_crossing(model, at, -error), _crossing(model, at, error))
    name = model.names[model.poi]
    return LikelihoodScan(name, best, error, values, np.array(rises), interval)


def _rise(model: Model, at: Minimum, value: float) -> float:
    """Twice the rise of the negative logarithm of the likelihood from the best fit to a value."""
    here = found(minimum(model, start=at.values, held={model.poi: value}), "scan")
    return 2 * (here.distance - at.distance)


def _crossing(model: Model, at: Minimum, step: float) -> float:
    """Where it has risen by 1 on one side; NaN if that is beyond the parameter's range."""
    best = float(at.values[model.poi])
    low, high = model.arrays.parameters[[LOW, HIGH], model.poi]
    inner, outer = best, best
    while _rise(model, at, outer) < 1:
        inner, outer = outer, outer + step
        if not low <= outer <= high or abs(outer - best) > 20 * abs(step):
            return float("nan")
    return float(brentq(lambda v: _rise(model, at, v) - 1, inner, outer, rtol=1e-6))
