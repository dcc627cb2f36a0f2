"""Objects in vetoed regions of a map, and events and collections without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from spectrum_workflows.hep.objects.inputs import Lists, gathered, offsets_of
from spectrum_workflows.hep.objects.weights import items_that_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.objects.chain import Kernels
    from spectrum_workflows.hep.objects.declared import Veto
    from spectrum_workflows.hep.objects.weights import Mask

AZIMUTH = 3.1415925
"""Largest azimuth that is looked up: maps end at 3.1415926, single precision rounds pi beyond."""


def vetoed(events: ak.Array, veto: Veto, kernels: Kernels, mask: Mask) -> NDArray[np.bool_]:
    """Which objects lie in a vetoed region; shape (n_objects,), one event after the other.

    Parameters
    ----------
    events : ak.Array
        Packed, with corrected objects.
    veto : Veto
    kernels : callable
        ``kernels(file)``.
    mask : callable
        ``mask(name)``: a jagged array of true and false.

    Raises
    ------
    DataError
        The map has no value for an object, or a function does not tell its items.
    """
    offsets = offsets_of(events, veto.counted)
    items = np.arange(int(offsets[-1]))
    if veto.where:
        items = np.flatnonzero(items_that_count(mask(veto.where), veto.where, offsets))
    inputs: list[Any] = []
    for source, given in zip(
        veto.call.inputs, gathered(veto.call.inputs, events, offsets), strict=True
    ):
        some = given if isinstance(given, str) else given[items]
        inputs.append(np.clip(some, -AZIMUTH, AZIMUTH) if _is_azimuth(source.column) else some)
    out = np.zeros(int(offsets[-1]), np.bool_)
    out[items] = kernels(veto.call.file).evaluate_lanes((veto.call.name,), *inputs)[0] != 0
    return out


def _is_azimuth(column: str) -> bool:
    return column.endswith("_phi")


def events_without(objects: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Events that have none of some objects; shape (n_events,).

    Parameters
    ----------
    objects : ndarray of bool, shape (n_objects,)
    offsets : ndarray, shape (n_events + 1,)
        Where those of each event begin.
    """
    before = np.concatenate([[0], np.cumsum(objects)])
    without: NDArray[np.bool_] = before[offsets[1:]] == before[offsets[:-1]]
    return without


def without_objects(
    events: ak.Array, collection: str, objects: NDArray[np.bool_], offsets: NDArray[np.int64]
) -> ak.Array:
    """The events with all columns of a collection, and its counter, without some objects.

    Parameters
    ----------
    events : ak.Array
        A record per event.
    collection : str
    objects, offsets
        As of `events_without`.
    """
    kept = ak.Array(Lists(ak.index.Index64(offsets), ak.contents.NumpyArray(~objects)))
    counter = f"n{collection}"
    layouts = []
    for name in events.fields:
        column = events[name]
        if name == counter:
            column = np.asarray(ak.sum(kept, axis=1)).astype(np.asarray(column).dtype)
        elif name.startswith(f"{collection}_") and ak.to_layout(column).is_list:
            column = column[kept]
        layouts.append(ak.to_layout(column))
    return ak.Array(ak.contents.RecordArray(layouts, events.fields, length=len(events)))
