"""What every task of a run needs besides its partition, from the spec and what it names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.hep import columns, quality
from spectrum_workflows.hep.columns import Wanted
from spectrum_workflows.hep.corrections import Corrections, corrections
from spectrum_workflows.hep.quality import GoodRuns
from spectrum_workflows.hep.selection import Selection, find
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec


@dataclass(frozen=True)
class Job:
    """What every task needs besides its partition.

    Attributes
    ----------
    wanted : Wanted
        Columns, and what may stand in for them.
    selection : Selection
        The function, with the cuts of the spec.
    histograms : dict of str to HistogramSpec
        What to fill.
    data : frozenset of str
        Samples that are data.
    weightless : frozenset of str
        Those of them that the selection may not weight.
    variations : mapping of str to tuple of str
        Systematic variations of every sample.
    titles : mapping of (histogram, variation) to str
        Names of all histograms.
    corrections : Corrections
        Content of the correctionlib files that the spec names.
    good_runs : GoodRuns or None
        Where data is certified; everywhere if left out.
    inputs : tuple of (str, str)
        Name and content of what was read to make this.
    """

    wanted: Wanted
    selection: Selection
    histograms: dict[str, HistogramSpec]
    data: frozenset[str]
    weightless: frozenset[str]
    variations: Mapping[str, tuple[str, ...]]
    titles: Mapping[tuple[str, str], str]
    corrections: Corrections = field(default_factory=Corrections)
    good_runs: GoodRuns | None = None
    inputs: tuple[tuple[str, str], ...] = ()

    def weighted(self, sample: str) -> bool:
        """Whether the events of a sample have generator weights."""
        return self.wanted.generated and sample not in self.data

    @property
    def digest(self) -> str:
        """SHA-256 of the code and the corrections that decide the result."""
        if not self.corrections:
            return self.selection.digest
        both = self.selection.digest + self.corrections.text
        return hashlib.sha256(both.encode()).hexdigest()

    def options(self, sample: str) -> dict[str, Any]:
        """What the selection is told about a sample besides the cuts."""
        found: dict[str, Any] = {}
        if any(self.variations.values()):
            found["variations"] = self.variations[sample]
        if self.corrections:
            found["corrections"] = self.corrections.loaded()
        return found


def job(spec: HepSpec) -> Job:
    """Find the selection, and read the corrections and the good runs that a spec names.

    Raises
    ------
    SpecError
        No such function, cut or definition.
    DataNotFoundError, DataError
        There is no such list of good runs or corrections, or it is not one.
    """
    for name, fallback in spec.fallbacks.items():
        if fallback.definition:
            columns.definition(fallback.definition, f"fallbacks.{name}")
    variations = {name: spec.variations_of(name) for name in spec.samples}
    options = ["variations"] * any(variations.values()) + ["corrections"] * bool(spec.corrections)
    finding = partial(find, spec.select, folder=spec.folder, options=options)
    changed = {k: v for f in spec.fallbacks.values() for k, v in (f.cuts or {}).items()}
    finding({**spec.cuts, **changed})  # refuses an unknown cut
    selection = finding(spec.cuts)
    good, inputs = _good_runs(spec)
    read = corrections(spec.corrections, spec.folder)
    return Job(
        _wanted(spec),
        selection,
        dict(spec.histograms),
        frozenset(name for name, sample in spec.samples.items() if sample.data),
        frozenset(n for n, sample in spec.samples.items() if sample.data and not sample.weighted),
        variations,
        spec.titles,
        read,
        good,
        (*selection.source.inputs, *inputs, *read.inputs),
    )


def _wanted(spec: HepSpec) -> Wanted:
    generated = spec.normalisation == "genweight"
    return Wanted(
        spec.columns,
        (*spec.simulation_columns, *((columns.GENERATED,) if generated else ())),
        dict(spec.fallbacks),
        spec.triggers,
        certified=bool(spec.good_runs),
        generated=generated,
    )


def _good_runs(spec: HepSpec) -> tuple[GoodRuns | None, tuple[tuple[str, str], ...]]:
    """The list beside the spec, and which content it has."""
    if not spec.good_runs:
        return None, ()
    text = storage.read_bytes(storage.join(spec.folder, spec.good_runs))
    identity = f"sha256 {hashlib.sha256(text).hexdigest()}"
    return quality.good_runs(text, where=spec.good_runs), ((spec.good_runs, identity),)
