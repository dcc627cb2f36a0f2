"""The timeline of a run as a record holds it: columns, with times since the run began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from spectrum_workflows.domain import Span

COLUMNS = tuple(field.name for field in fields(Span))


def written(spans: Sequence[Span], started: str) -> dict[str, list[Any]]:
    """Spans as columns in the order of time, in seconds since the start of the run."""
    first = datetime.fromisoformat(started).timestamp()
    ordered = sorted(spans, key=lambda span: (span.begun, span.worker))
    columns: dict[str, list[Any]] = {
        name: [getattr(span, name) for span in ordered] for name in COLUMNS
    }
    for name in ("begun", "ended"):
        columns[name] = [round(time - first, 3) for time in columns[name]]
    columns["busy"] = [round(seconds, 3) for seconds in columns["busy"]]
    return columns


def spans_of(record: Mapping[str, Any], first: float = 0.0) -> tuple[Span, ...]:
    """The spans of a record; none where it is of a version that had no timeline.

    Parameters
    ----------
    record : mapping
    first : float
        When the run began, if their times are not to be relative to it.

    Raises
    ------
    TypeError, ValueError
        What is there is no timeline.
    """
    columns = record.get("timeline") or {}
    rows = zip(*(columns.get(name, ()) for name in COLUMNS), strict=True)
    spans = (Span(**dict(zip(COLUMNS, row, strict=True))) for row in rows)
    return tuple(_moved(span, first) for span in spans)


def _moved(span: Span, first: float) -> Span:
    numbers = {name: float(getattr(span, name)) for name in ("begun", "ended", "busy")}
    words = {name: str(getattr(span, name)) for name in ("worker", "stage")}
    counts = {name: int(getattr(span, name)) for name in COLUMNS if name not in numbers | words}
    numbers["begun"] += first
    numbers["ended"] += first
    return Span(**numbers, **words, **counts)  # type: ignore[arg-type]
