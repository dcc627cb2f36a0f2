"""Validation of a fit before the run: its histograms, bins and templates."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spectrum_workflows.hep.spec.axes import Axis, HistogramSpec
from spectrum_workflows.hep.spec.fit import LUMINOSITY, STATISTICS, FitSpec, SystematicSpec
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec

NEAR = 1e-6
"""Distance up to which a number is an edge, in widths of the bin beside it."""


@dataclass(frozen=True)
class Binning:
    """Bins of a histogram that enter a fit.

    Attributes
    ----------
    first, last : int
        Bins ``first <= bin < last``, counted from 0 without underflow.
    rebin : int
        Neighbouring bins that are merged.
    """

    first: int
    last: int
    rebin: int


def binning(fit: FitSpec, axis: Axis, region: str) -> Binning:
    """The bins of a region that are fitted.

    Raises
    ------
    ValueError
        ``start`` or ``stop`` is not an edge, nothing is left between them, or
        ``rebin`` does not divide what is.
    """
    edges = axis.boundaries
    if axis.categories and not (fit.start is None and fit.stop is None and fit.rebin == 1):
        raise ValueError(f"fit: start, stop and rebin have no meaning for categories ({region})")
    first = 0 if fit.start is None else _edge(fit.start, edges, f"fit.start, region {region}")
    last = axis.bins if fit.stop is None else _edge(fit.stop, edges, f"fit.stop, region {region}")
    if last <= first:
        raise ValueError(
            f"fit: no bin of {region} is left between start and stop;"
            f" its axis goes from {edges[0]:g} to {edges[-1]:g}"
        )
    if (last - first) % fit.rebin:
        raise ValueError(
            f"fit.rebin: {last - first} bins of {region} from {edges[first]:g} to {edges[last]:g}"
            f" cannot be merged in groups of {fit.rebin}; choose a divisor, or other ends"
        )
    return Binning(first, last, fit.rebin)


def concerned(spec: HepSpec, systematic: SystematicSpec) -> list[str]:
    """Samples whose templates a systematic uncertainty changes."""
    if systematic.samples:
        return list(systematic.samples)
    varied = spec.samples.get(systematic.up)
    if varied and varied.varies:
        return [varied.varies]
    return [name for name in simulated(spec) if systematic.up in spec.variations_of(name)]


def simulated(spec: HepSpec) -> list[str]:
    """Samples that a fit adds up: neither data nor variations of another."""
    return [name for name in spec.nominal_samples if not spec.samples[name].data]


def check(spec: HepSpec) -> None:
    """Refuse a fit that cannot work.

    Raises
    ------
    ValueError
        In one line: what the ``[fit]`` table names and the spec does not have.
    """
    if spec.fit is None:
        return
    fit, models = spec.fit, simulated(spec)
    if fit.signal in spec.samples and spec.samples[fit.signal].data:
        raise ValueError(f"fit.signal: {fit.signal!r} is data; name a simulated sample")
    _known(fit.signal, models, "fit.signal")
    _once(fit.regions, "fit.regions")
    for region in fit.regions:
        _known(region, list(spec.histograms), "fit.regions")
        binning(fit, _only_axis(spec.histograms[region], region), region)
    for name in fit.pseudodata:
        _known(name, list(spec.samples), "fit.pseudodata")
        if spec.samples[name].data:
            raise ValueError(f"fit.pseudodata: {name!r} is data; mix simulated samples only")
    if not fit.pseudodata and not any(s.data for s in spec.samples.values()):
        raise ValueError("fit: nothing to fit; name a data sample, or give fit.pseudodata")
    if fit.luminosity_error >= 1:
        raise ValueError(f"fit.luminosity_error is relative and below 1 ({fit.luminosity_error:g})")
    _parameters_are_distinct(fit)
    for name, systematic in fit.systematics.items():
        _templates_exist(spec, systematic, f"fit.systematics.{name}")


def _only_axis(described: HistogramSpec, region: str) -> Axis:
    """The axis of a histogram that can be fitted."""
    axes = described.axes(region)
    kind = "is a profile, of means" if described.profile else f"has {len(axes)} axes"
    if described.profile or len(axes) != 1:
        remedy = "a region has events on one axis: fill another histogram of what is fitted"
        raise ValueError(f"fit.regions: {region!r} {kind}; {remedy}")
    return axes[0]


def _edge(value: float, edges: tuple[float, ...], where: str) -> int:
    """Index of the edge that a number is; of one beyond the axis, of the axis' own end."""
    if value <= edges[0]:
        return 0
    if value >= edges[-1]:
        return len(edges) - 1
    k = bisect_left(edges, value)
    low, high = edges[k - 1], edges[k]
    tolerance = NEAR * (high - low)
    if high - value <= tolerance:
        return k
    if value - low <= tolerance:
        return k - 1
    near = f"the nearest edges are {low:.10g}, {high:.10g}"
    raise ValueError(f"{where}: {value:.10g} is inside a bin; {near}")


def _once(names: tuple[str, ...], where: str) -> None:
    for k, name in enumerate(names):
        if name in names[:k]:
            raise ValueError(f"{where}: {name!r} is there twice")


def _known(name: str, known: list[str], where: str) -> None:
    if name not in known:
        remedy = closest(name, known)
        raise ValueError(f"{where}: no {name!r} here" + (f"; {remedy}" if remedy else ""))


def _parameters_are_distinct(fit: FitSpec) -> None:
    own = {fit.poi: "the parameter of interest", LUMINOSITY: "the luminosity"}
    for region in fit.regions:
        name = fit.statistics(region)
        if name in own:
            raise ValueError(f"fit.regions: {region!r} and {own[name]} give one name, {name!r}")
        own[name] = f"the statistics of {region}"
    if fit.poi == LUMINOSITY:
        raise ValueError(f"fit.signal: {fit.poi!r} is the name of the luminosity")
    for name in fit.systematics:
        if name in own or name.startswith(STATISTICS):
            owner = own.get(name, "the statistics of the simulation")
            raise ValueError(f"fit.systematics.{name}: {name!r} is {owner}; choose another name")


def _templates_exist(spec: HepSpec, systematic: SystematicSpec, where: str) -> None:
    """Every template is there for every sample it is asked of, and varies that sample."""
    sources = [n for n in (systematic.up, systematic.down) if n]
    for source in sources:
        _is_a_source(spec, source, where)
    if systematic.up == systematic.down:
        raise ValueError(f"{where}: up and down are both {systematic.up!r}; leave down out")
    _once(systematic.samples, f"{where}.samples")
    for name in systematic.samples:
        _known(name, simulated(spec), f"{where}.samples")
    for sample in concerned(spec, systematic):
        for source in sources:
            _varies(spec, source, sample, where)


def _is_a_source(spec: HepSpec, source: str, where: str) -> None:
    varied = {n for s in spec.samples for n in spec.variations_of(s)}
    samples = {n for n, s in spec.samples.items() if s.varies}
    _known(source, sorted(varied | samples), where)
    if source in varied and source in spec.samples:
        raise ValueError(f"{where}: {source!r} is a sample and a variation; rename one of them")


def _varies(spec: HepSpec, source: str, sample: str, where: str) -> None:
    if source in spec.samples:
        of = spec.samples[source].varies
        if of != sample:
            raise ValueError(f"{where}: {source!r} varies {of!r}, not {sample!r}")
    elif source not in spec.variations_of(sample):
        raise ValueError(
            f"{where}: sample {sample!r} has no variation {source!r};"
            f" add it to samples.{sample}.variations, or name other samples"
        )
