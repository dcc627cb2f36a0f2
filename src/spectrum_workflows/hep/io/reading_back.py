"""The result of a run back from the files that were saved of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import cut_flow, filter_flow, histogram, profiles
from spectrum_workflows.hep.bootstrap import replicas as bootstrap
from spectrum_workflows.hep.io.write import (
    FIT_NAME,
    JSON_NAME,
    STATISTICS_NAME,
    WORKSPACE_NAME,
    read,
)
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import (
    ColumnsWritten,
    Evaluation,
    HepResult,
    Impacts,
    LikelihoodFit,
    Limit,
    ProcessedLuminosity,
    Significance,
    Templates,
)

ENTRIES = "/entries"


def load(folder: str, spec: HepSpec, summary: Mapping[str, Any]) -> HepResult:
    """The result, with the same bits.

    Parameters
    ----------
    folder : str
        URL of the run's folder.
    spec : HepSpec
        What was asked.
    summary : mapping
        The result's own numbers in the record.

    Raises
    ------
    DataNotFoundError
        A file is not there.
    DataError
        A file is not one of ours, or not of this spec.
    """
    arrays, table = read(folder), _json(folder, JSON_NAME)
    try:
        result = _result(_of_era(arrays, "", spec), table, spec, summary)
        eras = {
            era: _result(_of_era(arrays, era, spec), table["eras"][era], own, summary["eras"][era])
            for era, own in spec.era_specs.items()
        }
        likelihood = _likelihood(folder, spec, summary)
        evaluation = _evaluation(folder, spec, summary)
        return replace(result, eras=eras, likelihood=likelihood, evaluation=evaluation)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"not a saved result of this spec ({type(error).__name__}: {error})"
        raise DataError(message, storage.join(folder, JSON_NAME), "run it again") from error


def _of_era(
    arrays: Mapping[str, NDArray[np.float64]], era: str, spec: HepSpec
) -> dict[str, NDArray[np.float64]]:
    """Arrays of an era, by their names in it; without its name those of the sum."""
    if era:
        prefix = f"{era}/"
        return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
    return {n: a for n, a in arrays.items() if n.partition("/")[0] not in spec.eras}


def _result(
    arrays: Mapping[str, NDArray[np.float64]],
    table: Mapping[str, Any],
    spec: HepSpec,
    summary: Mapping[str, Any],
) -> HepResult:
    """The result of one era, or of all, without a fit."""
    return HepResult(
        spec=spec,
        histograms=_histograms(arrays, spec),
        selected=_selected(arrays, spec),
        events={name: int(arrays[f"{name}/events"][0]) for name in spec.samples},
        weights={name: float(table["samples"][name]["weight"]) for name in spec.samples},
        missing=tuple(summary.get("incomplete", ())),
        synthetic=_names(summary.get("generated_events", "")),
        columns=_columns(summary.get("columns_out")),
        cut_flows=cut_flow.from_arrays(arrays, spec),
        filter_flows=filter_flow.from_arrays(arrays, spec),
        luminosities=_luminosities(summary.get("luminosity", {})),
        replicas=bootstrap.from_arrays(arrays, spec),
    )


def _histograms(
    arrays: Mapping[str, NDArray[np.float64]], spec: HepSpec
) -> dict[tuple[str, str], Any]:
    histograms = {}
    for sample in spec.samples:
        for title, axis in spec.templates_of(sample):
            h = histogram.empty(title, spec.histograms[axis])
            if profiles.are_sums(h):
                saved = {key: arrays[f"{sample}/{title}/{key}"] for key in profiles.ARRAYS}
                histograms[sample, title] = profiles.of_arrays(h, saved)
                continue
            view = h.view(flow=True)
            view["value"] = arrays[f"{sample}/{title}/values"].reshape(view.shape)
            view["variance"] = arrays[f"{sample}/{title}/variances"].reshape(view.shape)
            histograms[sample, title] = h
    return histograms


def _selected(
    arrays: Mapping[str, NDArray[np.float64]], spec: HepSpec
) -> dict[tuple[str, str], int]:
    """Events selected; of two samples that begin alike the longer name is meant."""
    selected = {}
    for name, array in arrays.items():
        if name.endswith(ENTRIES):
            sample = max((s for s in spec.samples if name.startswith(f"{s}/")), key=len)
            selected[sample, name[len(sample) + 1 : -len(ENTRIES)]] = int(array[0])
    return selected


def _columns(saved: Mapping[str, Any] | None) -> ColumnsWritten | None:
    return None if saved is None else ColumnsWritten(**saved)


def _luminosities(saved: Mapping[str, Any]) -> dict[str, ProcessedLuminosity]:
    return {sample: ProcessedLuminosity(**of) for sample, of in saved.items()}


def _names(joined: str) -> tuple[str, ...]:
    return tuple(joined.split(", ")) if joined else ()


def _likelihood(folder: str, spec: HepSpec, summary: Mapping[str, Any]) -> LikelihoodFit | str:
    if spec.fit is None:
        return ""
    if "no_fit" in summary["likelihood"]:
        return str(summary["likelihood"]["no_fit"])
    fit, regions = _json(folder, FIT_NAME), _json(folder, FIT_NAME)["regions"]
    return LikelihoodFit(
        workspace=_json(folder, WORKSPACE_NAME),
        poi=fit["parameter_of_interest"],
        names=tuple(fit["parameters"]),
        values=np.array([p["value"] for p in fit["parameters"].values()], np.float64),
        errors=np.array([p["error"] for p in fit["parameters"].values()], np.float64),
        correlations=np.array(fit["correlations"], np.float64),
        twice_nll=fit["twice_nll"],
        chi2=fit["chi2"],
        ndf=fit["ndf"],
        prefit=_templates(regions, "prefit"),
        postfit=_templates(regions, "postfit"),
        data={region: np.array(of["data"], np.float64) for region, of in regions.items()},
    )


def _evaluation(folder: str, spec: HepSpec, summary: Mapping[str, Any]) -> Evaluation:
    if spec.fit is None or not spec.fit.evaluate or "no_fit" in summary["likelihood"]:
        return Evaluation()
    table = _json(folder, STATISTICS_NAME)
    kinds = {"limit": Limit, "significance": Significance, "impacts": Impacts}
    parts: dict[str, Any] = {
        name: kind(**_arrays(table[name])) for name, kind in kinds.items() if name in table
    }
    return Evaluation(**parts, reasons=tuple(table["reasons"]))


def _arrays(table: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of numbers as arrays, of names as tuples."""
    return {
        name: (tuple(value) if name == "names" else np.array(value, np.float64))
        if isinstance(value, list)
        else value
        for name, value in table.items()
    }


def _templates(regions: Mapping[str, Any], stage: str) -> Templates:
    return Templates(
        edges={region: np.array(of["edges"], np.float64) for region, of in regions.items()},
        yields={
            region: {name: np.array(y, np.float64) for name, y in of[stage]["yields"].items()}
            for region, of in regions.items()
        },
        errors={
            region: np.array(of[stage]["total_error"], np.float64) for region, of in regions.items()
        },
    )


def _json(folder: str, name: str) -> Any:
    url = storage.join(folder, name)
    try:
        return json.loads(storage.read_bytes(url))
    except ValueError as error:
        raise DataError(f"not a saved result ({error})", url, "run it again") from None
