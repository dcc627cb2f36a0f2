"""Fill, merge and normalise histograms: pure functions over hist.Hist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.closure import generated_weight
from spectrum_workflows.hep.observables import refuse_weights, weighted
from spectrum_workflows.hep.observables import regions as looked_at
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.types import Filled, HepResult, Observable
from spectrum_workflows.specs import closest


def empty(name: str, spec: HistogramSpec) -> hist.Hist:
    """An empty histogram with float64 sums of weights and of their squares."""
    transform = hist.axis.transform.log if spec.log else None
    axis = hist.axis.Regular(
        spec.bins, spec.start, spec.stop, name="x", label=spec.label or name, transform=transform
    )
    return hist.Hist(axis, storage=hist.storage.Weight(), name=name)


def filled(
    sample: str,
    observables: Any,
    histograms: Mapping[str, HistogramSpec],
    *,
    events: int,
    seen: int | None = None,
    variations: Sequence[str] = (),
    generated: NDArray[Any] | None = None,
    weightless: bool = False,
) -> Filled:
    """Histogram what ``select`` returned for one partition.

    Parameters
    ----------
    sample : str
        Whose events these are.
    observables : mapping of region to Observable or array, shape (n_selected,)
        From ``select``.
    histograms : mapping of name to HistogramSpec
        What to fill.
    events : int
        Events that were looked at.
    seen : int, optional
        Those that ``select`` was given.
    variations : sequence of str
        Systematic variations that every region must hold.
    generated : ndarray, shape (events,), optional
        Generator weights, by which the events' own are multiplied.
    weightless : bool
        Whether these are events that may have no weights: data.

    Raises
    ------
    SpecError
        A histogram asks for a region that ``select`` does not return, or for
        a variation that the region lacks; or events have weights that may not.
    DataError
        A value is not finite, or a region is not one number per event.
    """
    found = looked_at(observables, seen=seen)
    if weightless:
        refuse_weights(found, sample)
    regions = {r: weighted(r, o, generated) for r, o in found.items()}
    out = {
        (sample, title): _fill(empty(title, spec), observable)
        for title, spec, observable in wanted(regions, histograms, variations)
    }
    selected = {(sample, region): len(o.values) for region, o in regions.items()}
    return Filled(out, selected, {sample: events})


def wanted(
    regions: Mapping[str, Observable],
    histograms: Mapping[str, HistogramSpec],
    variations: Sequence[str],
) -> Iterator[tuple[str, HistogramSpec, Observable]]:
    """Title of every histogram, what it is like, and what to fill into it.

    Raises
    ------
    SpecError
        There is no such region, or not with such a variation.
    """
    for name, spec in histograms.items():
        region = spec.observable or name
        if region not in regions:
            raise SpecError(
                f"select returns no region {region!r}",
                f"histograms.{name}",
                closest(region, list(regions)),
            )
        yield name, spec, regions[region]
        for variation in variations:
            varied = regions[region].variations.get(variation)
            if varied is None:
                known = list(regions[region].variations)
                what = f"select returns no variation {variation!r} of {region!r}"
                raise SpecError(what, "variations", closest(variation, known))
            yield f"{name}_{variation}", spec, varied


def _fill(histogram: hist.Hist, found: Observable) -> hist.Hist:
    values = found.values
    if histogram.axes[0].transform is not None:  # what has no logarithm lies below every axis
        values = np.where(values > 0, values, np.nextafter(0, 1))
    return histogram.fill(values, weight=found.weights)


def merge(a: Filled, b: Filled) -> Filled:
    """Sum two fills; associative, and exact as long as weights are 1."""
    return Filled(
        _summed(a.histograms, b.histograms),
        _summed(a.selected, b.selected),
        _summed(a.events, b.events),
        _summed(a.files, b.files),
    )


def normalised(total: Filled, spec: HepSpec, missing: Sequence[str] = ()) -> HepResult:
    """Scale every simulated sample to the luminosity.

    The weight is cross section x luminosity / N.  With ``"events"``, N is the
    *number* of events processed of the sample (the AGC's definition); with
    ``"genweight"`` the sum of generator weights of its files.  Simulation that
    lost partitions therefore still estimates the same yields; data that did
    has fewer events.  Samples without a processed event give empty histograms.
    """
    weights = {name: _weight(name, total, spec) for name in spec.samples}
    histograms = {}
    for sample in spec.samples:
        for name, axis in spec.templates_of(sample):
            found = total.histograms.get((sample, name))
            found = empty(name, spec.histograms[axis]) if found is None else found
            weight = weights[sample]
            histograms[sample, name] = found if weight == 1 else found * weight
    regions = list(dict.fromkeys(region for _, region in total.selected))
    selected = {
        (sample, region): total.selected.get((sample, region), 0)
        for sample in spec.samples
        for region in regions
    }
    events = {sample: total.events.get(sample, 0) for sample in spec.samples}
    return HepResult(spec, histograms, selected, events, weights, tuple(missing))


def arrays(result: HepResult) -> dict[str, NDArray[np.float64]]:
    """The named float64 arrays that are the result.

    ``sample/histogram/values`` and ``.../variances`` have shape (bins + 2,)
    with underflow first and overflow last; ``sample/region/entries`` and
    ``sample/events`` have shape (1,).
    """
    out: dict[str, NDArray[np.float64]] = {}
    for (sample, name), h in result.histograms.items():
        view = h.view(flow=True)
        out[f"{sample}/{name}/values"] = np.array(view.value, np.float64)
        out[f"{sample}/{name}/variances"] = np.array(view.variance, np.float64)
    for (sample, region), n in result.selected.items():
        out[f"{sample}/{region}/entries"] = np.array([n], np.float64)
    for sample, n in result.events.items():
        out[f"{sample}/events"] = np.array([n], np.float64)
    return out


def deviation(name: str, a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """Largest relative difference of two arrays, and how large it may be.

    Numbers of events must be equal; sums of weights may differ by rounding.
    """
    if name.endswith(("/entries", "/events")):
        return float(np.max(np.abs(a - b), initial=0.0)), 0.0
    scale = np.maximum(np.abs(a), np.abs(b))
    apart = np.abs(a - b)
    relative = np.divide(apart, scale, out=np.zeros_like(apart), where=scale > 0)
    return float(np.max(relative, initial=0.0)), 1e-12


def _weight(name: str, total: Filled, spec: HepSpec) -> float:
    sample, events = spec.samples[name], total.events.get(name, 0)
    if sample.data or spec.normalisation == "none" or not events:
        return 1.0
    number = float(events)
    if spec.normalisation == "genweight":
        number = generated_weight(total, name)
    assert sample.cross_section is not None
    assert spec.luminosity is not None
    return sample.cross_section * spec.luminosity / number


def _summed(a: Mapping[Any, Any], b: Mapping[Any, Any]) -> dict[Any, Any]:
    both = {**a, **b}
    return {key: a[key] + b[key] if key in a and key in b else both[key] for key in both}
