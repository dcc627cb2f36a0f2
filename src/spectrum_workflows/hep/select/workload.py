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
from spectrum_workflows.hep.select import event_filters
from spectrum_workflows.hep.select.columns_out import check_columns
from spectrum_workflows.hep.select.corrections import Corrections, corrections
from spectrum_workflows.hep.select.declaring import Declarations, declare
from spectrum_workflows.hep.select.event_filters import GoodRuns
from spectrum_workflows.hep.select.finding import check_cuts, check_function, find_selection
from spectrum_workflows.hep.select.models import Models, read_models
from spectrum_workflows.hep.select.selection import Selection
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.spec.columns_out import ColumnsOutSpec


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
    titles : mapping of (histogram, variation) to str
        Names of all histograms.
    corrections : Corrections
        Content of the correctionlib files that the spec names.
    good_runs : GoodRuns or None
        Where data is certified; everywhere if left out.
    inputs : tuple of (str, str)
        Name and content of what was read to make this.
    cuts : mapping of str to mapping
        Cuts of samples that have their own.
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
    luminosity_table : LuminosityTable or None
        Recorded luminosity of blocks; not asked for if left out.
    filter_rows : mapping of str to tuple of str
        Rows of every sample that count what is left before the selection; see `HepSpec`.
    models : Models
        Trained models that the spec names.
    """

    requested: Mapping[str, RequestedColumns]
    selection: Selection
    histograms: dict[str, HistogramSpec]
    data: frozenset[str]
    weightless: frozenset[str]
    variations: Mapping[str, tuple[str, ...]]
    asked: Mapping[str, tuple[str, ...]]
    titles: Mapping[tuple[str, str], str]
    corrections: Corrections = field(default_factory=Corrections)
    good_runs: GoodRuns | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    cuts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    declarations: Declarations = field(default_factory=Declarations)
    preselect: str = ""
    luminosity_table: LuminosityTable | None = None
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    select_varied: str = ""
    columns_out: ColumnsOutSpec | None = None
    filter_rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    models: Models = field(default_factory=Models)

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides the result: code, this package's too, corrections, models."""
        parts = {"selection": self.selection.digest, "science": science_code(__name__).digest}
        if self.declarations:
            parts |= {"declarations": self.declarations.digest}
        if self.models:
            parts |= {"models": self.models.digest}
        return digest_of_all(parts | {"corrections": self.corrections.text})

    def options(self, sample: str) -> dict[str, Any]:
        """Keyword arguments of the selection for a sample, besides the cuts."""
        options: dict[str, Any] = {}
        if any(self.asked.values()):
            options["variations"] = self.asked[sample]
        if self.corrections:
            options["corrections"] = self.corrections.loaded()
        if self.models:
            options["models"] = self.models.loaded()
        told = {"sample": sample, "is_data": sample in self.data}
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
    for name, fallback in spec.fallbacks.items():
        if fallback.definition:
            columns.definition(fallback.definition, f"fallbacks.{name}")
    asked = {name: spec.asked_of(name) for name in spec.samples}
    options = ["variations"] * any(asked.values()) + ["corrections"] * bool(spec.corrections)
    options += ["models"] * bool(spec.models)
    selection = find_selection(spec.select, spec.cuts, folder=spec.folder, options=options)
    changed = {k: v for f in spec.fallbacks.values() for k, v in (f.cuts or {}).items()}
    for cuts in ({}, *(sample.cuts for sample in spec.samples.values())):
        check_cuts(selection, {**spec.cuts, **changed, **cuts}, options)
    good, certified = _good_runs(spec)
    table, recorded = _luminosity_table(spec)
    read = corrections(spec.corrections, spec.folder)
    models = read_models(spec.models, spec.folder)
    models.loaded()  # what cannot be is refused before workers are asked for
    declarations = declare(spec)
    inputs = (*selection.source.inputs, *certified, *recorded, *read.inputs)
    inputs = (*inputs, *declarations.inputs, *models.inputs)
    beside = {"preselect": spec.preselect, "select_varied": spec.select_varied}
    for name, weight in spec.weights.items():
        beside |= {f"weights.{name}.{key}": getattr(weight, key) for key in ("where", "tagged")}
    beside |= {f"veto_maps.{name}.where": veto.where for name, veto in spec.veto_maps.items()}
    for where, function in beside.items():
        if function:
            check_function(selection, function, where)
    return Workload(
        {name: _requested(spec, name, declarations) for name in spec.samples},
        selection,
        dict(spec.histograms),
        frozenset(name for name, sample in spec.samples.items() if sample.data),
        frozenset(n for n, sample in spec.samples.items() if sample.data and not sample.weighted),
        {name: spec.filled_of(name) for name in spec.samples},
        asked,
        spec.titles,
        read,
        good,
        inputs,
        {name: sample.cuts for name, sample in spec.samples.items() if sample.cuts},
        declarations,
        spec.preselect,
        table,
        spec.combined_regions,
        spec.select_varied,
        _columns_out(spec),
        {name: spec.filter_rows(name) for name in spec.samples},
        models,
    )


def _requested(spec: HepSpec, name: str, declarations: Declarations) -> RequestedColumns:
    """The columns requested of the files of a sample."""
    sample = spec.samples[name]
    triggers, vetoing, filters = (
        of(name) for of in (spec.triggers_of, spec.vetoing_of, spec.filters_of)
    )
    normalisation = "" if sample.data or spec.normalisation == "none" else spec.normalisation
    simulated = () if sample.data else spec.simulation_columns
    weight = (columns.GENERATED,) if normalisation == "genweight" else ()
    declared = declarations.samples.get(name)
    return RequestedColumns(
        tuple(dict.fromkeys((*spec.columns, *simulated, *sample.columns, *weight))),
        tuple(trigger.path for trigger in triggers),
        tuple(
            dict.fromkeys(b.path for b in (*triggers, *vetoing, *filters) if b.absent is not None)
        ),
        dict(spec.fallbacks),
        certified=bool(spec.good_runs) and sample.data,
        normalisation=normalisation,
        inputs=() if declared is None else declared.columns,
        vetoing=tuple(trigger.path for trigger in vetoing),
        filters=tuple(flag.path for flag in filters),
        format=spec.format_of(name),
    )


def _columns_out(spec: HepSpec) -> ColumnsOutSpec | None:
    """What is written, if its columns are read."""
    if spec.columns_out is not None:
        of_samples = (name for sample in spec.samples.values() for name in sample.columns)
        columns = list(dict.fromkeys((*spec.columns, *spec.simulation_columns, *of_samples)))
        root = spec.columns_out.format == "root"
        check_columns(spec.columns_out.columns, columns, root=root)
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
