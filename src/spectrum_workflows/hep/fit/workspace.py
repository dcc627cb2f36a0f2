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
from spectrum_workflows.hep.fit import possible
from spectrum_workflows.hep.fit.pruning import is_small
from spectrum_workflows.hep.fit.smoothing import smoothed
from spectrum_workflows.hep.spec import fit_check
from spectrum_workflows.hep.spec.fit import LUMINOSITY, FitSpec
from spectrum_workflows.hep.types import HepResult

Floats = NDArray[np.float64]

BOUNDS = (0.0, 10.0)
"""Of the parameter of interest."""


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
        be wrong by an unknown amount.  Or its histograms cannot be fitted: the
        signal or a template is empty, data stands where nothing is expected.
    """
    fit = _fit_of(result)
    channels: list[dict[str, Any]] = [
        {"name": region, "samples": _samples(result, fit, region)} for region in fit.regions
    ]
    observations: list[dict[str, Any]] = [
        {"name": region, "data": observed(result, region).tolist()} for region in fit.regions
    ]
    for channel, observation in zip(channels, observations, strict=True):
        possible.check_region(channel, observation["data"], edges(result, channel["name"]))
    possible.check_signal(channels, fit)
    parameters = [{"name": fit.poi, "inits": [1.0], "bounds": [list(BOUNDS)]}]
    measurement = {"name": "fit", "config": {"poi": fit.poi, "parameters": parameters}}
    return {
        "version": "1.0.0",
        "channels": channels,
        "observations": observations,
        "measurements": [measurement],
    }


def edges(result: HepResult, region: str) -> Floats:
    """Bin edges of a region as fitted; shape (n_bins + 1,)."""
    fit = _fit_of(result)
    boundaries = np.asarray(result.histograms[fit.signal, region].axes[0].edges, np.float64)
    used = binning(result, region)
    return boundaries[used.first : used.last + 1 : used.rebin]


def observed(result: HepResult, region: str) -> Floats:
    """Events that are fitted: data, or the pseudo-data that the spec mixes; shape (n_bins,)."""
    fit = _fit_of(result)
    measured = {name: 1.0 for name, sample in result.spec.samples.items() if sample.data}
    parts = [
        share * binned(result, name, region)[0]
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


def binned(
    result: HepResult, sample: str, region: str, variation: str = ""
) -> tuple[Floats, Floats]:
    """Contents and variances in the bins that are fitted; each of shape (n_bins,)."""
    h = result.histograms[sample, result.spec.titles[region, variation]]
    used = binning(result, region)
    kept = slice(used.first, used.last)
    values, variances = h.values()[kept], h.variances()[kept]
    return tuple(np.asarray(x).reshape(-1, used.rebin).sum(axis=1) for x in (values, variances))


def binning(result: HepResult, region: str) -> fit_check.Binning:
    """The bins of a region that are fitted.

    Raises
    ------
    SpecError
        They cannot be as the spec says.
    """
    fit = _fit_of(result)
    try:
        return fit_check.binning(fit, result.spec.histograms[region].axes(region)[0], region)
    except ValueError as error:
        raise SpecError(str(error), result.spec.name) from None


def _samples(result: HepResult, fit: FitSpec, region: str) -> list[dict[str, Any]]:
    out = []
    for name in fit_check.simulated(result.spec):
        nominal, variances = binned(result, name, region)
        possible.check_finite(nominal, f"fit, sample {name}, region {region}")
        modifiers: list[dict[str, Any]] = []
        if name == fit.signal:
            modifiers.append({"name": fit.poi, "type": "normfactor", "data": None})
        if fit.luminosity_error:
            effect = {"hi": 1 + fit.luminosity_error, "lo": 1 - fit.luminosity_error}
            modifiers.append({"name": LUMINOSITY, "type": "normsys", "data": effect})
        for effects in effects_of(result, name, region).values():
            modifiers += [e for e in effects if not is_small(e, nominal, fit.pruning)]
        errors = np.sqrt(variances).tolist()
        modifiers.append({"name": fit.statistics(region), "type": "staterror", "data": errors})
        out.append({"name": name, "data": nominal.tolist(), "modifiers": modifiers})
    return out


def effects_of(result: HepResult, sample: str, region: str) -> dict[str, list[dict[str, Any]]]:
    """What every parameter does to a sample in a region, before anything is pruned.

    Raises
    ------
    DataError
        A template is empty, negative or not finite.
    """
    fit = _fit_of(result)
    nominal, _ = binned(result, sample, region)
    found = {}
    for parameter, systematic in fit.systematics.items():
        if sample not in fit_check.concerned(result.spec, systematic):
            continue
        up, down = (
            template(result, source, sample, region) for source in (systematic.up, systematic.down)
        )
        assert up is not None
        up = smoothed(up, nominal, systematic.smooth)
        down = None if down is None else smoothed(down, nominal, systematic.smooth)
        where = f"fit.systematics.{parameter}, sample {sample}, region {region}"
        found[parameter] = modifiers(parameter, nominal, up, down, where)
    return found


def template(result: HepResult, source: str, sample: str, region: str) -> Floats | None:
    """Contents of a sample's region under a variation, whichever way it is made."""
    if not source:
        return None
    if source in result.spec.samples:
        return binned(result, source, region)[0]
    return binned(result, sample, region, source)[0]


def modifiers(
    parameter: str, nominal: Floats, up: Floats, down: Floats | None, where: str
) -> list[dict[str, Any]]:
    """Yield and shape effect of one parameter on one sample; none on an empty one.

    Raises
    ------
    DataError
        A template is empty, negative or not finite, or cannot be mirrored.
    """
    total = nominal.sum()
    if total <= 0:  # `left_out` says so
        return []
    hi = possible.ratio(up, total, where)
    lo = 2 - hi if down is None else possible.ratio(down, total, where)
    if lo <= 0:
        raise DataError(
            f"up is {hi:.3g} times the nominal yield, which cannot be mirrored",
            where,
            "give a template for down, too",
        )
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
