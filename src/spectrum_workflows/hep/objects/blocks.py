"""All variations of the objects of one collection at once, in blocks of events.

A block stays in cache from the correction to the selection, and its memory is used again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.analyses.jagged import chosen_offsets
from spectrum_workflows.hep.objects.inputs import flat, gathered, offsets_of
from spectrum_workflows.hep.objects.met import follow, instead
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
    """Whether all that varies are the objects of one collection, and what follows them."""
    return len(declared.chains) == 1


def names(declared: Declared) -> list[str]:
    """Variations of `blocks`, in their order."""
    both = [
        f"{shift.name}_{side}"
        for group in _groups(declared.shifts)
        for side in ("up", "down")
        for shift in group
    ]
    reruns = [rerun.name for rerun in declared.reruns]
    return [*both, *reruns, *(shift.name for shift in declared.met_shifts)]


def blocks(
    nominal: Nominal,
    declared: Declared,
    kernels: Kernels,
    columns: Collection[str],
    items: NDArray[np.bool_] | None = None,
) -> Iterator[VariedBlock]:
    """The objects of a chain under all of its variations; the bits are those of `views.varied`.

    Parameters
    ----------
    nominal, declared, kernels
        As of `views.varied`; of one chain.
    columns : collection of str
        Columns that are asked for.
    items : ndarray of bool, shape (n_items,), optional
        Objects that are looked at.

    Raises
    ------
    DataError
        A correction has no value for an object that is looked at; or not all are, and the missing
        momentum follows them.
    """
    ((name, chain),) = declared.chains.items()
    events, offsets = nominal.events, offsets_of(nominal.events, chain.pt)
    follows = declared.met is not None and {declared.met.pt, declared.met.phi} & {*columns}
    asked = {*columns, chain.pt} if follows else {*columns}
    usual = {c: flat(events, c) for c in chain.scaled if c in asked}
    again = [nominal.again(name, rerun.chain, declared, kernels) for rerun in declared.reruns]
    if items is not None:
        _check_items(items, int(offsets[-1]), follows=bool(follows))
        usual, again = _chosen(usual, items), [_chosen(own, items) for own in again]
    groups = [_rows(nominal, group, kernels, offsets, items) for group in _groups(declared.shifts)]
    offsets = offsets if items is None else chosen_offsets(offsets, items)
    met = _FollowingMet(nominal, declared) if follows else None
    first, number = 2 * len(declared.shifts), len(names(declared))
    last = first + len(again)
    ends = [*range(0, len(events), EVENTS), len(events)]
    most = max((int(offsets[b] - offsets[a]) for a, b in _pairs(ends)), default=0)
    buffers = {c: np.empty((most, number), values.dtype) for c, values in usual.items()}
    for start, stop in _pairs(ends):
        here = slice(int(offsets[start]), int(offsets[stop]))
        changed = {c: buffer[: here.stop - here.start] for c, buffer in buffers.items()}
        at = 0
        for rows in groups:
            relative = rows(here)
            for c, values in usual.items():
                _spread(values[here], relative, at, changed[c])
            at += 2 * relative.shape[1]
        for k, columns_again in enumerate(again):
            for c in usual:
                changed[c][:, first + k] = columns_again[c][here]
        for c, values in usual.items():  # where only the missing momentum is another
            changed[c][:, last:] = values[here, np.newaxis]
        if met is not None:
            changed |= met.of(start, stop, changed[chain.pt], last)
        yield VariedBlock(start, stop, changed)


class _FollowingMet:
    """The missing momentum under all variations of the objects that it follows."""

    def __init__(self, nominal: Nominal, declared: Declared) -> None:
        assert declared.met is not None
        self.met = declared.met
        file = nominal.file
        ((name, _),) = declared.chains.items()
        self.recoil = nominal.recoils.get(name)
        self.file = [flat(file, column) for column in (self.met.pt, self.met.phi)]
        self.nominal = [flat(nominal.events, column) for column in (self.met.pt, self.met.phi)]
        changes = nominal.changes.values()
        self.shifted = [
            follow(file, self.met, [*changes, instead(file, self.met, shift.pt, shift.phi)])
            for shift in declared.met_shifts
        ]

    def of(self, start: int, stop: int, pt: NDArray[Any], last: int) -> dict[str, NDArray[Any]]:
        """Its columns for events of a block, shape (n_events, n_variations)."""
        number = last + len(self.shifted)
        out = [np.empty((stop - start, number), column.dtype) for column in self.nominal]
        if self.recoil is None:
            for column, values in zip(out, self.nominal, strict=True):
                column[:, :last] = values[start:stop, np.newaxis]
        else:
            r = self.recoil
            _follow(r.offsets, start, stop, last, r.x, r.y, r.before, pt, *self.file, *out)
        names = (self.met.pt, self.met.phi)
        for k, shifted in enumerate(self.shifted):
            for name, column in zip(names, out, strict=True):
                column[:, last + k] = shifted[name][start:stop]
        return dict(zip(names, out, strict=True))


def _pairs(ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((a, b) for a, b in pairwise(ends) if b > a)


def _groups(shifts: Sequence[Shift]) -> list[list[Shift]]:
    """Shifts of the same inputs, which are evaluated together."""
    alike: dict[object, list[Shift]] = {}
    for shift in shifts:
        alike.setdefault((shift.call.file, shift.call.inputs), []).append(shift)
    return list(alike.values())


def _check_items(items: NDArray[np.bool_], number: int, *, follows: bool) -> None:
    if items.shape != (number,) or items.dtype != np.bool_:
        message = f"blocks are asked for with items of shape {items.shape} and type {items.dtype}"
        raise DataError(message, "select_varied", f"give a true or false for {number} objects")
    if follows:
        message = "the missing momentum follows all objects, and blocks are asked for of some"
        raise DataError(message, "select_varied", "leave items out")


def _chosen(columns: Mapping[str, NDArray[Any]], items: NDArray[np.bool_]) -> dict[str, Any]:
    return {name: values[items] for name, values in columns.items()}


def _rows(
    nominal: Nominal,
    group: Sequence[Shift],
    kernels: Kernels,
    offsets: NDArray[np.int64],
    items: NDArray[np.bool_] | None,
) -> Rows:
    call = group[0].call
    inputs = gathered(call.inputs, nominal.events, offsets)
    if items is not None:
        inputs = [given if isinstance(given, str) else given[items] for given in inputs]
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


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _follow(
    offsets: Any,
    start: int,
    stop: int,
    lanes: int,
    x: Any,
    y: Any,
    before: Any,
    after: Any,
    pt: Any,
    phi: Any,
    new_pt: Any,
    new_phi: Any,
) -> None:
    """As `met.follow`, under the first of the variations; what does not change stays as it is."""
    dx, dy = np.empty(lanes), np.empty(lanes)
    for event in range(start, stop):
        dx[:], dy[:] = 0.0, 0.0
        for i in range(offsets[event], offsets[event + 1]):
            varied = after[i - offsets[start]]
            was, x_i, y_i = np.float64(before[i]), x[i], y[i]
            for s in range(lanes):
                dx[s] -= (np.float64(varied[s]) - was) * x_i
            for s in range(lanes):
                dy[s] -= (np.float64(varied[s]) - was) * y_i
        size, angle = np.float64(pt[event]), np.float64(phi[event])
        x_0, y_0 = size * np.cos(angle), size * np.sin(angle)
        sizes, angles = new_pt[event - start], new_phi[event - start]
        for s in range(lanes):
            sizes[s], angles[s] = pt[event], phi[event]
            if dx[s] != 0.0 or dy[s] != 0.0:
                sizes[s] = np.hypot(x_0 + dx[s], y_0 + dy[s])
                angles[s] = np.arctan2(y_0 + dy[s], x_0 + dx[s])
