"""Weights of the events that were selected, as the spec declares them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import SpecError

if TYPE_CHECKING:
    import awkward as ak
    from numpy.typing import NDArray

    from spectrum_workflows.hep.objects.chain import Kernels
    from spectrum_workflows.hep.objects.declared import Declared
    from spectrum_workflows.hep.types import Observable


@dataclass(frozen=True)
class Weights:
    """Weights of some events, by their position; and those of variations.

    Attributes
    ----------
    nominal : ndarray, shape (n_events,), optional
        None where nothing is weighted.  Events that are in no region have 0.
    variations : mapping of str to ndarray, shape (n_events,)
    """

    nominal: NDArray[np.float64] | None
    variations: Mapping[str, NDArray[np.float64]]

    def __call__(self, observable: Observable, variation: str = "") -> Observable:
        """The same events with their weights, without variations of their own."""
        own = self.variations[variation] if variation else self.nominal
        if own is None:
            return replace(observable, variations={})
        assert observable.index is not None
        factor = own[observable.index]
        if observable.weights is not None:
            factor = factor * observable.weights
        return replace(observable, weights=factor, variations={})


def weights(
    events: ak.Array,
    declared: Declared,
    regions: Mapping[str, Observable],
    kernels: Kernels,
    beside: Callable[[str, ak.Array], Any],
    *,
    vary: bool,
) -> Weights:
    """All weights of the events that are in some region.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        Packed, as the selection saw them, with the columns of corrections.
    declared : Declared
    regions : mapping of str to Observable
        What was selected of them.
    kernels : callable
        ``kernels(file)``.
    beside : callable
        ``beside(name, events)``: a function that stands beside the selection.
    vary : bool
        Whether variations of the weights are asked for, too.

    Raises
    ------
    SpecError
        A region does not say which events it holds.
    DataError
        A correction has no value for an event or object.
    """
    from spectrum_workflows.hep.objects.inputs import packed
    from spectrum_workflows.hep.objects.weights import event_weight, member_weights

    index = np.unique(np.concatenate([np.zeros(0, np.int64), *_indices(regions)]))
    some = packed(events[index])
    mask = cache(lambda name: beside(name, some))
    factors = {w.name: event_weight(some, w, w.call, kernels, mask) for w in declared.weights}

    def everything(changed: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        total = np.ones(len(some))
        for factor in (factors | dict(changed)).values():
            total = total * factor
        spread = np.zeros(len(events))
        spread[index] = total
        return spread

    if not vary:
        return Weights(everything({}), {})
    varied = {
        name: everything({weight.name: event_weight(some, weight, call, kernels, mask)})
        for weight in declared.weights
        for name, call in weight.variations
    }
    for generated in declared.generator_weights:
        for name, factor in member_weights(some, generated).items():
            varied[name] = everything({f"generator {name}": factor})
    return Weights(everything({}), varied)


def _indices(regions: Mapping[str, Observable]) -> Iterator[NDArray[Any]]:
    for region, observable in regions.items():
        if observable.index is None:
            raise SpecError(
                f"region {region!r} does not say which events it holds, and weights are declared",
                "select",
                "return Observable(values, index=positions of the selected events)",
            )
        yield observable.index
        yield from _indices({f"{region}_{n}": o for n, o in observable.variations.items()})
