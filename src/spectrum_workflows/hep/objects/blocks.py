"""All variations of the objects of one collection at once, in blocks of events.

A block stays in cache from the correction to the selection, and its memory is used again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from spectrum_workflows.hep.objects.inputs import flat, gathered, offsets_of
from spectrum_workflows.hep.types.varied import VariedBlock

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from spectrum_workflows.hep.corrections.evaluation import Rows
    from spectrum_workflows.hep.objects.chain import Kernels
    from spectrum_workflows.hep.objects.declared import Declared, Shift
    from spectrum_workflows.hep.objects.views import Nominal

EVENTS = 512
"""Events of a block."""


def of_one_chain(declared: Declared) -> bool:
    """Whether all that varies are the objects of one collection, which nothing follows."""
    rest = (declared.met, *declared.met_shifts)
    return len(declared.chains) == 1 and not any(rest)


def names(declared: Declared) -> list[str]:
    """Variations of `blocks`, in their order."""
    both = [
        f"{shift.name}_{side}"
        for group in _groups(declared.shifts)
        for side in ("up", "down")
        for shift in group
    ]
    return [*both, *(rerun.name for rerun in declared.reruns)]


def blocks(
    nominal: Nominal, declared: Declared, kernels: Kernels, columns: Collection[str]
) -> Iterator[VariedBlock]:
    """The objects of a chain under all of its variations; the bits are those of `views.varied`.

    Parameters
    ----------
    nominal, declared, kernels
        As of `views.varied`; of one chain.
    columns : collection of str
        Columns that are asked for.

    Raises
    ------
    DataError
        A correction has no value for an object.
    """
    ((name, chain),) = declared.chains.items()
    events, offsets = nominal.events, offsets_of(nominal.events, chain.pt)
    usual = {c: flat(events, c) for c in chain.scaled if c in columns}
    again = [nominal.again(name, rerun.chain, declared, kernels) for rerun in declared.reruns]
    groups = [_rows(nominal, group, kernels, offsets) for group in _groups(declared.shifts)]
    first, number = 2 * len(declared.shifts), len(names(declared))
    ends = [*range(0, len(events), EVENTS), len(events)]
    most = max((int(offsets[b] - offsets[a]) for a, b in _pairs(ends)), default=0)
    buffers = {c: np.empty((most, number), values.dtype) for c, values in usual.items()}
    for start, stop in _pairs(ends):
        items = slice(int(offsets[start]), int(offsets[stop]))
        changed = {c: buffer[: items.stop - items.start] for c, buffer in buffers.items()}
        at = 0
        for rows in groups:
            relative = rows(items)
            for c, values in usual.items():
                _spread(values[items], relative, at, changed[c])
            at += 2 * relative.shape[1]
        for k, columns_again in enumerate(again):
            for c in usual:
                changed[c][:, first + k] = columns_again[c][items]
        yield VariedBlock(start, stop, changed)


def _pairs(ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((a, b) for a, b in pairwise(ends) if b > a)


def _groups(shifts: Sequence[Shift]) -> list[list[Shift]]:
    """Shifts of the same inputs, which are evaluated together."""
    alike: dict[object, list[Shift]] = {}
    for shift in shifts:
        alike.setdefault((shift.call.file, shift.call.inputs), []).append(shift)
    return list(alike.values())


def _rows(
    nominal: Nominal, group: Sequence[Shift], kernels: Kernels, offsets: NDArray[np.int64]
) -> Rows:
    call = group[0].call
    inputs = gathered(call.inputs, nominal.events, offsets)
    return kernels(call.file).rows(tuple(shift.call.name for shift in group), *inputs)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _spread(values: Any, relative: Any, at: int, out: Any) -> None:
    """Each value times 1 plus, and then times 1 minus, every relative shift."""
    n = relative.shape[1]
    for i in range(len(values)):
        value, by = np.float64(values[i]), relative[i]
        up, down = out[i, at : at + n], out[i, at + n : at + 2 * n]  # such become vectors
        for k in range(n):
            up[k] = value * (1.0 + by[k])
        for k in range(n):
            down[k] = value * (1.0 - by[k])
