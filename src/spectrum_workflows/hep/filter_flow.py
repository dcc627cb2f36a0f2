"""Events that are left before the selection, row by row: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.hep.exact.sums import rounded
from spectrum_workflows.hep.types import FilterFlow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.types import HepResult
    from spectrum_workflows.hep.types.sums import Sums

SUFFIX = "/event_filters"


def filter_flows(
    left: Mapping[tuple[str, str], Sums],
    spec: HepSpec,
    weights: Mapping[str, float],
) -> dict[str, FilterFlow]:
    """What is left of every sample, where the spec counts it.

    Parameters
    ----------
    left : mapping of (sample, row) to ndarray or ExactSums, shape (3,)
        As of `Filled`; what is not there is 0.
    spec : HepSpec
    weights : mapping of sample to float
        Its normalisation.
    """
    out = {}
    for sample in spec.samples:
        if rows := spec.filter_rows(sample):
            counts = np.array([rounded(left.get((sample, row), np.zeros(3))) for row in rows])
            out[sample] = FilterFlow(
                rows,
                counts[:, 0].astype(np.int64),
                counts[:, 1] * weights[sample],
                np.sqrt(counts[:, 2]) * abs(weights[sample]),
            )
    return out


def arrays(flows: Mapping[str, FilterFlow]) -> dict[str, NDArray[np.float64]]:
    """``sample/event_filters``, shape (3, n_rows): entries, yields and errors."""
    return {
        f"{sample}{SUFFIX}": np.array([flow.entries.astype(np.float64), flow.yields, flow.errors])
        for sample, flow in flows.items()
    }


def from_arrays(arrays: Mapping[str, NDArray[np.float64]], spec: HepSpec) -> dict[str, FilterFlow]:
    """The flows back from their arrays."""
    out = {}
    for sample in spec.samples:
        if rows := spec.filter_rows(sample):
            entries, yields, errors = arrays[f"{sample}{SUFFIX}"]
            out[sample] = FilterFlow(rows, entries.astype(np.int64), yields, errors)
    return out


def summary(result: HepResult) -> dict[str, Any]:
    """For a person: per row, yields of all samples that have it, with errors."""
    flows = result.filter_flows
    out: dict[str, dict[str, float]] = {row: {} for row in in_order(f.rows for f in flows.values())}
    for sample, flow in flows.items():
        for row, number, error in zip(flow.rows, flow.yields, flow.errors, strict=True):
            out[row] |= {sample: float(number), f"{sample}_error": float(error)}
    return {"event_filters": out} if out else {}


def in_order(flows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of all samples, in the order in which each has its own."""
    out: list[str] = []
    for rows in flows:
        at = 0
        for row in rows:
            if row in out:
                at = out.index(row) + 1
            else:
                out.insert(at, row)
                at += 1
    return out


def table(result: HepResult) -> list[dict[str, Any]]:
    """The flows as records: one for each sample and row, without a region."""
    return [
        {
            "sample": sample,
            "region": "",
            "variation": "",
            "cut": row,
            "entries": int(flow.entries[k]),
            "yield": float(flow.yields[k]),
            "error": float(flow.errors[k]),
            "n_minus_1": float("nan"),
        }
        for sample, flow in result.filter_flows.items()
        for k, row in enumerate(flow.rows)
    ]
