"""Histograms as a HistFactory workspace in the JSON schema of pyhf.

Model: Cranmer et al., HistFactory (2012, report OPEN-2012-016); Heinrich et al., pyhf
(doi:10.21105/joss.02823).  Choices are those of the Analysis Grand Challenge:
every systematic uncertainty is split into a change of the yield (``normsys``)
and one of the shape at constant yield (``histosys``); a variation without
counterpart is mirrored about the nominal; the statistics of the simulation
enter as one Gaussian-constrained factor per bin common to all samples
(``staterror``, Barlow-Beeston in its light form).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.systematics import FitSpec, SystematicSpec
from spectrum_workflows.hep.types import HepResult

Floats = NDArray[np.float64]


def workspace(result: HepResult) -> dict[str, Any]:
    """The model and the data that a spec's ``[fit]`` table describes.

    Parameters
    ----------
    result : HepResult
        Complete, with every variation that the fit names.

    Returns
    -------
    dict
        JSON-ready, for `pyhf.Workspace`.  Parameters: ``SIGNAL_norm`` (the
        parameter of interest), ``luminosity``, one per systematic, and
        ``staterror_REGION``.

    Raises
    ------
    SpecError
        The spec has no ``[fit]`` table, or nothing that is data.
    DataError
        The result is partial: events are missing, and a cross section would
        be wrong by an unknown amount.
    """
    fit = _fit_of(result)
    channels = [
        {"name": region, "samples": _samples(result, fit, region)} for region in fit.regions
    ]
    observations = [
        {"name": region, "data": observed(result, region).tolist()} for region in fit.regions
    ]
    parameters = [{"name": poi(fit), "inits": [1.0], "bounds": [[0.0, 10.0]]}]
    measurement = {"name": "fit", "config": {"poi": poi(fit), "parameters": parameters}}
    return {
        "version": "1.0.0",
        "channels": channels,
        "observations": observations,
        "measurements": [measurement],
    }


def poi(fit: FitSpec) -> str:
    """Name of the parameter of interest."""
    return f"{fit.signal}_norm"


def edges(result: HepResult, region: str) -> Floats:
    """Bin edges of a region as fitted; shape (n_bins + 1,)."""
    fit = _fit_of(result)
    found = np.asarray(result.histograms[fit.signal, region].axes[0].edges)
    kept = found[found >= fit.start - 1e-9 * abs(fit.start)]
    return np.asarray(kept[:: fit.rebin])


def observed(result: HepResult, region: str) -> Floats:
    """What is fitted: data, or the pseudo-data that the spec mixes; shape (n_bins,)."""
    fit = _fit_of(result)
    measured = {name: 1.0 for name, sample in result.spec.samples.items() if sample.data}
    parts = [
        share * _binned(result, name, region)[0]
        for name, share in (fit.pseudodata or measured).items()
    ]
    return np.asarray(np.sum(parts, axis=0))


def _fit_of(result: HepResult) -> FitSpec:
    fit = result.spec.fit
    if fit is None:
        raise SpecError("the spec has no [fit] table", result.spec.name, "add one")
    if not fit.pseudodata and not any(s.data for s in result.spec.samples.values()):
        raise SpecError("nothing to fit", "fit", "name a data sample, or give fit.pseudodata")
    if result.missing:
        raise DataError(
            f"a partial result cannot enter a fit of cross sections ({len(result.missing)} files"
            f" are incomplete; {result.missing[0]})",
            result.spec.name,
            "run again without --on-error keep",
        )
    return fit


def _binned(result: HepResult, sample: str, template: str) -> tuple[Floats, Floats]:
    """Contents and variances in the bins that are fitted; each of shape (n_bins,)."""
    fit = result.spec.fit
    assert fit is not None
    h = result.histograms[sample, template]
    first = int(np.count_nonzero(h.axes[0].edges < fit.start * (1 - 1e-9)))
    n = (len(h.axes[0]) - first) // fit.rebin
    used = slice(first, first + n * fit.rebin)
    values, variances = h.values()[used], h.variances()[used]
    return tuple(np.asarray(x).reshape(n, fit.rebin).sum(axis=1) for x in (values, variances))


def _samples(result: HepResult, fit: FitSpec, region: str) -> list[dict[str, Any]]:
    spec = result.spec
    names = [name for name in spec.nominal_samples if not spec.samples[name].data]
    out = []
    for name in names:
        nominal, variances = _binned(result, name, region)
        modifiers: list[dict[str, Any]] = []
        if name == fit.signal:
            modifiers.append({"name": poi(fit), "type": "normfactor", "data": None})
        if fit.luminosity_error:
            effect = {"hi": 1 + fit.luminosity_error, "lo": 1 - fit.luminosity_error}
            modifiers.append({"name": "luminosity", "type": "normsys", "data": effect})
        for parameter, systematic in fit.systematics.items():
            if _concerns(result, systematic, name):
                up, down = (
                    _template(result, source, name, region)
                    for source in (systematic.up, systematic.down)
                )
                assert up is not None
                modifiers += _modifiers(parameter, nominal, up, down)
        errors = np.sqrt(variances).tolist()
        modifiers.append({"name": f"staterror_{region}", "type": "staterror", "data": errors})
        out.append({"name": name, "data": nominal.tolist(), "modifiers": modifiers})
    return out


def _concerns(result: HepResult, systematic: SystematicSpec, sample: str) -> bool:
    if systematic.samples:
        return sample in systematic.samples
    varied = result.spec.samples.get(systematic.up)
    return varied.varies == sample if varied else systematic.up in result.spec.variations_of(sample)


def _template(result: HepResult, source: str, sample: str, region: str) -> Floats | None:
    if not source:
        return None
    if source in result.spec.samples:
        return _binned(result, source, region)[0]
    return _binned(result, sample, f"{region}_{source}")[0]


def _modifiers(
    parameter: str, nominal: Floats, up: Floats, down: Floats | None
) -> list[dict[str, Any]]:
    """Yield and shape effect of one parameter on one sample."""
    total = nominal.sum()
    if total <= 0 or up.sum() <= 0:
        return []
    hi = up.sum() / total
    lo = 2 - hi if down is None else down.sum() / total
    up_shape = up / hi
    down_shape = 2 * nominal - up_shape if down is None else down / lo
    return [
        {"name": parameter, "type": "normsys", "data": {"hi": float(hi), "lo": float(lo)}},
        {
            "name": parameter,
            "type": "histosys",
            "data": {"hi_data": up_shape.tolist(), "lo_data": down_shape.tolist()},
        },
    ]
