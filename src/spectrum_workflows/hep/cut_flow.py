"""Cut flows of a run, from the fates of its events: pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.hep.exact.sums import rounded
from spectrum_workflows.hep.types import CutFlow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.types import HepResult
    from spectrum_workflows.hep.types.sums import Sums

    Key = tuple[str, str, str]
    """Sample, region, and variation; nominal without."""

ALL = "all"
"""Row of the events that ``select`` was given."""

SUFFIX = "/cut_flow"


def cut_flows(
    fates: Mapping[Key, Sums], spec: HepSpec, weights: Mapping[str, float]
) -> dict[Key, CutFlow]:
    """The cut flow of every sample, region and variation.

    Parameters
    ----------
    fates : mapping of (sample, region, variation) to ndarray or ExactSums
        Of shape (n_cuts + 1, 2, 3), as of `combining.counts_of_fates`, summed; what is not there is
        0.
    spec : HepSpec
    weights : mapping of sample to float
        Its normalisation.
    """
    out = {}
    for sample, region, variation in _keys(spec):
        cuts = spec.combined_regions[region]
        counts = rounded(fates.get((sample, region, variation), np.zeros((len(cuts) + 1, 2, 3))))
        out[sample, region, variation] = _cut_flow(cuts, counts, weights[sample])
    return out


def _keys(spec: HepSpec) -> Iterator[Key]:
    for sample in spec.samples:
        filled = spec.filled_of(sample)
        own = [v for v in spec.variations_of(sample) if v in filled]
        for region in spec.combined_regions:
            for variation in ("", *own):
                yield sample, region, variation


def _cut_flow(cuts: tuple[str, ...], counts: NDArray[np.float64], weight: float) -> CutFlow:
    scale = np.array([1.0, weight, weight**2])
    left = np.cumsum(counts.sum(axis=1)[::-1], axis=0)[::-1] * scale
    alone = (counts[:-1, 1] + counts[-1].sum(axis=0)) * scale
    return CutFlow(
        cuts,
        left[:, 0].astype(np.int64),
        left[:, 1].copy(),
        np.sqrt(left[:, 2]),
        alone[:, 1].copy(),
        np.sqrt(alone[:, 2]),
    )


def arrays(flows: Mapping[Key, CutFlow]) -> dict[str, NDArray[np.float64]]:
    """All cut flows by name: ``sample/region/cut_flow``, and ``sample/region/variation/cut_flow``.

    Their shape is (5, n_cuts + 1): entries, yields, errors, yields and errors of N-1; the last
    two without their first number, of all events, which is 0.
    """
    out = {}
    for (sample, region, variation), flow in flows.items():
        alone = (np.concatenate([[0.0], a]) for a in (flow.n_minus_1, flow.n_minus_1_errors))
        rows = [flow.entries.astype(np.float64), flow.yields, flow.errors, *alone]
        name = "/".join(filter(None, (sample, region, variation)))
        out[f"{name}{SUFFIX}"] = np.array(rows)
    return out


def from_arrays(arrays: Mapping[str, NDArray[np.float64]], spec: HepSpec) -> dict[Key, CutFlow]:
    """Cut flows back from their arrays."""
    out = {}
    for key in _keys(spec):
        rows = arrays["/".join(filter(None, key)) + SUFFIX]
        cuts = spec.combined_regions[key[1]]
        out[key] = CutFlow(cuts, rows[0].astype(np.int64), *rows[1:3], *rows[3:, 1:])
    return out


def summary(result: HepResult) -> dict[str, Any]:
    """Nominal cut flows for a person: per region and cut, yields of all samples with errors."""
    flow: dict[str, dict[str, dict[str, float]]] = {}
    alone: dict[str, dict[str, dict[str, float]]] = {}
    for (sample, region, variation), of in result.cut_flows.items():
        if variation:
            continue
        for k, row in enumerate((ALL, *of.cuts)):
            cell = flow.setdefault(region, {}).setdefault(row, {})
            cell |= {sample: float(of.yields[k]), f"{sample}_error": float(of.errors[k])}
        for k, row in enumerate(of.cuts):
            cell = alone.setdefault(region, {}).setdefault(row, {})
            cell[sample] = float(of.n_minus_1[k])
            cell[f"{sample}_error"] = float(of.n_minus_1_errors[k])
    return {"cut_flow": flow, "n_minus_1": alone} if flow else {}


def table(result: HepResult) -> list[dict[str, Any]]:
    """Cut flows as records: one for each sample, region, variation and cut."""
    rows = []
    for (sample, region, variation), flow in result.cut_flows.items():
        for k, cut in enumerate((ALL, *flow.cuts)):
            rows.append(
                {
                    "sample": sample,
                    "region": region,
                    "variation": variation,
                    "cut": cut,
                    "entries": int(flow.entries[k]),
                    "yield": float(flow.yields[k]),
                    "error": float(flow.errors[k]),
                    "n_minus_1": float(flow.n_minus_1[k - 1]) if k else float("nan"),
                }
            )
    return rows
