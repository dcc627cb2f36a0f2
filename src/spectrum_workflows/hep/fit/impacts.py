"""Impacts of nuisance parameters on what is measured, each by fits of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spectrum_workflows.hep.fit.kernel import FLAT, GAUSSIAN, HIGH, LOW, WIDTH
from spectrum_workflows.hep.fit.minimum import covariance, found, minimum
from spectrum_workflows.hep.fit.model import Floats, Model, compiled
from spectrum_workflows.hep.fit.unfolding import Question, factors, unfolding_likelihood
from spectrum_workflows.hep.types import Impacts, UnfoldingImpacts


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
    shifts = np.array([_shifts(model, at.values, errors, p) for p in moved])
    shifts = shifts.reshape(len(moved), 2, len(model.names))[:, :, model.poi]
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


def unfolding_impacts(
    workspace: Mapping[str, Any], truth: Mapping[str, float], *, regularisation: float = 0.0
) -> UnfoldingImpacts:
    """Impacts of every nuisance parameter on the factor of every bin of the truth.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf, with a ``normfactor`` for every bin of the truth.
    truth : mapping of str to float
        As of `unfold`.
    regularisation : float
        As of `unfold`.

    Returns
    -------
    UnfoldingImpacts
        Of all parameters that are no factors of bins of the truth.

    Raises
    ------
    SpecError, DataError
        As of `unfold`.

    Examples
    --------
    >>> from spectrum_workflows import hep
    >>> def template(name, data):
    ...     factor = {"name": name, "type": "normfactor", "data": None}
    ...     rate = {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    ...     return {"name": name, "data": data, "modifiers": [factor, rate]}
    >>> described = {
    ...     "channels": [
    ...         {"name": "pt", "samples": [template("low", [80, 20]), template("high", [10, 40])]}
    ...     ],
    ...     "observations": [{"name": "pt", "data": [90, 60]}],
    ...     "measurements": [{"name": "m", "config": {"poi": "low", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> ranked = hep.unfolding_impacts(described, {"low": 200.0, "high": 100.0})
    >>> ranked.names, ranked.down.round(3).tolist()
    (('rate',), [[0.111, 0.111]])
    """
    names = tuple(truth)
    model = unfolding_likelihood(Question(workspace, names, regularisation))
    at = found(minimum(model), "unfolding")
    strengths, spread = factors(model, at, names)
    errors = np.sqrt(np.diag(covariance(model, at)))
    bins = [model.sets[name].start for name in names]
    moved = [p for p in range(len(model.names)) if p not in bins and errors[p] > 0]
    shifts = np.array([_shifts(model, at.values, errors, p) for p in moved])
    shifts = shifts.reshape(len(moved), 2, len(model.names))[:, :, bins]
    own = np.sqrt(np.diag(spread))
    size = np.abs(shifts / own).max(axis=(1, 2), initial=0.0)
    order = np.argsort(-size, kind="stable")
    return UnfoldingImpacts(
        truth=names,
        strengths=strengths,
        errors=own,
        names=tuple(model.names[moved[k]] for k in order),
        up=shifts[order, 0],
        down=shifts[order, 1],
    )


def _shifts(model: Model, best: Floats, errors: Floats, p: int) -> tuple[Floats, Floats]:
    """Shifts of all parameters with one nuisance up and down, inside its range."""
    low, high = model.arrays.parameters[[LOW, HIGH], p]
    out = []
    for sign in (1, -1):
        value = float(np.clip(best[p] + sign * errors[p], low, high))
        at = found(minimum(model, start=best, held={p: value}), f"impact of {model.names[p]}")
        out.append(at.values - best)
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
