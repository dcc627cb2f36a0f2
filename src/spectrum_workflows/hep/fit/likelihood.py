"""Fit a HistFactory workspace with pyhf and MINUIT; pyhf is imported only here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError, MissingExtraError
from spectrum_workflows.hep.fit import workspace as making
from spectrum_workflows.hep.types import HepResult, LikelihoodFit, Templates

Floats = NDArray[np.float64]

ATTEMPTS = ((1, 0.001), (1, 0.1), (2, 0.1), (2, 1.0))
"""Strategy and tolerance of MINUIT, tried in this order until it converges."""


def likelihood(result: HepResult) -> LikelihoodFit:
    """Build the workspace of a result and fit it.

    Raises
    ------
    SpecError, DataError
        As `workspace.workspace` and `fit_workspace`.
    """
    described = making.workspace(result)
    regions = [channel["name"] for channel in described["channels"]]
    return fit_workspace(described, edges={r: making.edges(result, r) for r in regions})


def fit_workspace(
    workspace: Mapping[str, Any], *, edges: Mapping[str, Floats] | None = None
) -> LikelihoodFit:
    """Maximise the likelihood over all parameters; MIGRAD, then HESSE.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf.
    edges : mapping of region to ndarray, shape (n_bins + 1,), optional
        Bin edges, for the pictures; bins are numbered from 0 if left out.

    Returns
    -------
    LikelihoodFit
        Interpolation between templates is pyhf's default: polynomial with
        exponential extrapolation for yields (code 4), linear outside and
        polynomial inside one standard deviation for shapes (code 4p).

    Raises
    ------
    DataError
        The workspace is not one, or the fit does not converge.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(2, 0, 2, name="x")
    >>> described = hep.workspace(
    ...     {
    ...         ("top", "4j"): hep.fill([0.5] * 100 + [1.5] * 300, axis),
    ...         ("other", "4j"): hep.fill([0.5] * 900 + [1.5] * 100, axis),
    ...         ("data", "4j"): hep.fill([0.5] * 1_100 + [1.5] * 700, axis),
    ...     },
    ...     signal="top",
    ... )
    >>> fit = hep.fit_workspace(described)
    >>> fit.poi, round(float(fit.values[fit.names.index(fit.poi)]), 2)
    ('top_norm', 2.0)
    """
    pyhf, model, data = pyhf_model(workspace)
    values, errors, correlations, twice_nll = _minimised(pyhf, model, data)
    names = tuple(_parameter_names(model))
    regions = list(model.config.channels)
    edges = edges or {
        r: np.arange(model.config.channel_nbins[r] + 1, dtype=np.float64) for r in regions
    }
    init = np.asarray(model.config.suggested_init(), np.float64)
    prefit_errors = _prior_errors(model)
    uncorrelated = np.eye(len(names))
    saturated = _saturated(pyhf, model, data)
    ndf = int(sum(model.config.channel_nbins.values())) - _free(model)
    return LikelihoodFit(
        workspace,
        model.config.poi_name,
        names,
        values,
        errors,
        correlations,
        twice_nll,
        max(twice_nll - saturated, 0.0),
        ndf,
        _templates(model, init, prefit_errors, uncorrelated, edges),
        _templates(model, values, errors, correlations, edges),
        {r: np.asarray(data[model.config.channel_slices[r]], np.float64) for r in regions},
    )


def refitted(model: Any, data: Floats) -> tuple[Floats, Floats]:
    """Best fit and errors of a pyhf model for other data, as toys need it."""
    import pyhf

    values, errors, _, _ = _minimised(pyhf, model, data)
    return values, errors


def pyhf_model(workspace: Mapping[str, Any]) -> tuple[Any, Any, Floats]:
    """The module pyhf, its model of a workspace, and the data.

    Raises
    ------
    MissingExtraError
        There is no pyhf.
    DataError
        The workspace is not one.
    """
    try:
        import pyhf
    except ImportError as error:
        remedy = "pip install 'spectrum-workflows[hep]'"
        raise MissingExtraError("the likelihood fit needs pyhf", remedy=remedy) from error
    try:
        with quiet():
            pyhf_workspace = pyhf.Workspace(workspace)
            model = pyhf_workspace.model()
            return pyhf, model, np.asarray(pyhf_workspace.data(model), np.float64)
    except (pyhf.exceptions.InvalidSpecification, pyhf.exceptions.InvalidModel) as error:
        raise DataError(f"not a workspace ({str(error).splitlines()[0]})", "workspace") from error


def _minimised(pyhf: Any, model: Any, data: Floats) -> tuple[Floats, Floats, Floats, float]:
    """Values, errors, correlations and twice the negative log likelihood."""
    fit = partial(
        pyhf.infer.mle.fit,
        data,
        model,
        return_uncertainties=True,
        return_correlations=True,
        return_fitted_val=True,
    )
    fitted, correlations, value = _converged(pyhf, fit)
    values, errors = np.asarray(fitted, np.float64).T
    return values, errors, np.asarray(correlations, np.float64), float(value)


def _converged(pyhf: Any, fit: Callable[[], Any]) -> Any:
    """What a fit of pyhf's gives with the first settings of MINUIT that converge."""
    before = pyhf.get_backend()
    with quiet():
        try:
            for strategy, tolerance in ATTEMPTS:
                optimizer = pyhf.optimize.minuit_optimizer(strategy=strategy, tolerance=tolerance)
                pyhf.set_backend("numpy", optimizer)
                try:
                    return fit()
                except pyhf.exceptions.FailedMinimization:
                    continue
        finally:
            pyhf.set_backend(*before)
    remedy = "look for empty bins and for variations without events"
    raise DataError("the minimisation does not converge", "fit", remedy)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pyhf from printing whole matrices, and from warning of its own dependencies."""
    log = logging.getLogger("pyhf.optimize.mixins")
    level = log.level
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
        log.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            log.setLevel(level)


def _parameter_names(model: Any) -> list[str]:
    """Names in the order of the parameters; bins of one parameter are numbered."""
    out: list[str] = []
    for name in model.config.par_order:
        n = model.config.param_set(name).n_parameters
        out += [name] if n == 1 else [f"{name}[{k}]" for k in range(n)]
    return out


def _prior_errors(model: Any) -> Floats:
    """Widths of the constraints; 0 for what is free or fixed."""
    out: list[float] = []
    for name in model.config.par_order:
        parameter = model.config.param_set(name)
        free = not parameter.constrained
        out += [0.0] * parameter.n_parameters if free else list(parameter.width())
    fixed = np.asarray(model.config.suggested_fixed(), bool)
    return np.where(fixed, 0.0, np.asarray(out, np.float64))


def _free(model: Any) -> int:
    """Parameters that are neither constrained nor fixed."""
    sets = (model.config.param_set(name) for name in model.config.par_order)
    constrained = np.concatenate([np.full(p.n_parameters, p.constrained) for p in sets])
    return int(np.sum(~constrained & ~np.asarray(model.config.suggested_fixed(), bool)))


def _saturated(pyhf: Any, model: Any, data: Floats) -> float:
    """Twice the negative log likelihood of a model that meets every bin and constraint."""
    n = sum(model.config.channel_nbins.values())
    main, auxiliary = data[:n], data[n:]
    poisson = pyhf.get_backend()[0].poisson_logpdf(main, np.maximum(main, 1e-10))
    centre = np.asarray(model.config.suggested_init(), np.float64)
    at_centre = float(model.constraint_logpdf(np.asarray(auxiliary), np.asarray(centre)))
    return -2 * (float(np.sum(poisson)) + at_centre)


def _templates(
    model: Any, values: Floats, errors: Floats, correlations: Floats, edges: Mapping[str, Floats]
) -> Templates:
    """Expected events, and their errors propagated linearly through all parameters."""
    yields = _by_sample(model, values)
    total = yields.sum(axis=0)
    derivatives = np.zeros((len(values), len(total)))
    for k, error in enumerate(errors):
        if error > 0:
            shifted = [np.array(values), np.array(values)]
            shifted[0][k] += error
            shifted[1][k] -= error
            up, down = (_by_sample(model, p).sum(axis=0) for p in shifted)
            derivatives[k] = (up - down) / 2
    variance = np.einsum("kb,kl,lb->b", derivatives, np.nan_to_num(correlations), derivatives)
    spread = np.sqrt(np.maximum(variance, 0.0))
    slices = model.config.channel_slices
    names = model.config.samples
    return Templates(
        edges,
        {r: dict(zip(names, yields[:, slices[r]], strict=True)) for r in slices},
        {r: spread[slices[r]] for r in slices},
    )


def _by_sample(model: Any, values: Floats) -> Floats:
    """Expected events, shape (n_samples, n_bins)."""
    return np.asarray(
        model.main_model.expected_data(np.asarray(values), return_by_sample=True), np.float64
    )
