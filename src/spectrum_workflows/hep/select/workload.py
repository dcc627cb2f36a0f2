"""The part of a run that all its tasks share, from the spec and the files it names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.code_identity import digest_of_all, science_code
from spectrum_workflows.hep import columns
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.luminosity import LuminosityTable, luminosity_table
from spectrum_workflows.hep.overlap import FittedRegion, fitted_regions
from spectrum_workflows.hep.select import event_filters
from spectrum_workflows.hep.select.columns_out import check_columns, check_variations
from spectrum_workflows.hep.select.corrections import Corrections, corrections
from spectrum_workflows.hep.select.declaring import Declarations, declare
from spectrum_workflows.hep.select.event_filters import GoodRuns
from spectrum_workflows.hep.select.finding import check_cuts, check_function, find_selection
from spectrum_workflows.hep.select.models import Models, read_models
from spectrum_workflows.hep.select.selection import Selection
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.spec.bootstrap import EVENT_NUMBERS, BootstrapSpec, asked_histograms
from spectrum_workflows.hep.spec.columns_out import ColumnsOutSpec
from spectrum_workflows.hep.spec.eras import EraSample, era_of, era_samples, name_of
from spectrum_workflows.hep.spec.skim import RequirementSpec
from spectrum_workflows.hep.types.skims import Skims


@dataclass(frozen=True)
class EraInputs:
    """What was read for one era.

    Attributes
    ----------
    corrections : Corrections
        Content of the correctionlib files that the spec names for the selection.
    good_runs : GoodRuns or None
        Where data is certified; everywhere if left out.
    luminosity_table : LuminosityTable or None
        Recorded luminosity of blocks; not asked for if left out.
    inputs : tuple of (str, str)
        Name and content of what was read.
    """

    corrections: Corrections = field(default_factory=Corrections)
    good_runs: GoodRuns | None = None
    luminosity_table: LuminosityTable | None = None
    inputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Workload:
    """All that every task of a run needs besides its partition.

    Attributes
    ----------
    requested : mapping of str to RequestedColumns
        Columns of every sample, and what may stand in for them.
    selection : Selection
        The function, with the cuts of the spec.
    histograms : dict of str to HistogramSpec
        What to fill.
    data : frozenset of str
        Samples that are data.
    weightless : frozenset of str
        Those of them that the selection may not weight.
    variations : mapping of str to tuple of str
        What is filled of every sample besides the nominal: its systematic variations.
    asked : mapping of str to tuple of str
        Those of them that the selection computes itself.
    titles : mapping of str to mapping of (histogram, variation) to str
        Names of all histograms of every sample.
    eras : mapping of str to EraInputs
        What was read for every era; of a spec without eras for one without a name.
    inputs : tuple of (str, str)
        Name and content of what was read to make this.
    cuts : mapping of str to mapping
        Cuts of samples that have their own.
    era_cuts : mapping of str to mapping
        Cuts of their eras, after which come those of fallbacks and of samples.
    declarations : Declarations
        Objects that are corrected, and their variations.
    preselect : str
        Function that tells which events any variation may select; none if empty.
    regions : mapping of str to tuple of str
        Cuts of every region that the spec combines.
    select_varied : str
        Function that selects under many variations at once; none if empty.
    columns_out : ColumnsOutSpec or None
        Columns of selected events to write.
    filter_rows : mapping of str to tuple of str
        Rows of every sample that count what is left before the selection; see `HepSpec`.
    models : Models
        Trained models that the spec names.
    require : mapping of str to RequirementSpec or None
        Conditions without which the selection sees no event; None where there is no skim.
    skims : mapping of str to Skims
        Where skims of the partitions of every sample are.
    checked : frozenset of str
        First entries of partitions whose events are selected whether they fulfil the conditions
        or not, to see that none is lost.
    bootstrap : BootstrapSpec or None
        Replicas of histograms, all of which it names; none if left out.
    fitted : tuple of FittedRegion
        Regions of the fit.
    """

    requested: Mapping[str, RequestedColumns]
    selection: Selection
    histograms: dict[str, HistogramSpec]
    data: frozenset[str]
    weightless: frozenset[str]
    variations: Mapping[str, tuple[str, ...]]
    asked: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, Mapping[tuple[str, str], str]]
    eras: Mapping[str, EraInputs]
    inputs: tuple[tuple[str, str], ...] = ()
    cuts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    declarations: Declarations = field(default_factory=Declarations)
    preselect: str = ""
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    select_varied: str = ""
    columns_out: ColumnsOutSpec | None = None
    filter_rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    models: Models = field(default_factory=Models)
    require: Mapping[str, RequirementSpec] | None = None
    skims: Mapping[str, Skims] = field(default_factory=dict)
    checked: frozenset[str] = frozenset()
    era_cuts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bootstrap: BootstrapSpec | None = None
    fitted: tuple[FittedRegion, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides the result: code, this package's too, corrections, models."""
        parts = {"selection": self.selection.digest, "science": science_code(__name__).digest}
        if self.declarations:
            parts |= {"declarations": self.declarations.digest}
        if self.models:
            parts |= {"models": self.models.digest}
        for era, of in self.eras.items():
            parts[f"corrections {era}".strip()] = of.corrections.text
        return digest_of_all(parts)

    def inputs_of(self, sample: str) -> EraInputs:
        """What was read for the era of a sample."""
        return self.eras[era_of(sample)]

    def options(self, sample: str) -> dict[str, Any]:
        """Keyword arguments of the selection for a sample, besides the cuts."""
        options: dict[str, Any] = {}
        if any(self.asked.values()):
            options["variations"] = self.asked[sample]
        if any(of.corrections for of in self.eras.values()):
            options["corrections"] = self.inputs_of(sample).corrections.loaded()
        if self.models:
            options["models"] = self.models.loaded()
        told = {"sample": name_of(sample), "is_data": sample in self.data}
        return options | {name: told[name] for name in self.selection.told}


