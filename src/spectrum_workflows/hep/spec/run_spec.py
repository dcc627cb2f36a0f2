"""The run spec of the HEP workflow: what can stand in its TOML file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from spectrum_workflows.hep.spec import (
    bootstrap,
    eras,
    event_filters,
    fallback,
    fit_check,
    formats,
    objects_check,
    regions,
    skim,
    unfolding,
    veto_maps,
)
from spectrum_workflows.hep.spec.axes import HistogramSpec
from spectrum_workflows.hep.spec.bootstrap import EVENT_NUMBERS, BootstrapSpec
from spectrum_workflows.hep.spec.columns_out import ColumnsOutSpec
from spectrum_workflows.hep.spec.cuts import Cut
from spectrum_workflows.hep.spec.eras import EraSpec
from spectrum_workflows.hep.spec.event_filters import (
    Filters,
    FilterSpec,
    PrimaryDatasetSpec,
    Triggers,
    TriggerSpec,
)
from spectrum_workflows.hep.spec.fallback import FallbackSpec
from spectrum_workflows.hep.spec.fit import FitSpec
from spectrum_workflows.hep.spec.formats import NANOAOD, Format, FormatSpec
from spectrum_workflows.hep.spec.models import ModelSpec
from spectrum_workflows.hep.spec.objects import MetSpec, ObjectSpec, column_of
from spectrum_workflows.hep.spec.physlite import SHIPPED
from spectrum_workflows.hep.spec.regions import Categories, RegionSpec
from spectrum_workflows.hep.spec.samples import SampleSpec
from spectrum_workflows.hep.spec.skim import SkimSpec
from spectrum_workflows.hep.spec.titles import titles_of
from spectrum_workflows.hep.spec.variations import VariationSpec
from spectrum_workflows.hep.spec.veto_maps import VetoMapSpec
from spectrum_workflows.hep.spec.weights import GeneratorWeightSpec, WeightSpec
from spectrum_workflows.naming import Name
from spectrum_workflows.specs import TAGS, FrozenModel, closest, listed_or_tabled

ANALYSES = "spectrum_workflows.hep.analyses"
"""The package's own selections."""

Path = Annotated[str, Field(min_length=1)]
"""A name of a file, relative to the spec, or its URL."""


Variations = Annotated[
    Annotated[tuple[Name, ...], Tag(TAGS[0])] | Annotated[dict[Name, VariationSpec], Tag(TAGS[1])],
    Discriminator(listed_or_tabled),
]
"""A list of names, or a table."""


class EventPartitionSpec(FrozenModel):
    """How the input is cut; more events per partition cost more memory."""

    max_events: PositiveInt = 200_000
    """Most events of one partition; more cost a worker more memory, fewer more tasks."""


class EventGenerationSpec(FrozenModel):
    """What ``make`` generates for the samples of a spec."""

    events: PositiveInt = 100_000
    """Events of each sample."""
    seed: NonNegativeInt = 1
    """Of the random numbers; the same seed gives the same files."""
    cluster_events: PositiveInt = 25_000
    """Events of one cluster of the files, the least that can be read at once."""
    precision: Annotated[int, Field(ge=2, le=24)] | None = None
    """Significant bits of numbers with a fraction, as NanoAOD rounds its own to 10 or 12; with at
    most 17 they are exact in MeV, too.  All 24 if left out."""
    detail: Literal["simple", "full"] = "simple"
    """``"simple"``: electrons, muons, a jet for each parton, missing momentum.  ``"full"``: muons,
    jets and fat jets clustered from partons, vertices, pile-up, a trigger bit, generated jets and
    lists of generator weights; and data are measured a little otherwise than simulation."""


