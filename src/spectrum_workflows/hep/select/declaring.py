"""What a spec declares of objects and variations, with its files read and all names resolved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.corrections.unknown_words import parsed, unknown_word
from spectrum_workflows.hep.objects.declared import (
    Call,
    Chain,
    Declared,
    GeneratorWeight,
    Met,
    MetShift,
    Rerun,
    Shift,
    Smearing,
    Source,
    Veto,
    Weight,
)
from spectrum_workflows.hep.select.corrections import compiled, correction_file, library
from spectrum_workflows.hep.spec.eras import era_samples
from spectrum_workflows.hep.spec.objects import MET, ObjectSpec, column_of, listed
from spectrum_workflows.hep.spec.variations import DIRECTIONS, VariationSpec
from spectrum_workflows.hep.spec.veto_maps import maps_of
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from spectrum_workflows.hep.corrections.evaluation import CorrectionKernels
    from spectrum_workflows.hep.spec import HepSpec


@dataclass(frozen=True)
class Declarations:
    """What is declared for every sample, and the files that it needs.

    Attributes
    ----------
    samples : mapping of str to Declared
        Those for which something is.
    texts : mapping of str to str
        Content of every correctionlib file, by its name in the spec.
    inputs : tuple of (str, str)
        Name of each, and its SHA-256.
    check : int
        How many elements of every call are compared with correctionlib.
    """

    samples: Mapping[str, Declared] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[tuple[str, str], ...] = ()
    check: int = 0

    def __bool__(self) -> bool:
        return bool(self.samples)

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides what they do."""
        described = repr(sorted(self.samples.items()))
        return hashlib.sha256(f"{described} {self.inputs}".encode()).hexdigest()

    def kernels(self, file: str) -> CorrectionKernels:
        """The corrections of a file, compiled once in a process."""
        kernels = _compiled(_Content(dict(self.inputs)[file], self.texts[file]))
        return replace(kernels, check=self.check) if self.check else kernels

    def not_compiled(self) -> Iterator[str]:
        """A line for every correction that correctionlib itself evaluates."""
        calls = {call for declared in self.samples.values() for call in declared.calls}
        for file, name in sorted({(call.file, call.name) for call in calls}):
            reason = self.kernels(file).reasons.get(name)
            if reason is not None:
                yield f"correction {name} of {file} is evaluated by correctionlib itself: {reason}"


@dataclass(frozen=True)
class _Content:
    """A correctionlib file, told from others by its identity: texts are long to compare."""

    identity: str
    text: str = field(compare=False, repr=False)


@lru_cache(maxsize=16)
def _compiled(content: _Content) -> CorrectionKernels:
    return compiled(content.text, check=0)


def declare(spec: HepSpec) -> Declarations:
    """Read the files that objects and variations name, and resolve everything.

    Raises
    ------
    SpecError
        There is no such correction, or one of its inputs comes from nowhere.
    DataNotFoundError, DataError
        There is no such file, or it is none of schema version 2.
    """
    resolver = _Resolver(spec.folder)
    samples = {
        title: _declared(sample.spec, sample.name, resolver)
        for title, sample in era_samples(spec).items()
        if _declares(sample.spec)
    }
    for own in spec.era_specs.values() if spec.eras else (spec,):
        _refuse_unused(own, resolver)
    return Declarations(samples, resolver.texts, tuple(resolver.inputs.items()))


def _refuse_unused(spec: HepSpec, resolver: _Resolver) -> None:
    """Refuse other inputs that no correction takes: a misspelt one would change nothing.

    Raises
    ------
    SpecError
        Naming the closest.
    """
    for title, variation in spec.declared_variations.items():
        if variation.object == MET:
            continue
        described = spec.objects[variation.object]
        files = described.files if variation.files is None else variation.files
        asked = [*variation.corrections(title).values()]
        if not variation.correction:
            files, asked = described.files, [*listed(described.nominal)]
            if (last := described.smearing) is not None:
                asked += [last.resolution, last.scale_factor]
        taken = resolver.taken(asked, files)
        for key in ("inputs", "up", "down"):
            _all_taken(getattr(variation, key), taken, f"variations.{title}.{key}")
    for name, weight in spec.weights.items():
        taken = resolver.taken((weight.correction, weight.efficiency), weight.files)
        for key in ("up", "down"):
            _all_taken(getattr(weight, key), taken, f"weights.{name}.{key}")