def load_workload(spec: HepSpec) -> Workload:
    """Find the selection, and read corrections, models and good runs that a spec names.

    Raises
    ------
    SpecError
        No such function, cut or definition.
    DataNotFoundError, DataError
        There is no such list of good runs, corrections or model, or it is not one.
    MissingExtraError
        The library that computes a model is not installed.
    """
    for own in (spec, *spec.era_specs.values()):
        for name, fallback in own.fallbacks.items():
            if fallback.definition:
                columns.definition(fallback.definition, f"fallbacks.{name}")
    samples = era_samples(spec)
    asked = {title: s.spec.asked_of(s.name) for title, s in samples.items()}
    eras = {era: _era_inputs(own) for era, own in (spec.era_specs or {"": spec}).items()}
    options = ["variations"] * any(asked.values())
    options += ["corrections"] * any(of.corrections for of in eras.values())
    options += ["models"] * bool(spec.models)
    selection = find_selection(spec.select, spec.cuts, folder=spec.folder, options=options)
    own_cuts = {title: s.described.cuts for title, s in samples.items()}
    era_cuts = {title: _era_cuts(spec, s) for title, s in samples.items()}
    for title, s in samples.items():
        changed = {k: v for f in s.spec.fallbacks.values() for k, v in (f.cuts or {}).items()}
        for cuts in ({}, own_cuts[title]):
            given = {**spec.cuts, **era_cuts[title], **changed, **cuts}
            check_cuts(selection, given, options)
    models = read_models(spec.models, spec.folder)
    models.loaded()  # what cannot be is refused before workers are asked for
    declarations = declare(spec)
    _check_functions(spec, selection)
    read = [i for of in eras.values() for i in of.inputs]
    inputs = (*selection.source.inputs, *read, *declarations.inputs, *models.inputs)
    data = [title for title, s in samples.items() if s.described.data]
    return Workload(
        {title: _requested(s.spec, s.name, declarations, title) for title, s in samples.items()},
        selection,
        dict(spec.histograms),
        frozenset(data),
        frozenset(title for title in data if not samples[title].described.weighted),
        {title: s.spec.filled_of(s.name) for title, s in samples.items()},
        asked,
        {title: s.spec.titles for title, s in samples.items()},
        eras,
        tuple(dict.fromkeys(inputs)),
        {title: cuts for title, cuts in own_cuts.items() if cuts},
        declarations,
        spec.preselect,
        spec.combined_regions,
        spec.select_varied,
        _columns_out(spec),
        {title: s.spec.filter_rows(s.name) for title, s in samples.items()},
        models,
        None if spec.skim is None else dict(spec.skim.require),
        era_cuts={title: cuts for title, cuts in era_cuts.items() if cuts},
        bootstrap=_bootstrap(spec),
        fitted=fitted_regions(spec),
    )


