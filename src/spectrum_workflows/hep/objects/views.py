"""The events that a selection sees: with corrected objects, and under every variation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spectrum_workflows.hep.objects.chain import corrected, scaled, shifted
from spectrum_workflows.hep.objects.inputs import packed, with_columns
from spectrum_workflows.hep.objects.met import Recoil, follow, instead, recoil
from spectrum_workflows.hep.objects.smearing import scale_factors

if TYPE_CHECKING:
    import awkward as ak
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.hep.objects.chain import Changed, Kernels
    from spectrum_workflows.hep.objects.declared import Chain, Declared
    from spectrum_workflows.hep.objects.smearing import Smeared


@dataclass(frozen=True)
class Nominal:
    """Events with corrected objects, and what variations begin with.

    Attributes
    ----------
    file : ak.Array
        As in the file, packed.
    events : ak.Array
        With corrected objects.
    scaled : mapping of str to dict of ndarray
        Columns of every object before smearing.
    recoils : mapping of str to Recoil
        By object that the missing momentum follows.
    changes : mapping of str to ndarray, shape (2, n_events)
        What each of them changes of it.
    smeared : mapping of str to dict
        By object, what smearing with the same momenta need not find again.
    """

    file: ak.Array
    events: ak.Array
    scaled: Mapping[str, Changed]
    recoils: Mapping[str, Recoil]
    changes: Mapping[str, NDArray[np.float64]]
    smeared: Mapping[str, Smeared]

    def again(self, name: str, chain: Chain, declared: Declared, kernels: Kernels) -> Changed:
        """Columns of the objects of one kind, corrected in another way."""
        usual = declared.chains[name]
        if _same_before_smearing(chain, usual):
            before = self.scaled[name]
            return corrected(self.file, chain, kernels, before, self.smeared[name])
        return corrected(self.file, chain, kernels, scaled(self.file, chain, kernels), {})


def _same_before_smearing(a: Chain, b: Chain) -> bool:
    return (a.raw, a.steps) == (b.raw, b.steps)


def nominal(events: ak.Array, declared: Declared, kernels: Kernels) -> Nominal:
    """Correct all objects of some events.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        A record per event, with the columns that are needed.
    declared : Declared
    kernels : callable
        ``kernels(file)``: the compiled corrections of a file.

    Raises
    ------
    DataError
        A correction has no value for an object, or a column is not what it should be.
    """
    file, met = packed(events), declared.met
    changed: Changed = {}
    before = {name: scaled(file, chain, kernels) for name, chain in declared.chains.items()}
    smeared: dict[str, Smeared] = {}
    for name, chain in declared.chains.items():
        reruns = [r.chain for r in declared.reruns if r.object == name]
        alike = [chain, *(c for c in reruns if _same_before_smearing(c, chain))]
        smeared[name] = scale_factors(with_columns(file, before[name]), alike, kernels)
    for name, chain in declared.chains.items():
        changed |= corrected(file, chain, kernels, before[name], smeared[name])
    recoils, changes = {}, {}
    if met is not None:
        chains = {name: declared.chains[name] for name in met.objects}
        recoils = {name: recoil(file, chain, met.minimum_pt) for name, chain in chains.items()}
        changes = {name: recoils[name].of(changed[chain.pt]) for name, chain in chains.items()}
        changed |= follow(file, met, changes.values())
    return Nominal(file, with_columns(file, changed), before, recoils, changes, smeared)


def varied(
    nominal: Nominal, declared: Declared, kernels: Kernels
) -> Iterator[tuple[str, ak.Array]]:
    """Name of every variation of objects, and the events under it; one at a time in memory.

    Parameters
    ----------
    nominal, declared, kernels
        As of `nominal`.
    """
    for name, chain in declared.chains.items():
        own = [shift for shift in declared.shifts if shift.object == name]
        for template, changed in shifted(nominal.events, chain, own, kernels):
            yield template, _with_objects(nominal, declared, name, changed)
    for rerun in declared.reruns:
        changed = nominal.again(rerun.object, rerun.chain, declared, kernels)
        yield rerun.name, _with_objects(nominal, declared, rerun.object, changed)
    for shift in declared.met_shifts:
        assert declared.met is not None
        more = instead(nominal.file, declared.met, shift.pt, shift.phi)
        met = follow(nominal.file, declared.met, [*nominal.changes.values(), more])
        yield shift.name, with_columns(nominal.events, met)


def _with_objects(
    nominal: Nominal, declared: Declared, name: str, changed: dict[str, Any]
) -> ak.Array:
    """The events where one kind of objects has changed, and the missing momentum with it."""
    if declared.met is not None and name in nominal.recoils:
        pt = changed[declared.chains[name].pt]
        changes = {**nominal.changes, name: nominal.recoils[name].of(pt)}
        changed = changed | follow(nominal.file, declared.met, changes.values())
    return with_columns(nominal.events, changed)
