"""What every task of a run needs besides its partition, from the spec and what it names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from spectrum_workflows import storage
from spectrum_workflows.hep import columns, quality
from spectrum_workflows.hep.columns import Wanted
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
    good_runs : GoodRuns or None
        Where data is certified; everywhere if left out.
    inputs : tuple of (str, str)
        Name and content of what was read to make this.
    """

    wanted: Wanted
    selection: Selection
    histograms: dict[str, HistogramSpec]
    data: frozenset[str]
    good_runs: GoodRuns | None = None
    inputs: tuple[tuple[str, str], ...] = ()


def job(spec: HepSpec) -> Job:
    """Find the selection and read the list of good runs that a spec names.

    Raises
    ------
    SpecError
        No such function, cut or definition.
    DataNotFoundError, DataError
        There is no such list of good runs, or it is not one.
    """
    for name, fallback in spec.fallbacks.items():
        if fallback.definition:
            columns.definition(fallback.definition, f"fallbacks.{name}")
    changed = {k: v for f in spec.fallbacks.values() for k, v in (f.cuts or {}).items()}
    find(spec.select, {**spec.cuts, **changed}, folder=spec.folder)  # refuses an unknown cut
    wanted = Wanted(
        spec.columns,
        spec.simulation_columns,
        dict(spec.fallbacks),
        spec.triggers,
        certified=bool(spec.good_runs),
    )
    good, inputs = _good_runs(spec)
    return Job(
        wanted,
        find(spec.select, spec.cuts, folder=spec.folder),
        dict(spec.histograms),
        frozenset(name for name, sample in spec.samples.items() if sample.data),
        good,
        inputs,
    )


def _good_runs(spec: HepSpec) -> tuple[GoodRuns | None, tuple[tuple[str, str], ...]]:
    """The list beside the spec, and which content it has."""
    if not spec.good_runs:
        return None, ()
    text = storage.read_bytes(storage.join(spec.folder, spec.good_runs))
    identity = f"sha256 {hashlib.sha256(text).hexdigest()}"
    return quality.good_runs(text, where=spec.good_runs), ((spec.good_runs, identity),)