def _bootstrap(spec: HepSpec) -> BootstrapSpec | None:
    """What is asked of replicas, with the names of their histograms."""
    if spec.bootstrap is None:
        return None
    return spec.bootstrap.changed(histograms=asked_histograms(spec))


def _era_cuts(spec: HepSpec, sample: EraSample) -> dict[str, Any]:
    """Cuts of a sample's era that are others than the spec's."""
    return {name: cut for name, cut in sample.spec.cuts.items() if spec.cuts.get(name) != cut}


def _check_functions(spec: HepSpec, selection: Selection) -> None:
    """Refuse functions that are named and do not stand beside the selection."""
    beside = {"preselect": spec.preselect, "select_varied": spec.select_varied}
    for own in (spec, *spec.era_specs.values()):
        for name, weight in own.weights.items():
            beside |= {f"weights.{name}.{key}": getattr(weight, key) for key in ("where", "tagged")}
        beside |= {f"veto_maps.{name}.where": veto.where for name, veto in own.veto_maps.items()}
        for where, function in beside.items():
            if function:
                check_function(selection, function, where)


def _era_inputs(spec: HepSpec) -> EraInputs:
    """Read the files beside the spec that are of one era."""
    good, inputs = _good_runs(spec)
    table, table_inputs = _luminosity_table(spec)
    read = corrections(spec.corrections, spec.folder)
    return EraInputs(read, good, table, (*inputs, *table_inputs, *read.inputs))


def _requested(
    spec: HepSpec, name: str, declarations: Declarations, title: str
) -> RequestedColumns:
    """The columns requested of the files of a sample, which the run calls by its title."""
    sample = spec.samples[name]
    triggers, vetoing, filters = (
        of(name) for of in (spec.triggers_of, spec.vetoing_of, spec.filters_of)
    )
    normalisation = "" if sample.data or spec.normalisation == "none" else spec.normalisation
    simulated = () if sample.data else spec.simulation_columns
    weight = (columns.GENERATED,) if normalisation == "genweight" else ()
    declared = declarations.samples.get(title)
    inputs = () if declared is None else declared.columns
    if spec.bootstrap is not None:
        inputs = tuple(dict.fromkeys((*inputs, *EVENT_NUMBERS)))
    return RequestedColumns(
        tuple(dict.fromkeys((*spec.columns, *simulated, *sample.columns, *weight))),
        tuple(trigger.path for trigger in triggers),
        tuple(
            dict.fromkeys(b.path for b in (*triggers, *vetoing, *filters) if b.absent is not None)
        ),
        dict(spec.fallbacks),
        certified=bool(spec.good_runs) and sample.data,
        normalisation=normalisation,
        inputs=inputs,
        vetoing=tuple(trigger.path for trigger in vetoing),
        filters=tuple(flag.path for flag in filters),
        format=spec.format_of(name),
        conditions=() if spec.skim is None else spec.skim.decided_by,
    )


def _columns_out(spec: HepSpec) -> ColumnsOutSpec | None:
    """What is written, if its columns are read."""
    if spec.columns_out is not None:
        of_samples = (n for s in era_samples(spec).values() for n in s.described.columns)
        columns = list(dict.fromkeys((*spec.columns, *spec.simulation_columns, *of_samples)))
        root = spec.columns_out.format == "root"
        check_columns(spec.columns_out.columns, columns, root=root)
        filled = (s.spec.filled_of(s.name) for s in era_samples(spec).values())
        check_variations(spec.columns_out, filled)
    return spec.columns_out


def _good_runs(spec: HepSpec) -> tuple[GoodRuns | None, tuple[tuple[str, str], ...]]:
    """The list beside the spec, and which content it has."""
    if not spec.good_runs:
        return None, ()
    text, inputs = _beside(spec, spec.good_runs)
    return event_filters.good_runs(text, where=spec.good_runs), inputs


def _luminosity_table(
    spec: HepSpec,
) -> tuple[LuminosityTable | None, tuple[tuple[str, str], ...]]:
    """The table beside the spec, and which content it has."""
    if not spec.luminosity_table:
        return None, ()
    text, inputs = _beside(spec, spec.luminosity_table)
    return luminosity_table(text, where=spec.luminosity_table), inputs


def _beside(spec: HepSpec, name: str) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """A file beside the spec, and its identity for the record."""
    text = storage.read_bytes(storage.join(spec.folder, name))
    return text, ((name, f"sha256 {hashlib.sha256(text).hexdigest()}"),)
