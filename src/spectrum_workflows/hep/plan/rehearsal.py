"""The rehearsal of a selection on no events: what is misspelt is found before the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import awkward as ak
import numpy as np
from awkward.errors import FieldNotFoundError

from spectrum_workflows.errors import DataError, PartitionError, SpecError, SpectrumError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.bootstrap.filling import replicas_of
from spectrum_workflows.hep.bootstrap.keys import Resampling
from spectrum_workflows.hep.plan.files import InputFile
from spectrum_workflows.hep.plan.inspection import FileInfo
from spectrum_workflows.hep.select.observing import observe
from spectrum_workflows.hep.select.preparing import filter_events, selection_for
from spectrum_workflows.hep.select.selection import located
from spectrum_workflows.hep.select.workload import Workload
from spectrum_workflows.hep.spec.eras import era_of
from spectrum_workflows.hep.types import Events


def rehearse(workload: Workload, infos: Mapping[InputFile, FileInfo]) -> list[str]:
    """Select no events in every way of a run, with the types of the first file of its kind.

    Returns
    -------
    list of str
        Warnings: selections that cannot stand that there are no events.

    Raises
    ------
    SpecError, DataError
        The selection asks for a column that is not read, or does not return what
        the histograms ask for.
    """
    typed: dict[str, InputFile] = {}
    for file, info in infos.items():
        if info.form:
            typed.setdefault(repr(workload.requested[file.sample]), file)
    ways: dict[str, tuple[str, InputFile]] = {}
    for sample, requested in workload.requested.items():
        own = (
            workload.variations[sample],
            workload.cuts.get(sample),
            workload.selection.told and sample,
            era_of(sample),
        )
        if kind := typed.get(repr(requested)):
            ways.setdefault(repr((requested, own)), (sample, kind))
    return [
        warning
        for sample, file in ways.values()
        for warning in _rehearse(workload, replace(file, sample=sample), infos[file])
    ]


def _rehearse(workload: Workload, file: InputFile, info: FileInfo) -> list[str]:
    """Apply the selection of one sample to no events; warn if it cannot stand that."""
    nothing: Any = ak.Array(ak.forms.from_json(info.form).length_zero_array())
    events = Events(
        file.sample, file.url, file.tree, 0, 0, "", 0, fallbacks_used=info.fallbacks_used
    )
    selection = selection_for(events, workload)
    try:
        seen = filter_events(nothing, events, workload).seen
        observables = observe(seen, selection, workload, file.sample)
    except PartitionError as error:
        if isinstance(error.__cause__, FieldNotFoundError) or "no field named" in error.what:
            raise DataError(
                f"the selection asks for what is not read ({error.what})",
                "select",
                "add it to columns",
            ) from error
        if isinstance(error.__cause__, SpecError):  # a model takes other columns
            raise located(error, file.url, selection) from error
        if isinstance(error.__cause__, AttributeError) and "NoneType" not in error.what:
            raise located(error, file.url, selection) from error
        return [f"the selection could not be rehearsed on no events ({error})"]
    except SpectrumError as error:
        raise located(error, file.url, selection) from error
    for _ in histogram.to_fill(observables, workload.histograms, workload.variations[file.sample]):
        pass  # it refuses what the selection does not return
    if workload.bootstrap is not None:
        none = np.empty(0, np.uint64)
        resampling = Resampling(none, 0, workload.bootstrap.histograms)
        replicas_of(observables, workload.histograms, resampling)
    return []
