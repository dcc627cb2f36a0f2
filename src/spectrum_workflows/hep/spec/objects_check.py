"""Validation of declared objects and variations before the run: the names that they refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.hep.spec.objects import MET, ObjectSpec, column_of
from spectrum_workflows.hep.spec.variations import VariationSpec
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spectrum_workflows.hep.spec import HepSpec

MET_INPUTS = ("pt", "phi")
"""What a variation of the missing transverse momentum replaces."""


def check(spec: HepSpec) -> None:
    """Refuse declarations that name what is not there, or contradict each other.

    Raises
    ------
    ValueError
        In one line.
    """
    owners: dict[str, str] = {}
    for name, described in spec.objects.items():
        _check_object(spec, name, described, owners)
    if spec.met is not None:
        for name in spec.met.objects:
            _known(name, spec.objects, "met.objects")
    for name, variation in spec.declared_variations.items():
        _check_variation(spec, f"variations.{name}", variation)
    for kind, tables in (("weights", spec.weights), ("generator_weights", spec.generator_weights)):
        for name, table in tables.items():
            check_samples(spec, f"{kind}.{name}", table.samples)
    _all_different(spec)


def _check_object(spec: HepSpec, name: str, described: ObjectSpec, owners: dict[str, str]) -> None:
    where = f"objects.{name}"
    if name == MET:
        raise ValueError(f"{where}: missing transverse momentum has a table of its own, [met]")
    for sample in described.by_sample:
        _known(sample, spec.samples, f"{where}.by_sample")
    if "scaled" in described.model_fields_set:
        _check_scaled(spec, where, described)
    for column in described.columns:
        if column in owners:
            raise ValueError(f"{where}: {owners[column]} is of the same collection")
        owners[column] = where


def _check_scaled(spec: HepSpec, where: str, described: ObjectSpec) -> None:
    """A column that nobody reads would be left out in silence."""
    tables = (spec.objects, spec.declared_variations, spec.weights, spec.veto_maps)
    read = [*spec.columns, *spec.simulation_columns]
    read += [column for sample in spec.samples.values() for column in sample.columns]
    read += [
        column_of(given)
        for table in tables
        for entry in table.values()
        for given in entry.inputs.values()
        if isinstance(given, str)
    ]
    for column in described.columns[1:]:
        if column not in read:
            hint = closest(column, read)
            raise ValueError(f"{where}.scaled: {column!r} is no column that is read; {hint}")


def _check_variation(spec: HepSpec, where: str, variation: VariationSpec) -> None:
    if variation.object == MET and spec.met is None:
        raise ValueError(f"{where}: there is no [met]; add one")
    if variation.object == MET:
        if variation.correction:
            raise ValueError(f"{where}: met varies by up and down")
        for inputs in (variation.up, variation.down):
            if {*inputs} != {*MET_INPUTS} or not all(isinstance(v, str) for v in inputs.values()):
                raise ValueError(f"{where}: up and down of met name the columns pt and phi")
    else:
        _known(variation.object, [*spec.objects, MET], f"{where}.object")
    check_samples(spec, where, variation.samples)


def check_samples(spec: HepSpec, where: str, samples: Iterable[str]) -> None:
    """Refuse samples that are not simulation.

    Raises
    ------
    ValueError
        There is no such sample, it is data, or it varies another.
    """
    for name in samples:
        _known(name, spec.samples, f"{where}.samples")
        if spec.samples[name].data or spec.samples[name].varies:
            kind = "data" if spec.samples[name].data else "a variation itself"
            raise ValueError(f"{where}.samples: {name!r} is {kind}; name simulated samples")


def _all_different(spec: HepSpec) -> None:
    """No two variations of a sample have one name."""
    for sample in spec.samples:
        names = spec.variations_of(sample)
        twice = next((name for k, name in enumerate(names) if name in names[:k]), "")
        if twice:
            raise ValueError(f"variations: {twice!r} is there twice for sample {sample!r}")


def _known(name: str, known: Iterable[str], where: str) -> None:
    if name not in known:
        raise ValueError(f"{where}: no {name!r} here; {closest(name, list(known))}")
