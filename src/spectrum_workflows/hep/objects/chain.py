"""Corrected objects of one collection: factors, one after the other, smearing, and shifts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.objects.inputs import flat, gathered, offsets_of, with_columns
from spectrum_workflows.hep.objects.smearing import smearing_factors

if TYPE_CHECKING:
    import awkward as ak
    from numpy.typing import NDArray

    from spectrum_workflows.hep.corrections.evaluation import CorrectionKernels
    from spectrum_workflows.hep.objects.declared import Chain, Shift
    from spectrum_workflows.hep.objects.smearing import Smeared

    Kernels = Callable[[str], CorrectionKernels]
    """The compiled corrections of a file of the spec."""

    Changed = dict[str, NDArray[Any]]
    """Flat arrays by column."""

MEMORY = 128 << 20
"""Bytes of uncertainties that are kept at once."""


def scaled(events: ak.Array, chain: Chain, kernels: Kernels) -> Changed:
    """Columns of the objects after all factors but the smearing, in float64.

    Parameters
    ----------
    events : ak.Array
        Packed, as in the file.
    chain : Chain
    kernels : callable
        ``kernels(file)``.

    Raises
    ------
    DataError
        A correction has no value for an object, or a column is no list of decimals.
    """
    offsets = offsets_of(events, chain.pt)
    columns = [name for name in chain.scaled if name in events.fields]
    now: Changed = {name: _decimals(events, name).astype(np.float64) for name in columns}
    if chain.raw:
        undone = 1.0 - flat(events, chain.raw).astype(np.float64)
        now = {name: values * undone for name, values in now.items()}
    for step in chain.steps:
        inputs = gathered(step.inputs, with_columns(events, now), offsets)
        factor = kernels(step.file).evaluate_lanes((step.name,), *inputs)[0]
        now = {name: values * factor for name, values in now.items()}
    return now


def corrected(
    events: ak.Array, chain: Chain, kernels: Kernels, now: Changed, smeared: Smeared
) -> Changed:
    """Columns of the objects after all of a chain, with the types they have in the file.

    Parameters
    ----------
    events, chain, kernels
        As of `scaled`.
    now : dict of ndarray
        What that gave.
    smeared : dict
        What smearing of the same momenta found before, and what it finds now.
    """
    if chain.smearing is not None:
        factor = smearing_factors(with_columns(events, now), chain, now[chain.pt], kernels, smeared)
        now = {name: values * factor for name, values in now.items()}
    return {name: values.astype(flat(events, name).dtype) for name, values in now.items()}


def shifted(
    events: ak.Array, chain: Chain, shifts: Sequence[Shift], kernels: Kernels
) -> Iterator[tuple[str, Changed]]:
    """Name of every template of some relative uncertainties, and columns of the objects under it.

    Parameters
    ----------
    events : ak.Array
        Packed, with corrected objects.
    chain : Chain
    shifts : sequence of Shift
        All of this chain; those of the same inputs are evaluated together.
    kernels : callable
        ``kernels(file)``.
    """
    offsets = offsets_of(events, chain.pt)
    nominal = {name: flat(events, name) for name in chain.scaled if name in events.fields}
    most = max(8, MEMORY // (8 * max(1, int(offsets[-1]))))
    alike: dict[object, list[Shift]] = {}
    for shift in shifts:
        alike.setdefault((shift.call.file, shift.call.inputs), []).append(shift)
    for (first, *_), group in ((g, g) for g in alike.values()):
        inputs = gathered(first.call.inputs, events, offsets)
        for start in range(0, len(group), most):
            some = group[start : start + most]
            names = tuple(shift.call.name for shift in some)
            relative = kernels(first.call.file).evaluate_lanes(names, *inputs)
            for shift, by in zip(some, relative, strict=True):
                for direction, sign in (("up", 1.0), ("down", -1.0)):
                    shifted_columns = {
                        name: np.empty_like(values) for name, values in nominal.items()
                    }
                    for name, values in nominal.items():
                        _multiply(values, by, sign, shifted_columns[name])
                    yield f"{shift.name}_{direction}", shifted_columns


def _decimals(events: ak.Array, name: str) -> NDArray[Any]:
    values = flat(events, name)
    if values.dtype.kind != "f":
        raise DataError(f"{name} is of type {values.dtype}", "objects", "name a column of decimals")
    return values


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _multiply(values: Any, by: Any, sign: float, out: Any) -> None:
    """Each value times 1 plus or minus a relative shift."""
    for i in range(len(values)):
        out[i] = values[i] * (1.0 + sign * by[i])
