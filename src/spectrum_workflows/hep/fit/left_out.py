"""Content of histograms that a fit leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spectrum_workflows.hep.fit.pruning import KINDS, is_small
from spectrum_workflows.hep.fit.workspace import BOUNDS, binned, effects_of
from spectrum_workflows.hep.spec import fit_check
from spectrum_workflows.hep.spec.pruning import PruningSpec
from spectrum_workflows.hep.types import HepResult, LikelihoodFit


def left_out(result: HepResult, regions: Sequence[str] = ()) -> Iterator[str]:
    """Bins, events, regions, samples and effects that do not enter the fit, a line each.

    With ``regions``: what concerns these.
    """
    fit, spec = result.spec.fit, result.spec
    assert fit is not None
    for region in regions or fit.regions:
        yield from _bins(result, region)
    if spec.normalisation == "none" and any(s.cross_section for s in spec.samples.values()):
        yield 'fit: normalisation = "none" leaves cross sections out: simulated events are expected'
    measured = [name for name, sample in spec.samples.items() if sample.data]
    if fit.pseudodata and measured:
        yield f"fit: pseudo-data are fitted, not the data in {', '.join(measured)}"
    others = [name for name in spec.histograms if name not in fit.regions]
    if others and not regions:
        yield f"fit: histograms that are not among its regions: {', '.join(others)}"
    for region in regions or fit.regions:
        samples = fit_check.simulated(spec)
        empty = [name for name in samples if binned(result, name, region)[0].sum() <= 0]
        for name in empty:
            yield f"fit: sample {name} has no events in the fitted bins of {region}"
        for parameter, systematic in fit.systematics.items():
            lost = [name for name in empty if name in fit_check.concerned(spec, systematic)]
            if lost:
                yield f"fit: {parameter} has no effect on {', '.join(lost)} in {region}"
        yield from pruned(result, region)


def pruned(result: HepResult, region: str) -> Iterator[str]:
    """Effects that are pruned in a region, a line for yields and one for shapes."""
    fit = result.spec.fit
    assert fit is not None
    if fit.pruning == PruningSpec():
        return
    small: dict[str, dict[str, list[str]]] = {kind: {} for kind in KINDS.values()}
    for sample in fit_check.simulated(result.spec):
        nominal, _ = binned(result, sample, region)
        for parameter, effects in effects_of(result, sample, region).items():
            for effect in effects:
                if is_small(effect, nominal, fit.pruning):
                    of_kind = small[KINDS[effect["type"]]]
                    of_kind.setdefault(parameter, []).append(sample)
    for kind, threshold in (("yields", fit.pruning.yields), ("shapes", fit.pruning.shapes)):
        named = ", ".join(f"{name} ({', '.join(whose)})" for name, whose in small[kind].items())
        if named:
            yield f"fit: {kind} pruned in {region}, below {100 * threshold:g} %: {named}"


def at_its_ends(fit: LikelihoodFit) -> Iterator[str]:
    """Warnings of parameters that end at their bounds."""
    value = float(fit.values[fit.names.index(fit.poi)])
    for end in BOUNDS:
        if abs(value - end) < 1e-3 * (BOUNDS[1] - BOUNDS[0]):
            yield f"fit: {fit.poi} is at an end of its range ({end:g}): its error means little"
    bad = [n for n, e in zip(fit.names, fit.errors, strict=True) if not np.isfinite(e)]
    if bad:
        yield f"fit: errors that are not finite: {', '.join(bad)}"
    if not any(data.any() for data in fit.data.values()):
        yield "fit: there are no events of data in the fitted bins"


def _bins(result: HepResult, region: str) -> Iterator[str]:
    """Bins of the axis that are not fitted, and data outside those that are."""
    fit, spec = result.spec.fit, result.spec
    assert fit is not None
    axis = spec.histograms[region].axes(region)[0]
    used, edges = fit_check.binning(fit, axis, region), axis.boundaries
    n = axis.bins - (used.last - used.first)
    if n:
        span = f"{edges[used.first]:g} to {edges[used.last]:g}"
        yield f"fit: {region} is fitted from {span}; {n} of its {axis.bins} bins are left out"
    measured = {name: 1.0 for name, sample in spec.samples.items() if sample.data}
    parts = [
        share * np.asarray(result.histograms[name, region].view(flow=True).value)
        for name, share in (fit.pseudodata or measured).items()
    ]
    data = np.sum(parts, axis=0)
    begin = used.first + (0 if axis.categories else 1)
    below, above = data[:begin].sum(), data[begin + used.last - used.first :].sum()
    if below or above:
        whose = "pseudo-data" if fit.pseudodata else "data"
        yield (
            f"fit: of {data.sum():.6g} events of {whose} in {region}, {below:.6g} below and"
            f" {above:.6g} above the fitted bins are not in it"
        )
