"""A run: events selected and filled into histograms, merged, normalised and fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from spectrum_workflows.domain import Metrics, OnError, Plan, Report
from spectrum_workflows.engine import Reduction, Run, one_thread
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep import columns, completeness, eras, histogram, luminosity, overlap
from spectrum_workflows.hep.bootstrap.keys import shared_numbers
from spectrum_workflows.hep.completeness import IncompleteFile
from spectrum_workflows.hep.select.bundle import Bundle
from spectrum_workflows.hep.select.workload import Workload, load_workload
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.eras import era_of, era_samples, name_of
from spectrum_workflows.hep.types import Evaluation, Filled, HepResult, LikelihoodFit
from spectrum_workflows.hep.workflow.codec import codec
from spectrum_workflows.hep.workflow.column_files import finish, with_folder
from spectrum_workflows.hep.workflow.event_tasks import fill
from spectrum_workflows.hep.workflow.repeatability import watched
from spectrum_workflows.hep.workflow.self_check import check_corrections
from spectrum_workflows.hep.workflow.sketching import sketch
from spectrum_workflows.hep.workflow.skim_check import not_checked
from spectrum_workflows.hep.workflow.skims import with_skims

if TYPE_CHECKING:
    from distributed import Client


def run(
    spec: HepSpec, plan: Plan, *, client: Client | None, on_error: OnError, report: Report
) -> tuple[HepResult, Metrics]:
    """Select and fill every partition, merge the histograms, normalise and fit them.

    Returns
    -------
    result : HepResult
    metrics : Metrics
        Cost and failures.

    Raises
    ------
    DataError
        The code is not the one that was planned, or no partition could be computed.
    SpectrumError
        A partition failed, and failures are not kept.
    """
    workload = load_workload(spec)
    changed = _changed_code(spec, plan, workload)
    workload = with_skims(with_folder(workload, spec, plan), spec, plan)
    run = Run(plan.partitions, client, on_error, report, f"hep-{spec.name}")
    with one_thread(), _watched(spec, workload, plan, client) as repeated:
        kept = codec(spec) if spec.columns_out is None else None  # files may not be there any more
        selecting = Reduction(fill, histogram.merge, sketch(spec), kept)
        filled = run.over("select", selecting, workload)
        check_corrections(run, workload)
        run.metrics += repeated()
    notes = (*changed, *workload.declarations.not_compiled(), *_notes(filled, spec, plan, workload))
    notes += tuple(shared_numbers(filled.lowest_keys))
    missing = completeness.missing(filled.files, plan.partitions)
    missing += [IncompleteFile(f.group, f.where, f"nothing of {f.where}") for f in plan.failures]
    synthetic = tuple(dict.fromkeys(s for (s, _), file in filled.files.items() if file.synthetic))
    result = _result(filled, spec, workload, missing)
    result = replace(
        result,
        notes=(*notes, *result.notes),
        missing=tuple(file.words for file in missing),
        synthetic=tuple(dict.fromkeys(map(name_of, synthetic))),
        skimmed=sum(file.skimmed for file in filled.files.values()),
    )
    result = replace(result, columns=finish(filled, result, workload))
    if spec.fit is not None:
        report("fit", 0, 1)
        result = replace(result, likelihood=fit(result))
        report("fit", 1, 1)
        result = replace(result, evaluation=evaluation(result, report))
    return result, run.metrics


def _result(
    filled: Filled, spec: HepSpec, workload: Workload, missing: Sequence[IncompleteFile]
) -> HepResult:
    """The normalised result, of each era and of their sum where there are several."""
    if not spec.eras:
        return _of_one_era(filled, "", spec, workload, [file.words for file in missing])
    results = {}
    for era, own in spec.era_specs.items():
        lines = [file.words for file in missing if era_of(file.sample) == era]
        results[era] = _of_one_era(filled, era, own, workload, lines)
    notes = [note for result in results.values() for note in result.notes]
    return replace(eras.summed(spec, results), notes=tuple(notes))


def _of_one_era(
    filled: Filled, era: str, spec: HepSpec, workload: Workload, missing: Sequence[str]
) -> HepResult:
    """The result of an era, with its warnings; of all where there are none."""
    read, own = workload.eras[era], eras.of_era(filled, era)
    result = histogram.normalised(own, spec, missing)
    synthetic = tuple(dict.fromkeys(s for (s, _), file in own.files.items() if file.synthetic))
    result = replace(result, synthetic=synthetic)
    if read.luminosity_table is None:
        return result
    luminosities = luminosity.processed(own.files, read.luminosity_table, read.good_runs)
    notes = luminosity.notes(luminosities, own.files, spec.luminosity)
    prefixed = tuple(f"{era}/{note}" if era else note for note in notes)
    return replace(result, luminosities=luminosities, notes=prefixed)


def _changed_code(spec: HepSpec, plan: Plan, workload: Workload) -> tuple[str, ...]:
    """A warning of files that the user's code names by full path and that have changed.

    The code may write them itself, a log for one, which is no reason to stop.  The other files
    that travel with the code are listed in the plan, and none of them may be another.

    Raises
    ------
    DataError
        The code, or a file that it brings, is not the one that was planned.
    """
    if not plan.code or workload.digest == plan.code:
        return ()
    source = workload.selection.source
    named = source.named if isinstance(source, Bundle) else frozenset()
    own = {(name, content) for name, content in workload.inputs if name not in named}
    if not spec.user_code or not own <= {*plan.inputs}:
        raise DataError("the code has changed since the run was planned", spec.select, "run again")
    file = "a file that it names by full path, or a module that it imports from elsewhere,"
    when = "after the run was planned; the recorded code is that before"
    return (f"{spec.select}: {file} changed {when}",)


def _watched(
    spec: HepSpec, workload: Workload, plan: Plan, client: Client | None
) -> AbstractContextManager[Callable[[], Metrics]]:
    """A watch on the user's selection that it repeats itself; our own are known to."""
    if not spec.user_code:
        return nullcontext(Metrics)
    return watched(workload, plan.partitions, client=client)


