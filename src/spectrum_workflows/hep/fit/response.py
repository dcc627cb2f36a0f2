"""The workspace of an unfolding: the signal as one sample for every bin of the truth.

Each is the selected events of one bin of the truth, with a free factor of its own; selected events
whose truth lies outside of all bins are one sample more, as the simulation has them.  A systematic
uncertainty changes the response alone: its templates are scaled to the nominal truth of their bin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.fit.pruning import is_small
from spectrum_workflows.hep.fit.smoothing import smoothed
from spectrum_workflows.hep.fit.workspace import binned, binning, modifiers, workspace
from spectrum_workflows.hep.spec import fit_check
from spectrum_workflows.hep.spec.fit import LUMINOSITY, FitSpec
from spectrum_workflows.hep.spec.unfolding import UnfoldingSpec, strength
from spectrum_workflows.hep.types import HepResult, UnfoldingModel

Floats = NDArray[np.float64]

BOUNDS = (-100.0, 100.0)
"""Of a factor, which nothing constrains."""

SAME = 1e-6
"""Relative difference that sums over the truth may have by rounding."""


def unfolding_model(result: HepResult) -> UnfoldingModel:
    """The workspace in which the signal of a result is unfolded.

    Parameters
    ----------
    result : HepResult
        Complete, with a ``[fit.unfolding]`` table in its spec.

    Raises
    ------
    SpecError
        There is no such table.
    DataError
        As `workspace`; or a bin of the truth has no event that is selected, or a response holds
        other events than its region.
    """
    fit = result.spec.fit
    if fit is None or fit.unfolding is None:
        raise SpecError("the spec has no [fit.unfolding] table", result.spec.name, "add one")
    described = workspace(result)
    truth = _truth(result, fit.unfolding, (fit.signal, ""))
    edges = np.asarray(result.histograms[fit.signal, fit.unfolding.truth].axes[0].edges)
    names = [strength(fit.signal, k) for k in range(len(truth))]
    for channel in described["channels"]:
        split = _split(_Region(result, fit, fit.unfolding, channel["name"]), names, truth)
        others = [sample for sample in channel["samples"] if sample["name"] != fit.signal]
        channel["samples"] = [*split, *others]
    _check_seen(described["channels"], names, edges)
    parameters = [{"name": name, "inits": [1.0], "bounds": [list(BOUNDS)]} for name in names]
    config = {"poi": names[0], "parameters": parameters}
    described["measurements"] = [{"name": "unfolding", "config": config}]
    generated = _generated(result, fit)
    return UnfoldingModel(
        described, dict(zip(names, truth.tolist(), strict=True)), edges, generated
    )


@dataclass(frozen=True)
class _Region:
    """A region, and where its response is."""

    result: HepResult
    fit: FitSpec
    unfolding: UnfoldingSpec
    name: str

    def slices(self, source: tuple[str, str]) -> tuple[Floats, Floats]:
        """Contents and variances by bin of the truth, the last outside: (n_truth + 1, n_bins)."""
        sample, variation = source
        title = self.result.spec.titles[self.unfolding.responses[self.name], variation]
        h, used = self.result.histograms[sample, title], binning(self.result, self.name)
        out = []
        for contents in (h.values(flow=True), h.variances(flow=True)):
            inside = np.asarray(contents)[:, 1 + used.first : 1 + used.last]
            merged = inside.reshape(len(inside), -1, used.rebin).sum(axis=2)
            out.append(np.concatenate([merged[1:-1], [merged[0] + merged[-1]]]))
        return out[0], out[1]


def _truth(result: HepResult, unfolding: UnfoldingSpec, source: tuple[str, str]) -> Floats:
    """Events of every bin of the truth; shape (n_truth,)."""
    sample, variation = source
    title = result.spec.titles[unfolding.truth, variation]
    return np.asarray(result.histograms[sample, title].values(), np.float64)


def _source(result: HepResult, signal: str, named: str) -> tuple[str, str]:
    """Sample and variation of templates."""
    return (named, "") if named in result.spec.samples else (signal, named)


def _split(region: _Region, names: list[str], truth: Floats) -> list[dict[str, Any]]:
    """The samples that stand for the signal in a region."""
    fit, signal = region.fit, region.fit.signal
    nominal, variances = region.slices((signal, ""))
    expected = binned(region.result, signal, region.name)[0]
    if not np.allclose(nominal.sum(axis=0), expected, rtol=SAME, atol=SAME * expected.max()):
        message = f"{region.unfolding.responses[region.name]} holds other events than {region.name}"
        remedy = "fill both of the same events; truth that there is not lies below its axis"
        raise DataError(message, "fit.unfolding", remedy)
    effects = _effects(region, nominal, truth)
    samples = []
    for k, name in enumerate([*names, f"{signal}_outside"]):
        if k == len(names) and not nominal[k].any():
            continue
        own: list[dict[str, Any]] = []
        if k < len(names):
            own.append({"name": name, "type": "normfactor", "data": None})
        if fit.luminosity_error:
            effect = {"hi": 1 + fit.luminosity_error, "lo": 1 - fit.luminosity_error}
            own.append({"name": LUMINOSITY, "type": "normsys", "data": effect})
        own += [e for e in effects.get(k, ()) if not is_small(e, nominal[k], fit.pruning)]
        errors = np.sqrt(variances[k]).tolist()
        own.append({"name": fit.statistics(region.name), "type": "staterror", "data": errors})
        samples.append({"name": name, "data": nominal[k].tolist(), "modifiers": own})
    return samples


def _effects(region: _Region, nominal: Floats, truth: Floats) -> dict[int, list[dict[str, Any]]]:
    """What every systematic does to the events of each bin of the truth."""
    result, fit = region.result, region.fit
    effects: dict[int, list[dict[str, Any]]] = {}
    for parameter, systematic in fit.systematics.items():
        if fit.signal not in fit_check.concerned(result.spec, systematic):
            continue
        sides = [
            _response(region, _source(result, fit.signal, named), truth) if named else None
            for named in (systematic.up, systematic.down)
        ]
        for k in np.flatnonzero(nominal.sum(axis=1) > 0).tolist():
            up, down = (
                None if s is None else smoothed(s[k], nominal[k], systematic.smooth) for s in sides
            )
            assert up is not None
            where = f"fit.systematics.{parameter}, bin {k} of the truth, region {region.name}"
            effects.setdefault(k, []).extend(modifiers(parameter, nominal[k], up, down, where))
    return effects


def _response(region: _Region, source: tuple[str, str], truth: Floats) -> Floats:
    """Varied templates of the nominal truth; shape (n_truth + 1, n_bins)."""
    varied = _truth(region.result, region.unfolding, source)
    scale = np.divide(truth, varied, out=np.ones_like(truth), where=varied > 0)
    return np.asarray(region.slices(source)[0] * np.append(scale, 1.0)[:, None])


def _check_seen(channels: list[dict[str, Any]], names: list[str], edges: Floats) -> None:
    """Refuse a bin of the truth of which nothing is seen."""
    for k, name in enumerate(names):
        own = (s["data"] for c in channels for s in c["samples"] if s["name"] == name)
        if not sum(map(sum, own)) > 0:
            message = f"no event from {edges[k]:g} to {edges[k + 1]:g} of the truth is selected"
            raise DataError(message, "fit.unfolding", "merge bins of the truth")


def _generated(result: HepResult, fit: FitSpec) -> Floats | None:
    """Events of the truth of which pseudo-data is made, if it is."""
    assert fit.unfolding is not None
    shares: Mapping[str, float] = fit.pseudodata
    own = {n: f for n, f in shares.items() if fit.signal in (n, result.spec.samples[n].varies)}
    if not own:
        return None
    parts = [share * _truth(result, fit.unfolding, (name, "")) for name, share in own.items()]
    return np.asarray(np.sum(parts, axis=0))
