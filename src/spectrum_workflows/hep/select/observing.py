"""A selection applied to events: nominal, and again to what declared variations change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.histogram import texts
from spectrum_workflows.hep.select.combining import combine
from spectrum_workflows.hep.select.observables import check_regions
from spectrum_workflows.hep.select.weighing import Weights, weights
from spectrum_workflows.hep.types.varied import VariedObjects
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    import awkward as ak

    from spectrum_workflows.hep.objects.declared import Declared
    from spectrum_workflows.hep.objects.views import Nominal
    from spectrum_workflows.hep.select.selection import Selection
    from spectrum_workflows.hep.select.workload import Workload
    from spectrum_workflows.hep.types import Observable


def observe(
    seen: ak.Array, selection: Selection, workload: Workload, sample: str, *, at_once: bool = True
) -> dict[str, Observable]:
    """What a selection returns of some events, with all variations that are declared.

    Parameters
    ----------
    seen : ak.Array, shape (n_events,)
        As `preparing.prepare` gives them.
    selection : Selection
    workload : Workload
    sample : str
    at_once : bool
        Whether many variations are selected at once, where the spec names a function for it.

    Returns
    -------
    dict of region to Observable
        As `check_regions` gives them.

    Raises
    ------
    SpectrumError
        A correction has no value somewhere, or the selection raised an error.
    """
    declared = workload.declarations.samples.get(sample)
    options = workload.options(sample)
    if declared is None:
        columns = list(workload.requested[sample].columns)
        own = seen if columns == seen.fields else seen[columns]
        returned = selection(own, **options)
        regions = combine(returned, workload.regions, workload.histograms, seen=len(seen))
        return check_regions(regions, seen=len(seen), text=texts(workload.histograms))
    return _Observer(selection, workload, sample, options, at_once).observe(seen, declared)


class _Observer:
    """One selection of one sample, which is applied several times."""

    def __init__(
        self,
        selection: Selection,
        workload: Workload,
        sample: str,
        options: Mapping[str, Any],
        at_once: bool,
    ) -> None:
        self.at_once = at_once and bool(workload.select_varied)
        self.selection, self.options = selection, options
        self.workload = workload
        self.text = texts(workload.histograms)
        self.columns = list(workload.requested[sample].columns)

    def observe(self, seen: ak.Array, declared: Declared) -> dict[str, Observable]:
        from spectrum_workflows.hep.objects import views  # compiled kernels come with it

        kernels = self.workload.declarations.kernels
        nominal = views.nominal(seen, declared, kernels)
        regions = self.select(nominal.events, self.options)
        weigh = self._weights(nominal.events, declared, regions, vary=True)
        varied = {r: {n: weigh(o) for n, o in f.variations.items()} for r, f in regions.items()}
        for name, of in self._varied(nominal, declared):
            for region, variations in varied.items():
                variations[name] = _region(of, region, name)
        for name in weigh.variations:
            for region, variations in varied.items():
                variations[name] = weigh(regions[region], name)
        weighed = {r: replace(weigh(o), variations=varied[r]) for r, o in regions.items()}
        if not (declared.weights or declared.generator_weights):
            return weighed
        return check_regions(weighed, seen=len(seen), text=self.text)

    def _varied(
        self, nominal: Nominal, declared: Declared
    ) -> Iterator[tuple[str, Mapping[str, Observable]]]:
        """Weighted regions under every variation of objects."""
        from spectrum_workflows.hep.objects import blocks, views

        kernels = self.workload.declarations.kernels
        if self.at_once and blocks.of_one_chain(declared):
            yield from self._all_at_once(nominal, declared)
            return
        own = {"variations": ()} if "variations" in self.options else {}
        for name, events in views.varied(nominal, declared, kernels):
            regions = self.select(events, {**self.options, **own})
            weigh = self._weights(events, declared, regions, vary=False)
            yield name, {region: weigh(o) for region, o in regions.items()}

    def _all_at_once(
        self, nominal: Nominal, declared: Declared
    ) -> Iterator[tuple[str, Mapping[str, Observable]]]:
        from spectrum_workflows.hep.objects import blocks, views

        names, seen = blocks.names(declared), len(nominal.events)
        kernels = self.workload.declarations.kernels
        some = partial(blocks.blocks, nominal, declared, kernels, self.columns)
        varied = VariedObjects(len(names), some)
        function = self.workload.select_varied
        returned = self.selection.beside(function, nominal.events[self.columns], varied=varied)
        if not isinstance(returned, Sequence) or len(returned) != len(names):
            message = f"{function} did not return a list of one dict of regions per variation"
            raise DataError(message, "select_varied", f"there are {len(names)} variations")
        checked = {n: self.check(r, seen) for n, r in zip(names, returned, strict=True)}
        if not declared.weights:
            yield from checked.items()
            return
        for name, events in views.varied(nominal, declared, kernels):
            weigh = self._weights(events, declared, checked[name], vary=False)
            yield name, {region: weigh(o) for region, o in checked[name].items()}

    def _weights(
        self,
        events: ak.Array,
        declared: Declared,
        regions: Mapping[str, Observable],
        *,
        vary: bool,
    ) -> Weights:
        """The weights of events that were selected."""
        if not (declared.weights or declared.generator_weights):
            return Weights(None, {})
        return weights(
            events,
            declared,
            regions,
            self.workload.declarations.kernels,
            lambda name, some: self.selection.beside(name, some[self.columns]),
            vary=vary,
        )

    def select(self, events: ak.Array, options: Mapping[str, Any]) -> dict[str, Observable]:
        returned = self.selection(events[self.columns], **options)
        return self.check(returned, len(events))

    def check(self, returned: Any, seen: int) -> dict[str, Observable]:
        """Regions of what was returned of so many events."""
        workload = self.workload
        regions = combine(returned, workload.regions, workload.histograms, seen=seen)
        return check_regions(regions, seen=seen, text=self.text)


def _region(regions: Mapping[str, Observable], region: str, variation: str) -> Observable:
    if region not in regions:
        message = f"select returns no region {region!r} under the variation {variation!r}"
        raise SpecError(message, "select", closest(region, list(regions)))
    return regions[region]
