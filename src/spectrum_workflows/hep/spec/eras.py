"""The ``[eras]`` of a spec: periods of data taking, each with its luminosity and corrections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    Field,
    PositiveFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from spectrum_workflows.hep.spec.cuts import Cut
from spectrum_workflows.hep.spec.event_filters import Filters, PrimaryDatasetSpec, Triggers
from spectrum_workflows.hep.spec.objects import Text
from spectrum_workflows.hep.spec.variations import DIRECTIONS
from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel, closest, merged_tables, parse

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec, SampleSpec

Table = dict[str, Any]
"""Keys of a table of the spec, as far as they are others."""

OF_ALL = ("eras", "uncorrelated", "fit", "columns_out", "synthetic", "samples")
"""Keys of a spec that are of all eras together, or made for each of them."""

OF_AN_ERA = ("luminosity", "luminosity_table")
OF_ITS_SAMPLES = ("files", "events", "luminosity")
"""Keys that a spec of several eras says for each of them only."""


class EraSpec(FrozenModel):
    """An era of data taking: its luminosity, its samples, and what is other than in the spec.

    What it does not say is as in the rest of the spec.  Tables are merged key by key; lists and
    single values take the place of the spec's.
    """

    luminosity: PositiveFloat | None = None
    """Its integrated luminosity in 1/pb, by which its simulation is normalised."""
    luminosity_table: str = ""
    """Its recorded luminosity of every block, as ``luminosity_table`` of a spec."""
    good_runs: str = ""
    """Its list of good runs, beside the spec."""
    energy: PositiveFloat | None = None
    """Energy of its collisions in TeV."""
    samples: Annotated[dict[Name, Table], Field(min_length=1)]
    """Which of the ``[samples]`` it has: each with its ``files``, and keys that are others."""
    triggers: Triggers = ()
    """Its trigger bits."""
    primary_datasets: tuple[PrimaryDatasetSpec, ...] = ()
    """Its primary data sets, in their order."""
    event_filters: Filters = ()
    """Its flags of good events."""
    cuts: dict[str, Cut] = Field(default_factory=dict)
    """Cuts that are others, such as working points."""
    fallbacks: dict[str, Table] = Field(default_factory=dict)
    """What may stand in for columns of its files."""
    corrections: str | tuple[Text, ...] | dict[str, Text] = ""
    """Its correctionlib files for ``select``."""
    objects: dict[Name, Table] = Field(default_factory=dict)
    """Keys of ``[objects]`` that are others, such as ``files`` and ``nominal``."""
    met: Table = Field(default_factory=dict)
    """Keys of ``[met]`` that are others."""
    variations: tuple[Name, ...] | dict[Name, Table] = ()
    """Keys of ``[variations]`` that are others, and variations that this era alone has."""
    weights: dict[Name, Table] = Field(default_factory=dict)
    """Keys of ``[weights]`` that are others."""
    generator_weights: dict[Name, Table] = Field(default_factory=dict)
    """Keys of ``[generator_weights]`` that are others."""
    veto_maps: dict[Name, Table] = Field(default_factory=dict)
    """Keys of ``[veto_maps]`` that are others."""

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_record(cls, table: Any) -> Any:
        """Without keys that were not said: such a record has every key, if with nothing in it."""
        if isinstance(table, Mapping) and cls.model_fields.keys() <= table.keys():
            return {key: value for key, value in table.items() if value not in _NOTHING}
        return table

    @model_serializer(mode="wrap")
    def _what_is_said(self, written: SerializerFunctionWrapHandler) -> Table:
        """An empty list takes the place of the spec's, so that what is left out stays out."""
        return {key: of for key, of in written(self).items() if key in self.model_fields_set}


_NOTHING: tuple[Any, ...] = (None, "", [], (), {})


@dataclass(frozen=True)
class EraSample:
    """A sample of one era.

    Attributes
    ----------
    era : str
        Empty where the spec has no eras.
    spec : HepSpec
        Of that era alone.
    name : str
        Of the sample in it.
    """

    era: str
    spec: HepSpec
    name: str

    @property
    def described(self) -> SampleSpec:
        """What the spec says of it."""
        return self.spec.samples[self.name]


def title_of(era: str, sample: str) -> str:
    """How a run calls a sample of an era: names have no slash."""
    return f"{era}/{sample}" if era else sample


def era_of(title: str) -> str:
    """The era of what a run calls a sample; empty where there are none."""
    return title.rpartition("/")[0]


def name_of(title: str) -> str:
    """The sample's own name."""
    return title.rpartition("/")[2]


def era_samples(spec: HepSpec) -> dict[str, EraSample]:
    """Samples of all eras by what a run calls them; those of a spec without eras by their names."""
    return {
        title_of(era, name): EraSample(era, own, name)
        for era, own in (spec.era_specs or {"": spec}).items()
        for name in own.samples
    }


def era_specs(spec: HepSpec) -> dict[str, HepSpec]:
    """The spec of each era alone: without a fit, as that is of their sum.

    Raises
    ------
    SpecError
        What an era says makes no spec.
    """
    return {
        era: parse(type(spec), _table(spec, era), where=f"eras.{era}", exact=True)
        for era in spec.eras
    }


def _table(spec: HepSpec, era: str) -> Table:
    """All keys of an era: the spec's with its own."""
    own = spec.eras[era].model_dump(exclude_unset=True)
    samples = {
        name: merged_tables(spec.samples[name].model_dump(exclude_unset=True), changed)
        for name, changed in own.pop("samples").items()
        if name in spec.samples
    }
    common = spec.model_dump(exclude_unset=True, exclude={*OF_ALL})
    table = merged_tables(common, own) | {"samples": samples, "folder": spec.folder}
    return _of_samples(table, samples)


