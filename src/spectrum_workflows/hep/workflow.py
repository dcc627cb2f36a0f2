"""The HEP workflow: plan, run and hand out results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from spectrum_workflows.domain import Metrics, OnError, Plan, Report
from spectrum_workflows.engine import each, merged, one_thread
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep import columns, completeness, histogram, runs
from spectrum_workflows.hep.fitted import FitResult, LikelihoodFit
from spectrum_workflows.hep.histogram import arrays, deviation
from spectrum_workflows.hep.listing import inputs
from spectrum_workflows.hep.planning import plan
from spectrum_workflows.hep.preparing import beginning, generator_weights, prepared
from spectrum_workflows.hep.read import check_unchanged, entries
from spectrum_workflows.hep.repeating import watched
from spectrum_workflows.hep.rootfile import opened
from spectrum_workflows.hep.selection import located
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import Events, FileRead, Filled, HepResult
from spectrum_workflows.hep.workload import Workload, job

if TYPE_CHECKING:
    from distributed import Client

__all__ = [
    "arrays",
    "deviation",
    "files",
    "inputs",
    "make",
    "pictures",
    "plan",
    "plot",
    "read",
    "run",
    "summary",
    "warnings",
]


def run(
    spec: HepSpec, plan: Plan, *, client: Client | None, on_error: OnError, report: Report
) -> tuple[HepResult | None, Metrics]:
    """Select and histogram every partition, merge, and normalise.

    Returns
    -------
    result
        ``None`` if every partition failed.
    metrics : Metrics
        Cost and failures.
    """
    task = job(spec)
    if plan.code and task.digest != plan.code:
        raise DataError("the code has changed since the run was planned", spec.select, "run again")
    parts = each(
        process,
        plan.partitions,
        task,
        client=client,
        label=f"hep-{spec.name}",
        on_error=on_error,
    )
    total = len(plan.partitions)
    report("select", 0, total)
    with one_thread(), _repeated(spec, task, plan, client) as doubts:
        sums = merged(parts, histogram.merge, done=lambda n: report("select", n, total))
        value, metrics = sums
        metrics += Metrics(warnings=doubts())
    if value is None:
        return None, metrics
    data = {name for name, sample in spec.samples.items() if sample.data}
    notes = [*completeness.counted_once(value.files, data), *completeness.begin_alike(value.files)]
    notes += _unforeseen(value, plan, task)
    weighted = (sample for sample in spec.samples if task.weighted(sample))
    notes += completeness.not_normalised(value, weighted)
    missing = completeness.missing(value.files, plan.partitions)
    missing += [f"nothing of {failure.where}" for failure in plan.failures]
    result = replace(histogram.normalised(value, spec, missing), notes=tuple(notes))
    if spec.fit is not None:
        report("fit", 0, 1)
        result = replace(result, likelihood=fitted(result))
        report("fit", 1, 1)
    return result, metrics


def _repeated(
    spec: HepSpec, task: Workload, plan: Plan, client: Client | None
) -> AbstractContextManager[Callable[[], tuple[str, ...]]]:
    """What is said of a selection that does not repeat itself; our own are known to."""
    if not spec.user_code:
        return nullcontext(lambda: ())
    return watched(task, plan.partitions, client=client)


def _unforeseen(value: Filled, plan: Plan, task: Workload) -> Iterator[str]:
    """What the files lacked that nobody had looked into before."""
    partitions: Sequence[Any] = plan.partitions
    unseen = {events.sample for events in partitions if not events.uuid}
    for sample in task.wanted:
        if sample in unseen:
            read = [(url, f.fallbacks_used) for (s, url), f in value.files.items() if s == sample]
            yield from columns.absent(sample, read, task.wanted[sample])


def fitted(result: HepResult) -> LikelihoodFit | str:
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


def process(events: Events, task: Workload) -> Filled:
    """Read one partition, select, fill: what runs on workers.

    Raises
    ------
    DataError, SpecError, PartitionError
        As `preparing.prepared`, the selection and `histogram.filled`.
    """
    sample, weighted = events.sample, task.weighted(events.sample)
    files = {(sample, events.url): _file_read(events, task)}  # before it can be exchanged
    if not events.size:
        return Filled({}, {}, {sample: 0}, files)
    arrays, selection = prepared(events, task)
    if not events.start:
        key = (sample, events.url)
        files[key] = replace(files[key], beginning=beginning(arrays))
    generated = generator_weights(arrays) if weighted else None  # before anybody can change them
    try:
        filled = histogram.filled(
            sample,
            selection(arrays, **task.options(sample)),
            task.histograms,
            events=events.size,
            seen=len(arrays),
            variations=task.variations[sample],
            titles=task.titles,
            generated=generated,
            weightless=sample in task.weightless,
        )
    except SpectrumError as error:
        raise located(error, events.where, selection) from error.__cause__
    return replace(filled, files=files)


def _file_read(events: Events, task: Workload) -> FileRead:
    """What was read of a file, and what the file says of itself."""
    found = opened(events.url, events.tree)
    check_unchanged(found, events)
    wanted = task.wanted[events.sample]
    return FileRead(
        events.size,
        entries(events),
        runs.weights(events.url, events.tree) if wanted.generated else 0.0,
        f"{found.uuid} {found.nbytes}",
        wanted.fallbacks_used(found.names) if events.size else (),
    )


def summary(result: HepResult) -> dict[str, Any]:
    """Events selected per region, closure, and the fits the spec asks for."""
    from spectrum_workflows.hep.fit.peak import fit_peaks

    out: dict[str, Any] = {
        "counts": result.counts,
        "samples": {
            sample: {
                "events": result.events[sample],
                "weight": result.weights[sample],
                "counts": {r: n for (s, r), n in result.selected.items() if s == sample},
            }
            for sample in result.spec.samples
        },
    }
    if result.missing:
        out["incomplete"] = list(result.missing)
    peaks = {name: _in_numbers(found) for name, found in fit_peaks(result).items()}
    return out | ({"fit": peaks} if peaks else {}) | _likelihood_in_numbers(result)


def warnings(result: HepResult) -> tuple[str, ...]:
    """What a result shows about itself; see `reviewing.warnings`."""
    from spectrum_workflows.hep import reviewing

    return reviewing.warnings(result)


def files(result: HepResult) -> Iterator[tuple[str, bytes]]:
    """Everything to be saved: JSON, ROOT and pictures; see `write.files`."""
    from spectrum_workflows.hep import write

    return write.files(result)


def pictures(result: HepResult) -> Iterator[tuple[str, Any]]:
    """A figure per histogram, and those of the likelihood fit."""
    from spectrum_workflows.hep import plot

    return plot.pictures(result)


def read(folder: str) -> dict[str, Any]:
    """The arrays back from a folder that `files` was saved to."""
    from spectrum_workflows.hep import write

    return write.read(folder)


def plot(result: HepResult) -> Any:
    """Histograms side by side; with a likelihood fit, its regions before and after."""
    from spectrum_workflows.hep import plot

    return plot.figure(result)


def make(spec: HepSpec, data: str, *, size: int | None, report: Report) -> list[str]:
    """Write the synthetic samples a spec names; see `synthetic.make`."""
    from spectrum_workflows.hep import synthetic

    return synthetic.make(spec, data, size=size, report=report)


def _in_numbers(fitted: FitResult | str) -> dict[str, Any]:
    if isinstance(fitted, str):
        return {"no_fit": fitted}
    errors = {f"{name}_error": error for name, error in fitted.errors.items()}
    return {**fitted.values, **errors, "chi2": fitted.chi2, "ndf": fitted.ndf}


def _likelihood_in_numbers(result: HepResult) -> dict[str, Any]:
    """The parameter of interest, and the pulls of all others that belong to no single bin."""
    fit = result.likelihood
    if result.spec.fit is None:
        return {}
    if isinstance(fit, str):
        return {"likelihood": {"no_fit": fit}}
    found = {
        name: (float(value), float(error))
        for name, value, error in zip(fit.names, fit.values, fit.errors, strict=True)
    }
    value, error = found[fit.poi]
    interest = {fit.poi: value, f"{fit.poi}_error": error, "chi2": fit.chi2, "ndf": fit.ndf}
    pulls = {n: {"pull": found[n][0], "pull_error": found[n][1]} for n in fit.nuisances}
    return {"likelihood": interest, "pulls": pulls}
