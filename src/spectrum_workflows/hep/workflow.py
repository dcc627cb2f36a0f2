"""The HEP workflow: plan, run and hand out results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from spectrum_workflows.domain import OnError, Plan, Report, Tally
from spectrum_workflows.engine import each, merged
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.histogram import arrays, deviation
from spectrum_workflows.hep.job import Job, job
from spectrum_workflows.hep.planning import inputs, plan
from spectrum_workflows.hep.preparing import prepared
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import Events, Filled, FitResult, HepResult

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
]


def run(
    spec: HepSpec, plan: Plan, *, client: Client | None, on_error: OnError, report: Report
) -> tuple[HepResult | None, Tally]:
    """Select and histogram every partition, merge, and normalise.

    Returns
    -------
    result
        ``None`` if every partition failed.
    tally : Tally
        Cost and failures.
    """
    parts = each(
        process,
        plan.partitions,
        job(spec),
        client=client,
        label=f"hep-{spec.name}",
        on_error=on_error,
    )
    total = len(plan.partitions)
    report("select", 0, total)
    sums = merged(parts, histogram.merge, done=lambda n: report("select", n, total))
    value, tally = sums
    return (None if value is None else histogram.normalised(value, spec)), tally


def process(events: Events, task: Job) -> Filled:
    """Read one partition, select, fill: what runs on workers.

    Raises
    ------
    SpecError
        ``select`` weights events of a sample that is data.
    """
    arrays, selection = prepared(events, task)
    found = selection(arrays)
    if events.sample in task.data:
        for region, observable in found.items():
            if getattr(observable, "weights", None) is not None:
                raise SpecError(
                    f"select weights region {region!r} of {events.sample!r}, which is data",
                    "select",
                    "return weights for simulation only",
                )
    return histogram.filled(events.sample, found, task.histograms, events=events.size)


def summary(result: HepResult) -> dict[str, Any]:
    """Events selected per region, and the fits the spec asks for."""
    from spectrum_workflows.hep.fit import fits

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
    fitted = {name: _in_numbers(found) for name, found in fits(result).items()}
    return out | {"fit": fitted} if fitted else out


def files(result: HepResult) -> Iterator[tuple[str, bytes]]:
    """Everything to be saved: JSON, ROOT and pictures; see `write.files`."""
    from spectrum_workflows.hep import write

    return write.files(result)


def pictures(result: HepResult) -> Iterator[tuple[str, Any]]:
    """A figure per histogram."""
    from spectrum_workflows.hep.plot import panel

    for name in result.spec.histograms:
        yield f"{name}.png", panel(result, name)


def read(folder: str) -> dict[str, Any]:
    """The arrays back from a folder that `files` was saved to."""
    from spectrum_workflows.hep import write

    return write.read(folder)


def plot(result: HepResult) -> Any:
    """A figure with one panel per histogram."""
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
