"""Weights of selected events: corrections of events, products over objects, generators' lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.objects.inputs import flat, gathered, offsets_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spectrum_workflows.hep.objects.chain import Kernels
    from spectrum_workflows.hep.objects.declared import Call, GeneratorWeight, Weight

    Mask = Callable[[str], Any]
    """What a function beside the selection says of the items of the events, by its name."""


def event_weight(
    events: ak.Array, weight: Weight, call: Call, kernels: Kernels, mask: Mask
) -> NDArray[np.float64]:
    """One weight of every event; shape (n_events,).

    Parameters
    ----------
    events : ak.Array
        Packed.
    weight : Weight
    call : Call
        Its correction, or that of one of its variations.
    kernels : callable
        ``kernels(file)``.
    mask : callable
        ``mask(name)``: a jagged array of true and false.

    Raises
    ------
    DataError
        A correction has no value, a function does not tell its items, or an efficiency is 1.
    """
    if not weight.collection:
        return _evaluated(call, kernels, gathered(call.inputs, events, None), len(events))
    offsets = offsets_of(events, weight.counted)
    counts = np.ones(int(offsets[-1]), np.bool_)
    if weight.where:
        counts = items_that_count(mask(weight.where), weight.where, offsets)
    items = np.flatnonzero(counts)
    factor = _of_items(events, call, kernels, offsets, items)
    if weight.efficiency is not None:
        tagged = items_that_count(mask(weight.tagged), weight.tagged, offsets)[items]
        efficiency = _of_items(events, weight.efficiency, kernels, offsets, items)
        factor = _working_point(factor, efficiency, tagged, weight.name)
    out = np.ones(len(events))
    event = np.repeat(np.arange(len(events)), np.diff(offsets))[items]
    np.multiply.at(out, event, factor)
    return out


def member_weights(events: ak.Array, weight: GeneratorWeight) -> dict[str, NDArray[np.float64]]:
    """The generator's weights of every event, by variation; each of shape (n_events,).

    Parameters
    ----------
    events : ak.Array
        Packed.
    weight : GeneratorWeight

    Raises
    ------
    DataError
        The list of an event has too few members.
    """
    offsets, values = offsets_of(events, weight.column), flat(events, weight.column)
    positions = [position for _, position in weight.members]
    most = max([*positions, *([] if weight.reference is None else [weight.reference])])
    fewest = int(np.diff(offsets).min(initial=most + 1))
    if fewest <= most:
        message = f"{weight.column} has {fewest} members in some event; there is no {most}"
        raise DataError(message, f"generator_weights.{weight.name}", "name others")
    values = values.astype(np.float64)
    reference = 1.0 if weight.reference is None else values[offsets[:-1] + weight.reference]
    with np.errstate(all="ignore"):  # what is not finite is refused with all weights
        return {name: values[offsets[:-1] + k] / reference for name, k in weight.members}


def _evaluated(call: Call, kernels: Kernels, inputs: list[Any], n: int) -> NDArray[np.float64]:
    values = kernels(call.file).evaluate_lanes((call.name,), *inputs)[0]
    return np.array(np.broadcast_to(values, n))


def _of_items(
    events: ak.Array,
    call: Call,
    kernels: Kernels,
    offsets: NDArray[np.int64],
    items: NDArray[np.intp],
) -> NDArray[np.float64]:
    """A correction of those items that count."""
    inputs = gathered(call.inputs, events, offsets)
    some = [given if isinstance(given, str) else given[items] for given in inputs]
    return _evaluated(call, kernels, some, len(items))


def items_that_count(mask: Any, name: str, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """What a function says of every item, one after the other.

    Raises
    ------
    DataError
        It is not one true or false for each of them.
    """
    layout = ak.to_packed(mask, highlevel=False) if isinstance(mask, ak.Array) else None
    if layout is not None and layout.is_list:
        lists = layout.to_ListOffsetArray64(True)
        values = lists.content.data if lists.content.is_numpy else np.zeros(0)
        if values.dtype == np.bool_ and np.array_equal(lists.offsets.data, offsets):
            return np.asarray(values)
    remedy = "return an array of true and false with the lists of the collection"
    raise DataError(f"{name} does not tell the items of this collection", "select", remedy)


def _working_point(
    factor: NDArray[np.float64],
    efficiency: NDArray[np.float64],
    tagged: NDArray[np.bool_],
    name: str,
) -> NDArray[np.float64]:
    """Ratio of probabilities, data over simulation, that an item is tagged, or is not."""
    if np.any(efficiency[~tagged] >= 1):
        message = "an item is not tagged whose efficiency is 1"
        raise DataError(message, f"weights.{name}", "mend the efficiency")
    untagged = (1.0 - factor * efficiency) / np.where(tagged, 1.0, 1.0 - efficiency)
    return np.where(tagged, factor, untagged)
