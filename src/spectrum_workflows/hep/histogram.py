"""Fill, merge and normalise histograms: pure functions over hist.Hist."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.domain.deviation import Deviation
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import cut_flow, filter_flow, profiles
from spectrum_workflows.hep.binning import coordinates, library_axes, numbers
from spectrum_workflows.hep.bootstrap import replicas as bootstrap
from spectrum_workflows.hep.bootstrap.filling import replicas_of
from spectrum_workflows.hep.bootstrap.keys import Resampling, lowest_keys, merged_keys
from spectrum_workflows.hep.completeness import joined, processed_weight
from spectrum_workflows.hep.envelopes import up_and_down
from spectrum_workflows.hep.exact import histograms as exact
from spectrum_workflows.hep.exact.sums import added, rounded
from spectrum_workflows.hep.normalisation import usable
from spectrum_workflows.hep.overlap import FittedRegion, shared_events
from spectrum_workflows.hep.select.combining import FLOW, counts_of_fates
from spectrum_workflows.hep.select.observables import refuse_weights, weighted
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.axes import Axis, HistogramSpec
from spectrum_workflows.hep.spec.regions import region_key
from spectrum_workflows.hep.spec.titles import titles_of
from spectrum_workflows.hep.types import Filled, HepResult, Observable
from spectrum_workflows.hep.types.sums import Filling
from spectrum_workflows.specs import closest

OF_SIGNS = tuple(f"/{name}" for name in profiles.ARRAYS[2:])
"""Arrays in which what is added is of either sign."""


def empty(name: str, spec: HistogramSpec) -> hist.Hist:
    """An empty histogram with float64 sums of weights and of their squares; or of a profile's."""
    return _empty_on(spec.axes(name), name, profile=bool(spec.profile))


def _empty_on(axes: Sequence[Axis], title: str, *, profile: bool) -> hist.Hist:
    own = library_axes(axes, title)
    if profile:
        return profiles.empty_sums(own, title)
    return hist.Hist(*own, storage=hist.storage.Weight(), name=title)


def filled(
    sample: str,
    observables: Mapping[str, Observable],
    histograms: Mapping[str, HistogramSpec],
    *,
    events: int,
    seen: int | None = None,
    variations: Sequence[str] = (),
    titles: Mapping[tuple[str, str], str] | None = None,
    cuts: Mapping[str, tuple[str, ...]] | None = None,
    generator_weights: NDArray[Any] | None = None,
    weightless: bool = False,
    resampling: Resampling | None = None,
    fitted: Sequence[FittedRegion] = (),
) -> Filled:
    """Histogram what ``select`` returned for one partition.

    Parameters
    ----------
    sample : str
        Whose events these are.
    observables : mapping of region to Observable
        From ``select``, checked; see `check_regions`.
    histograms : mapping of name to HistogramSpec
        What to fill.
    events : int
        Events that were looked at.
    seen : int, optional
        Those that ``select`` was given, where it is counted which are in two fitted regions.
    variations : sequence of str
        Systematic variations that every region must hold.
    titles : mapping of (histogram, variation) to str, optional
        Names of the histograms of the run; see `HepSpec.titles`.
    cuts : mapping of region to tuple of str, optional
        Cuts that are combined.
    generator_weights : ndarray, shape (seen,), optional
        Generator weights, by which the events' own are multiplied.
    weightless : bool
        Whether these are events that may have no weights: data.
    resampling : Resampling, optional
        Keys of all events that ``select`` was given, where replicas are asked for.
    fitted : sequence of FittedRegion
        Regions of which those events are counted that are in two.

    Raises
    ------
    SpecError
        A histogram asks for a region that ``select`` does not return, or for
        a variation that the region lacks; or events have weights that may not.
    DataError
        The axes of a histogram are of different events, or a sum would be infinite.
    """
    if weightless:
        refuse_weights(observables, sample)
    regions = {r: weighted(r, o, generator_weights) for r, o in observables.items()}
    axes = {name: spec.axes(name) for name, spec in histograms.items()}
    out = {
        (sample, title): _fill(title, axes[name], histograms[name].profile, both)
        for title, name, both in to_fill(regions, histograms, variations, titles)
    }
    replicas, lowest = {}, {}
    if resampling is not None:
        lowest[sample] = lowest_keys(resampling.keys)
        own = replicas_of(regions, histograms, resampling)
        replicas = {(sample, name): array for name, array in own.items()}
    both = {} if seen is None else shared_events(regions, fitted, seen)
    shared = {(sample, *pair): n for pair, n in both.items()}
    if not cuts:
        selected = {(sample, region): len(o.values) for region, o in regions.items()}
        return Filled(
            out, selected, {sample: events}, replicas=replicas, lowest_keys=lowest, shared=shared
        )
    fates = {
        (sample, *name): counts_of_fates(o, len(cuts[name[0]]))
        for name, o in _fates(regions, cuts, variations)
    }
    selected = {(s, r): int(rounded(n)[-1, 0, 0]) for (s, r, v), n in fates.items() if not v}
    return Filled(
        *(out, selected, {sample: events}),
        fates=fates,
        replicas=replicas,
        lowest_keys=lowest,
        shared=shared,
    )