def _all_taken(given: Iterable[str], taken: set[str] | None, where: str) -> None:
    for name in given:
        if taken is not None and name not in taken:
            message = f"no correction here takes an input {name!r}"
            raise SpecError(message, where, closest(name, sorted(taken)))


def _declares(spec: HepSpec) -> bool:
    kinds = (spec.objects, spec.met, spec.weights, spec.generator_weights, spec.veto_maps)
    return any(kinds)


class _Resolver:
    """Files that were read, and the corrections in them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.texts: dict[str, str] = {}
        self.inputs: dict[str, str] = {}
        self.libraries: dict[str, Any] = {}
        self.contents: dict[str, Mapping[str, Any]] = {}

    def call(
        self, name: str, files: str | tuple[str, ...], inputs: Mapping[str, Any], where: str
    ) -> Call:
        """A correction of some files, with its inputs in their order."""
        file, evaluator = self._evaluator(name, listed(files), where)
        sources = tuple(_sources(name, evaluator.inputs, inputs, where))
        pairs = zip(evaluator.inputs, sources, strict=True)
        fixed = {
            i.name: source.value for i, source in pairs if i.type != "real" and not source.column
        }
        if unknown := unknown_word(self._parsed(file), name, fixed) if fixed else None:
            word = fixed[unknown.input]
            message = f"{name} knows no {unknown.input} = {word!r}"
            remedy = closest(str(word), sorted(map(str, unknown.keys)))
            raise SpecError(message, f"{where}.inputs", remedy)
        return Call(file, name, sources)

    def _parsed(self, file: str) -> Mapping[str, Any]:
        """The content of a file that was read."""
        if file not in self.contents:
            self.contents[file] = parsed(self.texts[file])
        return self.contents[file]

    def taken(self, names: Iterable[str], files: str | tuple[str, ...]) -> set[str] | None:
        """Inputs that some corrections take; nothing if one of them was never looked up."""
        libraries = [self.libraries.get(file) for file in listed(files)]
        known = {
            name: kind[name]
            for library in libraries
            if library is not None
            for kind in (library, library.compound)
            for name in kind
        }
        asked = [name for name in names if name]
        if not all(name in known for name in asked):
            return None
        return {given.name for name in asked for given in known[name].inputs}

    def _evaluator(self, name: str, files: tuple[str, ...], where: str) -> tuple[str, Any]:
        known: list[str] = []
        for file in files:
            if file not in self.texts:
                self.texts[file], self.inputs[file] = correction_file(file, self.folder)
                self.libraries[file] = library(self.texts[file])
            corrections = self.libraries[file]
            for kind in (corrections, corrections.compound):
                names = list(kind)
                known += names
                if name in names:
                    return file, kind[name]
        message = f"no correction {name!r} in {', '.join(files)}"
        raise SpecError(message, where, closest(name, known))


def _sources(
    name: str, known: Iterable[Any], inputs: Mapping[str, Any], where: str
) -> Iterator[Source]:
    for asked in known:
        if asked.name not in inputs:
            word = asked.type == "string"
            example = '"WORD"' if word else '"COLUMN"'
            message = f"{name} takes {asked.name} ({asked.type}), which comes from nowhere"
            raise SpecError(message, f"{where}.inputs", f"add {asked.name} = {example}")
        given = inputs[asked.name]
        if asked.type == "string" and not isinstance(given, str):
            message = f"{name} takes a word for {asked.name}, not {given}"
            raise SpecError(message, f"{where}.inputs", "write it in quotes")
        if asked.type == "string" or not isinstance(given, str):
            yield Source(value=given)
        else:
            column = column_of(given)
            yield Source(column, absolute=column != given)


def _declared(spec: HepSpec, sample: str, resolver: _Resolver) -> Declared:
    data = spec.samples[sample].data
    chains = {
        name: _chain(_Asked(described, sample, data, f"objects.{name}"), {}, resolver)
        for name, described in spec.objects.items()
    }
    weights = tuple(_weights(spec, sample, resolver))
    generated = tuple(_generator_weights(spec, sample))
    vetoes = tuple(_vetoes(spec, sample, resolver))
    declared = Declared(
        chains, _met(spec), weights=weights, generator_weights=generated, vetoes=vetoes
    )
    for name, variation in spec.declared_variations.items():
        if spec.concerns(variation.samples, sample):
            declared = _with_variation(declared, spec, sample, name, variation, resolver)
    return declared


def _met(spec: HepSpec) -> Met | None:
    if spec.met is None:
        return None
    objects = spec.met.objects or tuple(spec.objects)
    return Met(spec.met.pt, spec.met.phi, objects, spec.met.minimum_pt)


def _vetoes(spec: HepSpec, sample: str, resolver: _Resolver) -> Iterator[Veto]:
    for name, described in maps_of(spec, sample).items():
        where = f"veto_maps.{name}"
        call = resolver.call(described.correction, described.files, described.inputs, where)
        drops_events = described.drop == "events"
        yield Veto(name, call, described.collection, described.where, drops_events)


def _weights(spec: HepSpec, sample: str, resolver: _Resolver) -> Iterator[Weight]:
    """Weights of a sample; of one that varies another, the other's without variations."""
    if spec.samples[sample].data:
        return
    of = spec.samples[sample].varies or sample
    for name, described in spec.weights.items():
        if not spec.concerns(described.samples, of):
            continue
        where, inputs = f"weights.{name}", described.inputs
        files = described.files
        sides = zip(described.templates(name), (described.up, described.down), strict=False)
        varied = tuple(
            (template, resolver.call(described.correction, files, {**inputs, **side}, where))
            for template, side in sides
            if of == sample
        )
        call = resolver.call(described.correction, files, inputs, where)
        for template, other in varied:
            if other == call:
                message = f"{template} changes no input of {described.correction}"
                raise SpecError(message, where, "name the input that is another")
        efficiency = None
        if described.efficiency:
            efficiency = resolver.call(described.efficiency, files, inputs, where)
        which = (described.collection, described.where, described.tagged)
        yield Weight(name, call, varied, *which, efficiency)


