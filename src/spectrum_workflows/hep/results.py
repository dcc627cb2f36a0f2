"""The result of a run: its arrays, its numbers, its files and its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from spectrum_workflows.domain import Panel
from spectrum_workflows.hep import cut_flow, filter_flow
from spectrum_workflows.hep.histogram import arrays, deviation
from spectrum_workflows.hep.types import FitResult, HepResult, PartialHistograms
from spectrum_workflows.hep.types.statistics import BANDS

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec

__all__ = [
    "arrays",
    "dataset",
    "deviation",
    "explore",
    "files",
    "load",
    "pictures",
    "plot",
    "plot_progress",
    "read",
    "show",
    "shown",
    "summary",
    "table",
    "warnings",
]

MOST_IMPACTS = 12
"""Of a summary; all are in the saved statistics and in the picture."""


def summary(result: HepResult) -> dict[str, Any]:
    """Events selected per region and sample, what is missing, and the fits the spec asks for."""
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
    out |= filter_flow.summary(result) | cut_flow.summary(result)
    if result.columns is not None:
        out["columns_out"] = dict(vars(result.columns))
    if result.spec.bootstrap is not None:
        out["bootstrap"] = {"replicas": result.spec.bootstrap.replicas}
    if result.skimmed:
        out["events_of_skims"] = result.skimmed
    if result.luminosities:
        out["luminosity"] = {s: dict(vars(of)) for s, of in result.luminosities.items()}
    if result.synthetic:
        out["generated_events"] = ", ".join(result.synthetic)
    if result.missing:
        out["incomplete"] = list(result.missing)
    peaks = {name: _in_numbers(peak) for name, peak in fit_peaks(result).items()}
    if result.eras:
        out["eras"] = {era: summary(of_era) for era, of_era in result.eras.items()}
    return out | ({"fit": peaks} if peaks else {}) | _likelihood_in_numbers(result)


def warnings(result: HepResult) -> tuple[str, ...]:
    """Warnings that a result gives about itself; see `review.warnings`."""
    from spectrum_workflows.hep import review

    return review.warnings(result)


def files(result: HepResult) -> Iterator[tuple[str, bytes]]:
    """Everything to be saved: JSON, ROOT and pictures; see `write.files`."""
    from spectrum_workflows.hep.io import write

    return write.files(result)


def pictures(result: HepResult) -> Iterator[tuple[str, Any]]:
    """A figure per histogram, and those of the likelihood fit."""
    from spectrum_workflows.hep import plot

    return plot.pictures(result)


def read(folder: str) -> dict[str, Any]:
    """The arrays back from a folder that `files` was saved to."""
    from spectrum_workflows.hep.io import write

    return write.read(folder)


def load(folder: str, spec: HepSpec, summary: Mapping[str, Any]) -> HepResult:
    """The result back from such a folder; see `reading_back.load`."""
    from spectrum_workflows.hep.io import reading_back

    return reading_back.load(folder, spec, summary)


def dataset(result: HepResult) -> Any:
    """The histograms as an xarray tree; see `dataset.dataset_of`."""
    from spectrum_workflows.hep.io.dataset import dataset_of

    return dataset_of(result)


def table(result: HepResult) -> list[dict[str, Any]]:
    """The yields as records; see `dataset.table_of`."""
    from spectrum_workflows.hep.io.dataset import table_of

    return table_of(result)


def plot(result: HepResult) -> Any:
    """Histograms side by side; with a likelihood fit, its regions before and after."""
    from spectrum_workflows.hep import plot

    return plot.figure(result)


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
    parameters = {
        name: (float(value), float(error))
        for name, value, error in zip(fit.names, fit.values, fit.errors, strict=True)
    }
    value, error = parameters[fit.poi]
    interest = {fit.poi: value, f"{fit.poi}_error": error, "chi2": fit.chi2, "ndf": fit.ndf}
    pulls = {n: {"pull": parameters[n][0], "pull_error": parameters[n][1]} for n in fit.nuisances}
    return {"likelihood": interest, "pulls": pulls} | _evaluation_in_numbers(result)


def _evaluation_in_numbers(result: HepResult) -> dict[str, Any]:
    """The limit with its bands, and the largest impacts."""
    evaluation = result.evaluation
    out: dict[str, dict[str, Any]] = {}
    if (limit := evaluation.limit) is not None:
        bands = zip(BANDS, limit.expected, strict=True)
        out["limit"] = {"parameter": limit.poi, "level": limit.level, "observed": limit.observed}
        out["limit"] |= {
            f"expected_{sigma:+d}" if sigma else "expected": float(v) for sigma, v in bands
        }
    if (test := evaluation.significance) is not None:
        out["significance"] = {"observed": test.z, "expected": test.expected_z}
    if (found := evaluation.impacts) is not None:
        rows = zip(found.names, found.up, found.down, strict=True)
        out["impacts"] = {
            name: {"up": float(up), "down": float(down)}
            for name, up, down in islice(rows, MOST_IMPACTS)
        }
    return out


def plot_progress(snapshots: Sequence[PartialHistograms]) -> Any:
    """The histograms that are filled so far."""
    from spectrum_workflows.hep.plot import progress

    return progress.figure(snapshots[-1])


def shown(result: HepResult) -> tuple[str, ...]:
    """The names of what can be shown: histograms, the pictures of fit and replicas."""
    from spectrum_workflows.hep.plot import showing

    return showing.shown(result)


def show(
    panels: Sequence[Panel[HepResult]], *, region: tuple[float, ...] | None, common: bool
) -> Any:
    """Histograms side by side, or one other picture."""
    from spectrum_workflows.hep.plot import showing

    return showing.show(panels, region=region, common=common)


def explore(result: HepResult, name: str) -> Any:
    """A Bokeh figure of a histogram."""
    from spectrum_workflows.hep.plot import exploring

    return exploring.explore(result, name)