def _notes(filled: Filled, spec: HepSpec, plan: Plan, workload: Workload) -> Iterator[str]:
    """Warnings of what the files showed while they were read.

    Raises
    ------
    DataError
        A file was read under two names.
    """
    yield from completeness.counted_once(filled.files, workload.data)
    samples = era_samples(spec)
    varied = {t: s.described.varies for t, s in samples.items() if s.described.varies}
    yield from completeness.begin_alike(filled.files, varied)
    yield from _unforeseen(filled, plan, workload)
    yield from not_checked(filled.files)
    weighted = (s for s in samples if workload.requested[s].generator_weighted)
    yield from completeness.not_normalised(filled, weighted)
    yield from overlap.notes(filled.shared)


def _unforeseen(filled: Filled, plan: Plan, workload: Workload) -> Iterator[str]:
    """Columns that files lack which were not opened for the plan."""
    partitions: Sequence[Any] = plan.partitions
    unopened = {events.sample for events in partitions if not events.uuid}
    for sample, requested in workload.requested.items():
        if sample in unopened:
            files = [(url, f.fallbacks_used) for (s, url), f in filled.files.items() if s == sample]
            yield from columns.absent(sample, files, requested)


def fit(result: HepResult) -> LikelihoodFit | str:
    """The likelihood fit, or why there is none: the histograms are not lost with it."""
    from spectrum_workflows.hep.fit import likelihood

    with suppress(ImportError):  # without it the fit says so
        import_module("pyhf")
    try:
        with one_thread():  # of libraries that may have come with it just now
            return likelihood(result)
    except SpectrumError as error:
        return str(error)
    except Exception as error:  # whatever it is, the histograms are worth more
        return f"the fit failed ({type(error).__name__}: {error})".splitlines()[0]


def evaluation(result: HepResult, report: Report) -> Evaluation:
    """What the spec asks of the likelihood besides the fit; nothing where there is none."""
    fitted, asked = result.likelihood, result.spec.fit
    if asked is None or not asked.evaluate or not isinstance(fitted, LikelihoodFit):
        return Evaluation()
    from spectrum_workflows.hep.fit.evaluation import evaluate

    report("statistics", 0, 1)
    with one_thread():
        evaluated = evaluate(fitted.workspace, asked.evaluate)
    report("statistics", 1, 1)
    return evaluated
