"""Failures of partitions, and what part of them is at fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spectrum_workflows.domain import Failure, Metrics
from spectrum_workflows.engine.lookout import LATE
from spectrum_workflows.engine.narrowing import SOON, narrowed
from spectrum_workflows.engine.parts import Parts
from spectrum_workflows.errors import SpecError, SpectrumError

MOST = 3
"""Failures of a pass that are narrowed down: of more, the cause is not in a few entries."""


def explain(error: SpectrumError, parts: Parts[Any]) -> None:
    """Let an error that ends a run say what part of its partition fails by itself.

    Not of stores, which fail for reasons of their own, nor of code that cannot be used.
    """
    item = next((item for item in parts.items if item.where == error.partition), None)
    if item is None or isinstance(error, OSError | SpecError) or LATE in error.what:
        return
    words = narrowed(parts.fn, item, parts.shared, client=parts.client, within=SOON)
    if words:
        error.what = f"{error.what} ({words})"


def narrowed_failures(metrics: Metrics, parts: Parts[Any]) -> Metrics:
    """The same, with what part of the first few partitions that failed is at fault."""
    if not metrics.failures:
        return metrics
    items = {item.where: item for item in parts.items}
    failures = list(metrics.failures)
    ours = [n for n, one in enumerate(failures) if one.where in items and LATE not in one.error]
    for n in ours[:MOST]:
        failures[n] = _narrowed(failures[n], items[failures[n].where], parts)
    return replace(metrics, failures=tuple(failures)) if ours else metrics


def _narrowed(one: Failure, item: Any, parts: Parts[Any]) -> Failure:
    words = narrowed(parts.fn, item, parts.shared, client=parts.client)
    return replace(one, error=f"{one.error} ({words})") if words else one