def _generator_weights(spec: HepSpec, sample: str) -> Iterator[GeneratorWeight]:
    for name, described in spec.generator_weights.items():
        if spec.concerns(described.samples, sample):
            members = tuple(zip(described.filled(name), described.members, strict=True))
            yield GeneratorWeight(name, described.column, members, described.reference)


@dataclass(frozen=True)
class _Asked:
    """Objects of one sample, and where in the spec somebody asks for them."""

    described: ObjectSpec
    sample: str
    data: bool
    where: str


def _chain(asked: _Asked, changed: Mapping[str, Any], resolver: _Resolver) -> Chain:
    """The correction of objects, with some inputs that are others than the spec's."""
    described, where = asked.described, asked.where
    inputs = {**described.inputs, **changed}
    names = described.corrections_of(asked.sample, data=asked.data)
    steps = tuple(resolver.call(name, described.files, inputs, where) for name in names)
    smearing = None
    if described.smearing is not None and not asked.data:
        smear = described.smearing
        resolution, scale_factor = (
            resolver.call(name, described.files, inputs, f"{where}.smearing")
            for name in (smear.resolution, smear.scale_factor)
        )
        match = (smear.generated, smear.index, smear.cone, smear.widths)
        smearing = Smearing(resolution, scale_factor, *match)
    return Chain(described.columns, described.raw, steps, smearing)


def _with_variation(
    declared: Declared,
    spec: HepSpec,
    sample: str,
    name: str,
    variation: VariationSpec,
    resolver: _Resolver,
) -> Declared:
    """What is declared, and one variation more."""
    where = f"variations.{name}"
    sides = dict(zip(DIRECTIONS, (variation.up, variation.down), strict=True))
    if variation.object == MET:
        met = (MetShift(f"{name}_{d}", str(s["pt"]), str(s["phi"])) for d, s in sides.items())
        return replace(declared, met_shifts=(*declared.met_shifts, *met))
    described = spec.objects[variation.object]
    own = {**described.inputs, **variation.inputs}
    if variation.correction:
        files = described.files if variation.files is None else variation.files
        shifts = (
            Shift(source, variation.object, resolver.call(correction, files, own, where))
            for source, correction in variation.corrections(name).items()
        )
        return replace(declared, shifts=(*declared.shifts, *shifts))
    nominal = declared.chains[variation.object]
    reruns = []
    for direction, changed in sides.items():
        asked = _Asked(described, sample, data=False, where=where)
        chain = _chain(asked, {**own, **changed}, resolver)
        if chain == nominal:
            message = f"{direction} changes no input of the corrections of {variation.object!r}"
            raise SpecError(message, where, closest(next(iter(changed)), list(described.inputs)))
        reruns.append(Rerun(f"{name}_{direction}", variation.object, chain))
    return replace(declared, reruns=(*declared.reruns, *reruns))
