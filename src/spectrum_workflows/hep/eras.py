"""Results of several eras, and their sum: pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from spectrum_workflows.hep import histogram, profiles
from spectrum_workflows.hep.spec import eras
from spectrum_workflows.hep.spec.bootstrap import asked_histograms
from spectrum_workflows.hep.spec.eras import era_of, name_of
from spectrum_workflows.hep.types import (
    CutFlow,
    Filled,
    FilterFlow,
    HepResult,
    ProcessedLuminosity,
)

if TYPE_CHECKING:
    import hist
    from numpy.typing import NDArray

    from spectrum_workflows.hep.spec import HepSpec

T = TypeVar("T")


def of_era(total: Filled, era: str) -> Filled:
    """What was filled of one era, with the names that samples have in it."""

    def own(table: Mapping[Any, T]) -> dict[Any, T]:
        return {
            (name_of(key[0]), *key[1:]): value
            for key, value in table.items()
            if era_of(key[0]) == era
        }

    events = {name_of(s): n for s, n in total.events.items() if era_of(s) == era}
    return Filled(
        own(total.histograms),
        own(total.selected),
        events,
        own(total.files),
        own(total.fates),
        left=own(total.left),
        replicas=own(total.replicas),
    )


def summed(spec: HepSpec, results: Mapping[str, HepResult]) -> HepResult:
    """The sum of the results of all eras.

    Under a variation, an era that does not have it is nominal.  A sample of the sum has no weight
    of its own: its eras were normalised before.

    Parameters
    ----------
    spec : HepSpec
    results : mapping of str to HepResult
        By era, in their order.
    """
    selected: dict[tuple[str, str], int] = {}
    events = dict.fromkeys(spec.samples, 0)
    for result in results.values():
        for key, n in result.selected.items():
            selected[key] = selected.get(key, 0) + n
        for sample, n in result.events.items():
            events[sample] += n
    weights = dict.fromkeys(spec.samples, 1.0)
    return HepResult(
        spec,
        dict(_histograms(spec, results)),
        selected,
        events,
        weights,
        cut_flows=dict(_cut_flows(spec, results)),
        filter_flows=dict(_filter_flows(spec, results)),
        luminosities=dict(_luminosities(spec, results)),
        eras=results,
        replicas=dict(_replicas(spec, results)),
    )


def _replicas(
    spec: HepSpec, results: Mapping[str, HepResult]
) -> Iterator[tuple[tuple[str, str], NDArray[np.float64]]]:
    for name, sample in product(asked_histograms(spec), spec.samples):
        own = [r.replicas[sample, name] for r in results.values() if sample in r.spec.samples]
        yield (sample, name), reduce(np.add, own)


def _sources(
    spec: HepSpec, results: Mapping[str, HepResult], sample: str
) -> Iterator[tuple[str, list[tuple[HepResult, str]]]]:
    """Variations of the sum of a sample: for each, the results of its eras and what varies there.

    The nominal one has no name.
    """
    own = [(era, result) for era, result in results.items() if sample in result.spec.samples]
    yield "", [(result, "") for _, result in own]
    for name, of_eras in eras.variations_of(spec, sample).items():
        yield name, [(result, of_eras.get(era, "")) for era, result in own]


def _histograms(
    spec: HepSpec, results: Mapping[str, HepResult]
) -> Iterator[tuple[tuple[str, str], hist.Hist]]:
    titles = spec.titles
    for sample in spec.samples:
        for variation, own in _sources(spec, results, sample):
            for name, described in spec.histograms.items():
                parts = [r.histograms[sample, r.spec.titles[name, varied]] for r, varied in own]
                title = titles[name, variation]
                yield (sample, title), _sum(parts, histogram.empty(title, described))


def _sum(parts: Sequence[hist.Hist], empty: hist.Hist) -> hist.Hist:
    """Histograms, or profiles, added up on axes whose labels are of another variation."""
    if profiles.is_profile(parts[0]):
        total = profiles.added(parts, profiles.means_of(empty))
        known = all(np.isfinite(profiles.sums_of(part)[0]).all() for part in parts)
        return total if known else profiles.scaled(total, math.nan)
    for part in parts:
        for key in ("value", "variance"):
            empty.view(flow=True)[key] += part.view(flow=True)[key]
    return empty


def _cut_flows(
    spec: HepSpec, results: Mapping[str, HepResult]
) -> Iterator[tuple[tuple[str, str, str], CutFlow]]:
    for sample in spec.samples:
        filled = ("", *spec.filled_of(sample))
        for variation, own in _sources(spec, results, sample):
            for region in spec.combined_regions if variation in filled else ():
                flows = [result.cut_flows[sample, region, v] for result, v in own]
                yield (sample, region, variation), reduce(_with_cut_flow, flows)


def _with_cut_flow(a: CutFlow, b: CutFlow) -> CutFlow:
    return CutFlow(
        a.cuts,
        a.entries + b.entries,
        a.yields + b.yields,
        np.hypot(a.errors, b.errors),
        a.n_minus_1 + b.n_minus_1,
        np.hypot(a.n_minus_1_errors, b.n_minus_1_errors),
    )


def _filter_flows(
    spec: HepSpec, results: Mapping[str, HepResult]
) -> Iterator[tuple[str, FilterFlow]]:
    """What is left in samples that go through the same in all of their eras."""
    for sample, flows in _by_sample(spec, results, lambda result: result.filter_flows).items():
        if spec.filter_rows(sample):
            yield sample, reduce(_with_filter_flow, flows)


def _with_filter_flow(a: FilterFlow, b: FilterFlow) -> FilterFlow:
    errors = np.hypot(a.errors, b.errors)
    return FilterFlow(a.rows, a.entries + b.entries, a.yields + b.yields, errors)


def _luminosities(
    spec: HepSpec, results: Mapping[str, HepResult]
) -> Iterator[tuple[str, ProcessedLuminosity]]:
    of_eras = _by_sample(spec, results, lambda result: result.luminosities)
    eras_with = {name: sum(name in r.spec.samples for r in results.values()) for name in of_eras}
    for sample, own in of_eras.items():
        if len(own) < eras_with[sample]:  # an era's is not known, so that the sum's is not
            continue
        totals = {f.name: sum(getattr(of, f.name) for of in own) for f in fields(own[0])}
        yield sample, ProcessedLuminosity(**totals)


def _by_sample(
    spec: HepSpec,
    results: Mapping[str, HepResult],
    of: Callable[[HepResult], Mapping[str, T]],
) -> dict[str, list[T]]:
    """Values of every sample in the eras that have one."""
    out: dict[str, list[T]] = {}
    for sample in spec.samples:
        own = [of(result)[sample] for result in results.values() if sample in of(result)]
        if own:
            out[sample] = own
    return out
