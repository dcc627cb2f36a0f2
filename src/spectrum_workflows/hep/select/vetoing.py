"""Events without what lies in the vetoed regions of declared maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.hep.objects.vetoes import events_without, vetoed, without_objects
from spectrum_workflows.hep.spec.veto_maps import row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import awkward as ak
    from numpy.typing import NDArray

    from spectrum_workflows.hep.objects.chain import Kernels
    from spectrum_workflows.hep.objects.declared import Declared
    from spectrum_workflows.hep.select.selection import Selection


@dataclass(frozen=True)
class VetoedEvents:
    """Events after the maps, before any of them is left out.

    Attributes
    ----------
    seen : ak.Array, shape (n_events,)
        Without vetoed objects, where maps drop objects.
    passed : mapping of str to ndarray of bool, shape (n_events,)
        By row: events that each of the other maps leaves.
    """

    seen: ak.Array
    passed: dict[str, NDArray[np.bool_]]


def look_up(
    seen: ak.Array,
    selection: Selection,
    declared: Declared,
    kernels: Kernels,
    columns: Sequence[str],
) -> VetoedEvents:
    """Look all maps of a sample up; an object that one of them drops vetoes no event any more.

    Parameters
    ----------
    seen : ak.Array, shape (n_events,)
        As they are in the file.
    selection : Selection
        Beside which functions tell what is looked up.
    declared : Declared
    kernels : callable
        ``kernels(file)``.
    columns : sequence of str
        What the selection sees.

    Raises
    ------
    DataError
        A map or a correction has no value for an object.
    """
    from spectrum_workflows.hep.objects import views
    from spectrum_workflows.hep.objects.inputs import offsets_of, packed

    corrected = views.nominal(seen, declared, kernels).events
    mask = cache(lambda name: selection.beside(name, corrected[list(columns)]))
    passed: dict[str, NDArray[np.bool_]] = {}
    dropped: dict[str, NDArray[np.bool_]] = {}
    counted: dict[str, NDArray[np.int64]] = {}
    for veto in declared.vetoes:
        offsets = offsets_of(corrected, veto.counted)
        objects = vetoed(corrected, veto, kernels, mask)
        before = dropped.get(veto.collection, np.zeros(len(objects), np.bool_))
        if veto.drops_events:
            passed[row_of(veto.name)] = events_without(objects & ~before, offsets)
        else:
            dropped[veto.collection] = objects | before
            counted[veto.collection] = offsets
    seen = packed(seen) if dropped else seen
    for collection, objects in dropped.items():
        seen = without_objects(seen, collection, objects, counted[collection])
    return VetoedEvents(seen, passed)