def _fates(
    regions: Mapping[str, Observable],
    cuts: Mapping[str, tuple[str, ...]],
    variations: Sequence[str],
) -> Iterator[tuple[tuple[str, str], Observable]]:
    """Fates of events by region and variation."""
    for region in cuts:
        observable = regions[region_key(region, FLOW)]
        yield (region, ""), observable
        for variation in variations:
            yield (region, variation), _varied(observable, region, variation)


def texts(histograms: Mapping[str, HistogramSpec]) -> set[str]:
    """Regions that hold text: those of axes of text."""
    axes = (axis for name, spec in histograms.items() for axis in spec.axes(name))
    return {axis.key for axis in axes if axis.of_text}


def to_fill(
    regions: Mapping[str, Observable],
    histograms: Mapping[str, HistogramSpec],
    variations: Sequence[str],
    titles: Mapping[tuple[str, str], str] | None = None,
) -> Iterator[tuple[str, str, tuple[Observable, ...]]]:
    """Title of every histogram, its name, and what to fill into it: see `HistogramSpec.filled`.

    Raises
    ------
    SpecError
        There is no such region, or not with such a variation.
    DataError
        The regions of its axes do not hold the same events.
    """
    named = titles_of(histograms, variations) if titles is None else titles
    for name, spec in histograms.items():
        names = spec.filled(name)
        observables = [_region(regions, region, name) for region in names]
        yield named[name, ""], name, _together(name, observables)
        for variation in variations:
            varied = [_varied(o, r, variation) for o, r in zip(observables, names, strict=True)]
            yield named[name, variation], name, _together(name, varied)


def _region(regions: Mapping[str, Observable], region: str, name: str) -> Observable:
    if region not in regions:
        raise SpecError(
            f"select returns no region {region!r}",
            f"histograms.{name}",
            closest(region, list(regions)),
        )
    return regions[region]


def _varied(observable: Observable, region: str, variation: str) -> Observable:
    varied = observable.variations.get(variation)
    if varied is None:
        message = f"select returns no variation {variation!r} of {region!r}"
        raise SpecError(message, "variations", closest(variation, list(observable.variations)))
    return varied


def _together(name: str, observables: Sequence[Observable]) -> tuple[Observable, ...]:
    """The observables of a histogram's axes, which must be of the same events."""
    first = observables[0]
    for other in observables[1:]:
        for attribute in ("values", "weights", "index"):
            a, b = getattr(first, attribute), getattr(other, attribute)
            same = (a is None) == (b is None) and (a is None or len(a) == len(b))
            if same and a is not None and attribute != "values":
                same = bool(np.array_equal(a, b))
            if not same:
                raise DataError(
                    f"the regions of histogram {name!r} differ in their {attribute}",
                    "select",
                    "return its observables of the same events, with the same weights and index",
                )
    return tuple(observables)