def _of_samples(table: Table, samples: Mapping[str, Any]) -> Table:
    """The table without what is declared for samples that the era does not have."""
    for kind in ("variations", "weights", "generator_weights", "veto_maps"):
        if isinstance(table.get(kind), Mapping):
            table[kind] = dict(_with_samples(table[kind], samples))
    if "objects" in table:
        table["objects"] = {n: _steps_of(o, samples) for n, o in table["objects"].items()}
    return table


def _with_samples(
    declared: Mapping[str, Any], samples: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    for name, described in declared.items():
        asked = described.get("samples")
        there = [sample for sample in asked or () if sample in samples]
        if not asked:
            yield name, described
        elif there:
            yield name, {**described, "samples": there}


def _steps_of(described: Mapping[str, Any], samples: Mapping[str, Any]) -> Mapping[str, Any]:
    if "by_sample" not in described:
        return described
    own = {name: steps for name, steps in described["by_sample"].items() if name in samples}
    return {**described, "by_sample": own}


def variations_of(spec: HepSpec, sample: str) -> dict[str, dict[str, str]]:
    """Variations of the sum of all eras: for each, what varies in which era.

    Of one that is uncorrelated each era has its own, ``jes_2017_up``, under which the others are
    nominal; so they are under a variation that they do not have.

    Raises
    ------
    ValueError
        Two would have one name.
    """
    apart = _apart(spec)
    out: dict[str, dict[str, str]] = {}
    origins: dict[str, str] = {}
    for era, own in spec.era_specs.items():
        if sample not in own.samples:
            continue
        for template in own.variations_of(sample):
            name = _with_era(template, era) if _base(template) in apart else template
            other = origins.setdefault(name, template)
            if other != template:
                raise ValueError(
                    f"uncorrelated: {other!r} and {template!r} would both be called {name!r};"
                    " give one of the variations another name"
                )
            out.setdefault(name, {})[era] = template
    return out


def _apart(spec: HepSpec) -> set[str]:
    """Variations without their directions that are others in every era."""
    out = {*spec.uncorrelated}
    for own in spec.era_specs.values():
        for name, variation in own.declared_variations.items():
            if name in spec.uncorrelated:
                out |= {*variation.corrections(name)}
    return out


def _base(template: str) -> str:
    """A variation without its direction."""
    base, _, direction = template.rpartition("_")
    return base if base and direction in DIRECTIONS else template


def _with_era(template: str, era: str) -> str:
    """Name of a variation of one era: its direction stays last."""
    base = _base(template)
    return f"{base}_{era}{template[len(base) :]}"


def check(spec: HepSpec) -> None:
    """Refuse eras that do not fit each other or the rest of the spec.

    Raises
    ------
    ValueError
        In one line.
    """
    if not spec.eras:
        if spec.uncorrelated:
            raise ValueError("uncorrelated is about [eras], and there are none")
        without = next((name for name, sample in spec.samples.items() if not sample.files), "")
        if without:
            raise ValueError(f"samples.{without} needs files")
        return
    _check_common(spec)
    for era, described in spec.eras.items():
        _check_names(spec, era, described)
        _check_complete(spec, era, described)
    for title, sample in era_samples(spec).items():
        of_all = spec.samples[sample.name]
        if (sample.described.data, sample.described.varies) != (of_all.data, of_all.varies):
            raise ValueError(f"{title}: data and varies are said in [samples]")
    varied = [t for s in era_samples(spec).values() for t in s.spec.variations_of(s.name)]
    tables = [name for own in spec.era_specs.values() for name in own.declared_variations]
    known = list(dict.fromkeys((*map(_base, varied), *tables)))
    for name in spec.uncorrelated:
        if name not in known:
            hint = closest(name, known) if known else "nothing varies; leave it out"
            raise ValueError(f"uncorrelated: no variation {name!r}; {hint}")


def _check_names(spec: HepSpec, era: str, described: EraSpec) -> None:
    if era in spec.samples:
        raise ValueError(f"eras.{era}: there is a sample of that name")
    for name in described.samples:
        if name not in spec.samples:
            hint = closest(name, list(spec.samples))
            raise ValueError(f"eras.{era}.samples: no {name!r} in [samples]; {hint}")


def _check_common(spec: HepSpec) -> None:
    """Refuse keys that each era says for itself, and samples that are in none."""
    for key in OF_AN_ERA:
        if getattr(spec, key):
            raise ValueError(f"{key} is each era's own; put it into [eras.NAME]")
    for name, sample in spec.samples.items():
        for key in OF_ITS_SAMPLES:
            if getattr(sample, key):
                where = f"[eras.NAME.samples.{name}]"
                raise ValueError(f"samples.{name}.{key} is each era's own; put it into {where}")
        if not any(name in described.samples for described in spec.eras.values()):
            raise ValueError(f"samples.{name} is in no era; add it to the samples of one")


def _check_complete(spec: HepSpec, era: str, described: EraSpec) -> None:
    """Refuse an era without which the sum compares what is of different eras."""
    for name, sample in spec.samples.items():
        if sample.varies in described.samples and name not in described.samples:
            raise ValueError(
                f"eras.{era}.samples: {name!r} varies {sample.varies!r}, which is there; add it"
            )
    kinds = {sample.data for sample in spec.samples.values()}
    missing = kinds - {spec.samples[n].data for n in described.samples if n in spec.samples}
    for data in missing:
        kind = "data" if data else "simulation"
        raise ValueError(f"eras.{era}.samples: no {kind}, which other eras have; add it")
