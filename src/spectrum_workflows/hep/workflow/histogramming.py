"""A run: events selected and filled into histograms, merged, normalised and fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from spectrum_workflows.domain import Metrics, OnError, Plan, Report
from spectrum_workflows.engine import each, merged, one_thread
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep import columns, completeness, histogram
from spectrum_workflows.hep.select.workload import Workload, job
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import Filled, HepResult, LikelihoodFit
from spectrum_workflows.hep.workflow.event_tasks import process
from spectrum_workflows.hep.workflow.repeatability import watched

if TYPE_CHECKING:
    from distributed import Client


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