class HepSpec(FrozenModel):
    """A run spec of the HEP workflow."""

    workflow: Literal["hep"]
    """Which science this spec is of."""
    name: Name
    """Of the run: its folder below the results root begins with it."""
    select: Annotated[str, Field(pattern=r"^[^:]+:[A-Za-z_]\w*$")]
    """``"package.module:function"``, or ``"file.py:function"`` relative to the spec: a plain
    function from events to observables."""
    tree: str = "Events"
    """Name of the TTree or RNTuple, where the format of the files does not name it."""
    format: str = NANOAOD
    """Format of the files: ``NanoAOD``, ``PHYSLITE`` or one of ``[formats]``.  ``select`` sees the
    names and units of NanoAOD whatever it is."""
    formats: dict[Name, FormatSpec] = Field(default_factory=dict)
    """Formats of one's own: which branches become which columns."""
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    """Branches to read; ``select`` sees nothing else."""
    simulation_columns: tuple[str, ...] = ()
    """Branches that data does not have; ``select`` sees them in simulation."""
    fallbacks: dict[str, FallbackSpec] = Field(default_factory=dict)
    """What may stand in for a column that a file does not have."""
    triggers: Triggers = ()
    """Only events in which at least one of these bits is set, in data and simulation."""
    primary_datasets: tuple[PrimaryDatasetSpec, ...] = ()
    """Primary data sets with their triggers, in an order: an event that is in several is taken from
    the first.  Simulation needs a trigger of any."""
    event_filters: Filters = ()
    """Only events in which all of these flags are set, in data and simulation."""
    good_runs: str = ""
    """List of good runs, beside the spec: a JSON file in the format of CMS certification.  Data in
    other luminosity blocks is left out."""
    luminosity_table: str = ""
    """Recorded luminosity of every block, beside the spec: what ``brilcalc lumi --byls -o FILE``
    writes.  The luminosity of the data that was really processed is summed from it."""
    normalisation: Literal["events", "genweight", "none"] = "events"
    """Weight every simulated event by cross section x luminosity / events processed of its sample;
    or by its ``genWeight`` x cross section x luminosity / sum of ``genEventSumw`` of the files'
    ``Runs`` trees; or count events."""
    luminosity: PositiveFloat | None = None
    """Integrated luminosity in 1/pb; with ``[eras]`` said in each."""
    energy: PositiveFloat | None = None
    """Energy of the collisions in TeV, which pictures name."""
    cuts: dict[str, Cut] = Field(default_factory=dict)
    """Numbers, text, true or false, or lists of them, passed to ``select`` as keyword arguments
    with the types they have in the file."""
    variations: Variations = ()
    """Systematic variations of simulated samples: a list of those that ``select`` computes itself,
    or a table of those of corrected objects, of which it knows nothing."""
    objects: dict[Name, ObjectSpec] = Field(default_factory=dict)
    """Objects that are corrected before ``select`` sees them."""
    met: MetSpec | None = None
    """The missing transverse momentum that follows them."""
    weights: dict[Name, WeightSpec] = Field(default_factory=dict)
    """Weights of simulated events from corrections: pile-up, scale factors."""
    generator_weights: dict[Name, GeneratorWeightSpec] = Field(default_factory=dict)
    """Variations by weights that the generator stores: scales, parton densities, parton shower."""
    veto_maps: dict[Name, VetoMapSpec] = Field(default_factory=dict)
    """Maps of regions whose objects are not to be trusted: such events, or objects, are left
    out."""
    preselect: str = ""
    """Name of a function beside ``select`` that tells from the file's own columns, before anything
    is corrected, which events any variation may select: an array of true and false."""
    regions: dict[Name, RegionSpec] = Field(default_factory=dict)
    """Combinations of the cuts that ``select`` returns by name, each with its cut flow."""
    categories: dict[Name, Categories] = Field(default_factory=dict)
    """Ways to split regions: cuts of each category, by its name."""
    select_varied: str = ""
    """Name of a function beside ``select`` that selects under all variations of objects at once,
    and returns what ``select`` would, faster: where the objects of one collection vary.  The
    self-check compares both."""
    corrections: str | tuple[Path, ...] | dict[str, Path] = ""
    """Correctionlib files, ``.json`` or ``.json.gz``, relative to the spec. ``select`` is given a
    mapping of name to correction: of one file, of all files of a list, or one such mapping for
    each name of a table."""
    models: dict[Name, ModelSpec] = Field(default_factory=dict)
    """Trained models. ``select`` is given a mapping of their names to functions of columns."""
    eras: dict[Name, EraSpec] = Field(default_factory=dict)
    """Eras of data taking, each with its luminosity, files and corrections: there are results of
    each, and of their sum."""
    uncorrelated: tuple[Name, ...] = ()
    """Systematic variations that are others in every era, by the names of their tables or without
    ``_up`` and ``_down``: the sum has ``NAME_ERA_up`` and so on. All others vary in all eras
    together."""
    partition: EventPartitionSpec = EventPartitionSpec()
    """How the input is cut into partitions."""
    samples: Annotated[dict[Name, SampleSpec], Field(min_length=1)]
    """What is analysed: one table per process or data set."""
    histograms: Annotated[dict[Name, HistogramSpec], Field(min_length=1)]
    """What is filled: one table per histogram."""
    columns_out: ColumnsOutSpec | None = None
    """Columns of selected events that are written as files."""
    bootstrap: BootstrapSpec | None = None
    """Replicas of the histograms, from which covariances between their bins follow."""
    skim: SkimSpec | None = None
    """The loosest selection of all variations, whose events are kept for the next run."""
    fit: FitSpec | None = None
    """The likelihood fit of the histograms."""
    synthetic: EventGenerationSpec | None = None
    """What ``spectrum data make`` generates, if the data can be generated."""
    folder: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)
    """Where the spec lies; not a key of the file."""

    @model_validator(mode="before")
    @classmethod
    def _histograms_have_one_region(cls, table: Any) -> Any:
        return regions.expanded(table)

    @model_validator(mode="after")
    def _can_be_normalised(self) -> Self:
        simulated = {n: s for n, s in self.samples.items() if not s.data}
        if self.normalisation == "none" or not simulated or self.eras:
            return self
        if self.luminosity is None and any(s.luminosity is None for s in simulated.values()):
            raise ValueError(f'normalisation = "{self.normalisation}" needs luminosity (in 1/pb)')
        for name, sample in simulated.items():
            if sample.cross_section is None:
                raise ValueError(
                    f'samples.{name} needs cross_section (in pb), or set normalisation = "none"'
                )
        return self

    @model_validator(mode="after")
    def _formats_are_known(self) -> Self:
        for name, described in self.formats.items():
            formats.check(name, described)
            formats.resolved(name, self.known_formats)
        for name in self.samples:
            self.format_of(name)
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for name, sample in self.samples.items():
            if sample.varies:
                _known(sample.varies, self.nominal_samples, f"samples.{name}.varies")
                if sample.data or self.samples[sample.varies].data:
                    raise ValueError(f"samples.{name}: data varies nothing, and nothing varies it")
        regions.check(self)
        eras.check(self)
        if not self.eras:  # otherwise the spec of each era was checked
            event_filters.check(self)
            veto_maps.check(self)
            objects_check.check(self)
        fit_check.check(self)
        unfolding.check(self)
        skim.check(self)
        bootstrap.check(self)
        return self

    @model_validator(mode="after")
    def _fallbacks_say_what_they_mean(self) -> Self:
        of_samples = (name for sample in self.samples.values() for name in sample.columns)
        known = {*self.columns, *self.simulation_columns, *of_samples, *self.object_columns}
        known |= {*(EVENT_NUMBERS if self.bootstrap else ())}
        for name, described in self.fallbacks.items():
            fallback.check(name, described)
            if name not in known:
                raise ValueError(f"fallbacks.{name}: {name} is not among the columns")
        return self

    @model_validator(mode="after")
    def _mixtures_are_of_simulation(self) -> Self:
        if self.eras:  # the spec of each is checked
            return self
        for name, sample in self.samples.items():
            for part in sample.mixture:
                where = f"samples.{name}.mixture"
                _known(part, [n for n, s in self.samples.items() if not s.data], where)
                if self.samples[part].cross_section is None or self.luminosity is None:
                    needed = f"{part!r} needs a cross_section, and the spec a luminosity"
                    raise ValueError(f"{where}: {needed}")
        return self

    def changed(self, **changes: Any) -> Self:
        """Return a validated copy with some values replaced; see `FrozenModel`."""
        return super().changed(**({"folder": self.folder} | changes))

    @cached_property
    def era_specs(self) -> dict[str, HepSpec]:
        """The spec of each era alone; none without eras."""
        return eras.era_specs(self)

    @property
    def total_luminosity(self) -> float | None:
        """Integrated luminosity in 1/pb, of all eras."""
        own = [era.luminosity for era in self.eras.values() if era.luminosity is not None]
        return sum(own) or None if self.eras else self.luminosity

    @property
    def nominal_samples(self) -> list[str]:
        """Samples that are no variation of another."""
        return [name for name, sample in self.samples.items() if not sample.varies]

    @property
    def known_formats(self) -> dict[str, FormatSpec]:
        """Formats that come with the package, and the spec's own."""
        return {**SHIPPED, **self.formats}

    def format_of(self, sample: str) -> Format | None:
        """Format of the files of a sample; None where it is NanoAOD."""
        return formats.resolved(self.samples[sample].format or self.format, self.known_formats)

    def tree_of(self, sample: str) -> str:
        """Name of the tree of the files of a sample; the first of several that there may be."""
        own = self.format_of(sample)
        return own.trees[0] if own is not None and own.trees else self.tree

    @property
    def combined_regions(self) -> dict[str, tuple[str, ...]]:
        """Cuts of every region of ``[regions]``, those of categories included."""
        return regions.combined(self)

    @property
    def object_columns(self) -> tuple[str, ...]:
        """Columns that objects and variations may need; words of corrections are among them."""
        given = [described.inputs for described in self.objects.values()]
        for v in self.declared_variations.values():
            given += [v.inputs, v.up, v.down]
        names = [name for o in self.objects.values() for name in (*o.columns, o.raw) if name]
        for o in self.objects.values():
            names += [f"{o.collection}_{name}" for name in ("eta", "phi")]
            if o.smearing is not None and o.smearing.generated:
                names += [f"{o.smearing.generated}_{name}" for name in ("pt", "eta", "phi")]
                names.append(o.smearing.index)
        names += [self.met.pt, self.met.phi] if self.met is not None else []
        given += [i for w in self.weights.values() for i in (w.inputs, w.up, w.down)]
        given += [m.inputs for m in self.veto_maps.values()]
        names += [f"{m.collection}_pt" for m in self.veto_maps.values()]
        names += [f"{w.collection}_pt" for w in self.weights.values() if w.collection]
        names += [weight.column for weight in self.generator_weights.values()]
        words = (value for inputs in given for value in inputs.values())
        columns = (column_of(word) for word in words if isinstance(word, str))
        return tuple(dict.fromkeys((*names, *columns)))

    @property
    def declared_variations(self) -> dict[str, VariationSpec]:
        """Variations of corrected objects."""
        return self.variations if isinstance(self.variations, dict) else {}

    def variations_of(self, sample: str) -> tuple[str, ...]:
        """Systematic variations that a sample goes through: names of its templates."""
        if self.eras:
            return tuple(eras.variations_of(self, sample))
        return (*self._varied(sample), *self._of_generator(sample, GeneratorWeightSpec.templates))

    def filled_of(self, sample: str) -> tuple[str, ...]:
        """What is filled to know them: of an envelope its members; of eras those of all."""
        if self.eras:
            return tuple(
                name
                for name, of_eras in eras.variations_of(self, sample).items()
                if all(t in self.era_specs[e].filled_of(sample) for e, t in of_eras.items())
            )
        return (*self._varied(sample), *self._of_generator(sample, GeneratorWeightSpec.filled))

    def _varied(self, sample: str) -> tuple[str, ...]:
        templates = (
            template
            for name, variation in self.declared_variations.items()
            if self.concerns(variation.samples, sample)
            for template in variation.templates(name)
        )
        weighted = (
            template
            for name, weight in self.weights.items()
            if self.concerns(weight.samples, sample)
            for template in weight.templates(name)
        )
        return (*self.asked_of(sample), *templates, *weighted)

    def _of_generator(
        self, sample: str, names: Callable[[GeneratorWeightSpec, str], tuple[str, ...]]
    ) -> tuple[str, ...]:
        sets = self.generator_weights.items()
        own = (names(w, name) for name, w in sets if self.concerns(w.samples, sample))
        return tuple(template for templates in own for template in templates)

    def asked_of(self, sample: str) -> tuple[str, ...]:
        """Those of them that ``select`` computes itself."""
        described = self.samples[sample]
        if described.data or described.varies:
            return ()
        if described.variations is not None:
            return described.variations
        return () if isinstance(self.variations, dict) else self.variations

    def concerns(self, samples: tuple[str, ...], sample: str) -> bool:
        """Whether a declaration for some samples, or for all simulated, is for this one."""
        described = self.samples[sample]
        return sample in samples if samples else not (described.data or described.varies)

    def triggers_of(self, sample: str) -> tuple[TriggerSpec, ...]:
        """Trigger bits of a sample, of which one must have fired."""
        return event_filters.triggers_of(self, sample)

    def vetoing_of(self, sample: str) -> tuple[TriggerSpec, ...]:
        """Trigger bits of earlier primary data sets, of which none may have fired."""
        return event_filters.vetoing_of(self, sample)

    def filters_of(self, sample: str) -> tuple[FilterSpec, ...]:
        """Flags that all events of a sample must have."""
        return event_filters.filters_of(self, sample)

    def filter_rows(self, sample: str) -> tuple[str, ...]:
        """Rows of the events that are left before the selection; none if nobody counts.

        Of all eras those of each, if they are the same.
        """
        if self.eras:
            own = [e.filter_rows(sample) for e in self.era_specs.values() if sample in e.samples]
            return own[0] if len({*own}) == 1 else ()
        return event_filters.rows_of(self, sample)

    def luminosity_of(self, sample: str) -> float | None:
        """Integrated luminosity that a sample is scaled to, in 1/pb."""
        return self.samples[sample].luminosity or self.luminosity

    def templates_of(self, sample: str) -> list[tuple[str, str]]:
        """All histograms of a sample: the name of each, and of the axis it has."""
        named, varied = self.titles, self.variations_of(sample)
        return [
            (named[name, variation], name)
            for name in self.histograms
            for variation in ("", *varied)
        ]

    @property
    def titles(self) -> dict[tuple[str, str], str]:
        """Name of every histogram under every variation; see `titles.titles_of`."""
        varied = [v for sample in self.samples for v in self.variations_of(sample)]
        varied += [v for sample in self.samples for v in self.filled_of(sample)]
        return titles_of(self.histograms, varied)

    @property
    def user_code(self) -> str:
        """The user's own code that this spec names; empty if it is part of this package.

        A file is never part of it, whatever it is called; of the package, only
        what it gives as selections is taken for its own.
        """
        source = self.select.rpartition(":")[0]
        ours = not source.endswith(".py") and source.startswith(f"{ANALYSES}.")
        return "" if ours else source


def _known(name: str, known: list[str], where: str) -> None:
    if name not in known:
        raise ValueError(f"{where}: no {name!r} here; {closest(name, known)}")