def _fill(
    title: str, axes: Sequence[Axis], profile: str, observables: Sequence[Observable]
) -> Filling:
    h, weights = _empty_on(axes, title, profile=bool(profile)), observables[0].weights
    values = coordinates(axes, observables)
    if profile:
        averaged = numbers(observables[-1].values, profile)
        moments = profiles.moments_of(averaged, weights, title)
        return exact.fill(h, h.axes[:-1], values, moments)
    if weights is None:
        return h.fill(*values)
    w = np.asarray(weights, np.float64)
    return exact.fill(h, h.axes, values, (w, w * w))


def merge(a: Filled, b: Filled) -> Filled:
    """Sum two fills: exactly, whatever the weights, so that it is associative.

    Raises
    ------
    DataError
        A file changed between them, or was read under two names.
    """
    return Filled(
        _summed(a.histograms, b.histograms, exact.added),
        _summed(a.selected, b.selected),
        _summed(a.events, b.events),
        joined(a.files, b.files),
        _summed(a.fates, b.fates, added),
        (*a.written, *b.written),
        _summed(a.left, b.left, added),
        _summed(a.replicas, b.replicas, added),
        merged_keys(a.lowest_keys, b.lowest_keys),
        _summed(a.shared, b.shared),
    )


def normalised(total: Filled, spec: HepSpec, missing: Sequence[str] = ()) -> HepResult:
    """Scale every simulated sample to the luminosity.

    The weight is cross section x luminosity / N.  With ``"events"``, N is the
    *number* of events processed of the sample (the AGC's definition); with
    ``"genweight"`` the sum of generator weights of its files.  Simulation that
    lost partitions therefore still estimates the same yields; data that did
    has fewer events.  Samples without a processed event give empty histograms,
    and those of which what is left has no positive sum of weights none of numbers.
    Sums of profiles become means.
    """
    weights = {name: weight_of(name, total, spec) for name in spec.samples}
    summed = {key: _with_means(exact.rounded(h)) for key, h in total.histograms.items()}
    summed |= _envelopes(summed, spec)
    histograms = {}
    for sample in spec.samples:
        for name, axis in spec.templates_of(sample):
            filled = summed.get((sample, name))
            if filled is None:
                filled = _with_means(empty(name, spec.histograms[axis]))
            weight = weights[sample]
            histograms[sample, name] = filled if weight == 1 else _scaled(filled, weight)
    regions = list(dict.fromkeys(region for _, region in total.selected))
    selected = {
        (sample, region): total.selected.get((sample, region), 0)
        for sample in spec.samples
        for region in regions
    }
    events = {sample: total.events.get(sample, 0) for sample in spec.samples}
    flows = cut_flow.cut_flows(total.fates, spec, weights)
    return HepResult(
        spec,
        histograms,
        selected,
        events,
        weights,
        tuple(missing),
        cut_flows=flows,
        filter_flows=filter_flow.filter_flows(total.left, spec, weights),
        replicas=bootstrap.normalised(total.replicas, spec, weights),
    )


def _with_means(h: hist.Hist) -> hist.Hist:
    return profiles.means_of(h) if profiles.are_sums(h) else h


def _scaled(h: hist.Hist, weight: float) -> hist.Hist:
    return profiles.scaled(h, weight) if profiles.is_profile(h) else h * weight


def _envelopes(
    filled: Mapping[tuple[str, str], hist.Hist], spec: HepSpec
) -> dict[tuple[str, str], hist.Hist]:
    """Templates that are made of several that were filled; of profiles by their means."""
    out = {}
    titles, sets = spec.titles, spec.generator_weights.items()
    for (name, described), sample, axis in product(sets, spec.samples, spec.histograms):
        nominal = filled.get((sample, axis))
        if described.kind == "pair" or nominal is None:
            continue
        if not spec.concerns(described.samples, sample):
            continue
        members = [filled[sample, titles[axis, m]] for m in described.filled(name)]
        both = up_and_down(nominal, members, described)
        for template, made in zip(described.templates(name), both, strict=True):
            out[sample, titles[axis, template]] = made
    return out


