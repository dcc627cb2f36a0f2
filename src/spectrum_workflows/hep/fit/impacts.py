"""Impacts of nuisance parameters on the parameter of interest, each by fits of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spectrum_workflows.hep.fit.kernel import FLAT, GAUSSIAN, HIGH, LOW, WIDTH
from spectrum_workflows.hep.fit.minimum import covariance, found, minimum
from spectrum_workflows.hep.fit.model import Floats, Model, compiled
from spectrum_workflows.hep.types import Impacts


def impacts(workspace: Mapping[str, Any]) -> Impacts:
    """Move every nuisance parameter by a standard deviation, and fit all others again.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf.

    Returns
    -------
    Impacts
        Of all nuisance parameters, those of the simulation's statistics in single bins too.

    Raises
    ------
    DataError
        The workspace is not one, or a fit does not converge.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(1, 0, 1, name="x")
    >>> described = hep.workspace(
    ...     {
    ...         ("top", "4j"): hep.fill([0.5] * 10_000, axis),
    ...         ("data", "4j"): hep.fill([0.5] * 10_000, axis),
    ...     },
    ...     signal="top",
    ...     luminosity_error=0.03,
    ... )
    >>> ranked = hep.impacts(described)
    >>> ranked.names[0], round(float(ranked.up[0]), 3), round(float(ranked.down[0]), 3)
    ('luminosity', -0.029, 0.031)
    """
    model = compiled(workspace)
    at = found(minimum(model))
    errors = np.sqrt(np.diag(covariance(model, at)))
    moved = [p for p in range(len(model.names)) if p != model.poi and errors[p] > 0]
    shifts = np.array([_shifts(model, at.values, errors, p) for p in moved]).reshape(-1, 2)
    order = np.argsort(-np.abs(shifts).max(axis=1, initial=0.0), kind="stable")
    chosen = np.array(moved, np.int64)[order]
    pulls, pull_errors = _pulls(model, at.values, errors)
    return Impacts(
        poi=model.names[model.poi],
        best=float(at.values[model.poi]),
        error=float(errors[model.poi]),
        names=tuple(model.names[p] for p in chosen),
        values=at.values[chosen],
        errors=errors[chosen],
        pulls=pulls[chosen],
        pull_errors=pull_errors[chosen],
        up=shifts[order, 0],
        down=shifts[order, 1],
    )


def _shifts(model: Model, best: Floats, errors: Floats, p: int) -> tuple[float, float]:
    """Shifts of the parameter of interest with one nuisance up and down, inside its range."""
    low, high = model.arrays.parameters[[LOW, HIGH], p]
    out = []
    for sign in (1, -1):
        value = float(np.clip(best[p] + sign * errors[p], low, high))
        at = found(minimum(model, start=best, held={p: value}), f"impact of {model.names[p]}")
        out.append(float(at.values[model.poi] - best[model.poi]))
    return out[0], out[1]


def _pulls(model: Model, values: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Shifts from the centres of the constraints, and their errors, in units of their widths."""
    constraint, given = model.arrays.constraint, model.arrays.parameters[WIDTH]
    count = np.where(constraint == FLAT, 1.0, model.centre)
    normal = constraint == GAUSSIAN
    centre = np.where(normal, model.centre, count / given)
    width = np.where(normal, given, np.sqrt(np.maximum(count, 0)) / given)
    pulls, pull_errors = (values - centre) / width, errors / width
    without = (constraint == FLAT) | (width == 0)
    pulls[without] = pull_errors[without] = np.nan
    return pulls, pull_errors
