"""Columns of selected events, written as a run goes on: where, and the list of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.declarations import numbers
from spectrum_workflows.hep.io.columns_out import check_format, remove_others, write_list
from spectrum_workflows.hep.spec.eras import era_samples
from spectrum_workflows.hep.types import ColumnsWritten

if TYPE_CHECKING:
    from spectrum_workflows.domain import Plan
    from spectrum_workflows.hep.select.workload import Workload
    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.types import Filled, HepResult

DIGITS = 12
"""Of a digest in the name of a folder."""


def with_folder(workload: Workload, spec: HepSpec, plan: Plan) -> Workload:
    """The workload with the folder that its columns are written to; nothing if none are.

    Raises
    ------
    MissingExtraError
        Nobody here can write the format.
    OutputError
        The folder cannot be written to.
    SpecError
        There is no results root that the folder could be below.
    """
    asked = workload.columns_out
    if asked is None:
        return workload
    check_format(asked.format)
    name = asked.folder
    if not name:
        parts = (workload.digest, plan.partitions, workload.inputs, numbers(spec))
        question = hashlib.sha256(repr(parts).encode()).hexdigest()
        name = f"{spec.name}.columns-{question[:DIGITS]}"
    folder = storage.join(storage.results_root(), name)
    if folder == name and not name.startswith("/") and "://" not in name:
        remedy = "give a URL as columns_out.folder, or run it with a results root"
        raise SpecError("there is no results root for columns", "columns_out", remedy)
    storage.check_writable(folder)
    return replace(workload, columns_out=asked.changed(folder=folder))


def finish(filled: Filled, result: HepResult, workload: Workload) -> ColumnsWritten | None:
    """Write the list of all files.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    """
    asked = workload.columns_out
    if asked is None:
        return None
    files = sorted(filled.written, key=lambda file: file.name)
    results = result.eras or {"": result}
    samples = {
        title: {
            "data": s.described.data,
            "cross_section": s.described.cross_section,
            "luminosity": s.spec.luminosity_of(s.name),
            "normalisation": results[s.era].weights[s.name],
            "processed": results[s.era].events[s.name],
            "sum_of_weights": sum(f.sum_of_weights for f in files if f.sample == title),
        }
        for title, s in era_samples(result.spec).items()
    }
    write_list(files, asked.folder, samples=samples, missing=result.missing)
    if result.spec.columns_out is not None and result.spec.columns_out.folder:
        remove_others(files, asked.folder, samples)
    return ColumnsWritten(asked.folder, len(files), sum(file.events for file in files))
