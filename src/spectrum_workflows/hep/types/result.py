"""The result of a run: normalised histograms, and what is needed to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from spectrum_workflows.hep.types.statistics import Evaluation

if TYPE_CHECKING:
    import hist
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.types.columns_out import ColumnsWritten
    from spectrum_workflows.hep.types.cuts import CutFlow, FilterFlow
    from spectrum_workflows.hep.types.fits import LikelihoodFit
    from spectrum_workflows.hep.types.luminosity import ProcessedLuminosity


@dataclass(frozen=True)
class HepResult:
    """Normalised histograms of a run, with what is needed to read them.

    Attributes
    ----------
    spec : HepSpec
        The question.
    histograms, selected, events
        As in `Filled`; the histograms are normalised, and profiles hold means.
    weights : mapping of sample to float
        The factor each sample was multiplied by.
    missing : tuple of str
        Files that are not complete in the result, each with what there is of it.
    likelihood : LikelihoodFit or str
        The fit the spec asks for, or why there is none.
    notes : tuple of str
        What was noticed while it was made, each in a line.
    synthetic : tuple of str
        Samples of events that this package generated: no measurement, and nobody's simulation.
    luminosities : mapping of sample to ProcessedLuminosity
        Of data, where the spec has a table of luminosity blocks.
    cut_flows : mapping of (sample, region, variation) to CutFlow
        Where the spec combines cuts into regions; nominal without a variation.
    eras : mapping of str to HepResult
        Results of each era, where the spec has several; all else is then of their sum.
    filter_flows : mapping of sample to FilterFlow
        Where the spec counts what is left before the selection.
    columns : ColumnsWritten or None
        Files of columns that were written.
    evaluation : Evaluation
        What the spec asks of the likelihood besides.
    skimmed : int
        Events of partitions of which a skim was read, not the file.
    replicas : mapping of (sample, histogram) to ndarray, shape (…, n_replicas)
        Bootstrap replicas of nominal histograms, where the spec asks for them: normalised sums of
        weights with flow bins.  Of a profile, before the last axis, sums of weights, and of
        weights times values.
    """

    spec: HepSpec
    histograms: Mapping[tuple[str, str], hist.Hist]
    selected: Mapping[tuple[str, str], int]
    events: Mapping[str, int]
    weights: Mapping[str, float]
    missing: tuple[str, ...] = ()
    likelihood: LikelihoodFit | str = ""
    notes: tuple[str, ...] = ()
    synthetic: tuple[str, ...] = ()
    luminosities: Mapping[str, ProcessedLuminosity] = field(default_factory=dict)
    cut_flows: Mapping[tuple[str, str, str], CutFlow] = field(default_factory=dict)
    columns: ColumnsWritten | None = None
    filter_flows: Mapping[str, FilterFlow] = field(default_factory=dict)
    eras: Mapping[str, HepResult] = field(default_factory=dict)
    evaluation: Evaluation = field(default_factory=Evaluation)
    skimmed: int = 0
    replicas: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """``generated events`` or ``partly generated events``, if this package made them."""
        if not self.synthetic:
            return ""
        others = {name for name, n in self.events.items() if n} - {*self.synthetic}
        return "partly generated events" if others else "generated events"

    @cached_property
    def counts(self) -> dict[str, int]:
        """Selected events per region, summed over samples that vary no other."""
        total: dict[str, int] = {}
        for (sample, region), n in self.selected.items():
            if not self.spec.samples[sample].varies:
                total[region] = total.get(region, 0) + n
        return total