def arrays(result: HepResult) -> dict[str, NDArray[np.float64]]:
    """The named float64 arrays that are the result.

    ``sample/histogram/values`` and ``.../variances`` have shape (bins + 2,)
    with underflow first and overflow last, an axis of categories (bins + 1,),
    and several axes the shape of all; a profile has arrays of these shapes by
    the names of `profiles.ARRAYS`.  ``sample/histogram/replicas`` are as in `HepResult`, where the
    spec asks for them.  ``sample/region/entries``, ``sample/events``
    and of data ``sample/luminosity`` have shape (1,); of cut flows see
    `cut_flow.arrays` and `filter_flow.arrays`.  Those of an era begin with its name.
    """
    out: dict[str, NDArray[np.float64]] = {}
    for (sample, name), h in result.histograms.items():
        if profiles.is_profile(h):
            out |= {f"{sample}/{name}/{key}": array for key, array in profiles.arrays(h).items()}
            continue
        view = h.view(flow=True)
        out[f"{sample}/{name}/values"] = np.array(view.value, np.float64)
        out[f"{sample}/{name}/variances"] = np.array(view.variance, np.float64)
    out |= bootstrap.arrays(result.replicas)
    for (sample, region), n in result.selected.items():
        out[f"{sample}/{region}/entries"] = np.array([n], np.float64)
    for sample, n in result.events.items():
        out[f"{sample}/events"] = np.array([n], np.float64)
    for sample, of in result.luminosities.items():
        out[f"{sample}/luminosity"] = np.array([of.processed], np.float64)
    out |= cut_flow.arrays(result.cut_flows) | filter_flow.arrays(result.filter_flows)
    for era, of_era in result.eras.items():
        out |= {f"{era}/{name}": array for name, array in arrays(of_era).items()}
    return out


def deviation(name: str, a: NDArray[np.float64], b: NDArray[np.float64]) -> Deviation:
    """Largest relative difference of two arrays, and how large it may be.

    Numbers of events must be equal; sums of weights may differ by rounding.  Means, in which
    values of either sign cancel, are compared with the largest of their profile; of sums of
    squared deviations, too, digits are lost, three where a mean is thirty times the spread.
    """
    if name.endswith(("/entries", "/events")):
        return Deviation(float(np.max(np.abs(a - b), initial=0.0)), 0.0)
    alike = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(a) & np.isfinite(b)
    relative = np.where(alike, 0.0, np.inf)  # a number against none is as far as can be
    apart, scale = np.abs(a[finite] - b[finite]), np.maximum(np.abs(a), np.abs(b))[finite]
    if name.endswith((*OF_SIGNS, bootstrap.ENDING)):
        scale = np.full_like(scale, scale.max(initial=0.0))
    relative[finite] = np.divide(apart, scale, out=np.zeros_like(apart), where=scale > 0)
    allowed = 1e-9 if name.endswith(OF_SIGNS[-1]) else 1e-12
    return Deviation(float(np.max(relative, initial=0.0)), allowed)


def weight_of(name: str, total: Filled, spec: HepSpec) -> float:
    """The factor that a sample is multiplied by; see `normalised`."""
    sample, events = spec.samples[name], total.events.get(name, 0)
    genweight = spec.normalisation == "genweight"
    read = any(key[0] == name for key in total.files) if genweight else events
    if sample.data or spec.normalisation == "none" or not read:
        return 1.0
    luminosity = spec.luminosity_of(name)
    number = float(events)
    if genweight:
        number = processed_weight(total, name)
        if not usable(number):
            return math.nan
    assert sample.cross_section is not None
    assert luminosity is not None
    return sample.cross_section * luminosity / number


def _summed(
    a: Mapping[Any, Any], b: Mapping[Any, Any], add: Callable[[Any, Any], Any] = operator.add
) -> dict[Any, Any]:
    both = {**a, **b}
    return {key: add(a[key], b[key]) if key in a and key in b else both[key] for key in both}
