"""How a run went, as drawings: its partitions in time, and what it got through."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.display import counted
from spectrum_workflows.domain import Span
from spectrum_workflows.record.report import Chart

BINS = 60
"""Intervals of time of the throughput."""
MOST_NAMES = 24
"""Workers whose names stand beside their bars; of more, only their number does."""
MOST_STAGES = 8
"""Stages that have a colour of their own; of more, the last ones share one."""
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7a00", "#5b5b5b")
"""Okabe and Ito's, which tell apart for everybody, with a darker yellow."""
FAILED = "#a00000"


@dataclass(frozen=True)
class Form:
    """Width of a chart in inches, and the size of its letters in points."""

    width: float
    letters: float


WIDE, NARROW = Form(9.0, 9.0), Form(3.8, 8.0)


def drawn(spans: Sequence[Span]) -> list[Chart]:
    """The charts of a run; none where no partition was computed in it.

    Parameters
    ----------
    spans : sequence of Span
        Their times are since the run began.
    """
    spans = [span for span in spans if np.isfinite([span.begun, span.ended]).all()]
    if not spans:
        return []
    workers, computed = _workers(spans), sum(span.partitions for span in spans)
    joined = " Neighbours are drawn as one." if computed > len(spans) else ""
    failed = sum(span.failed for span in spans)
    failures = f" Red: {failed:,} that failed." if failed else ""
    lasted = max(span.ended for span in spans) - min(span.begun for span in spans)
    timeline = (
        f"{counted(computed, 'partition')} on {counted(len(workers), 'worker')}, within "
        f"{lasted:.3g} s, each by the clock of its worker.{joined}{failures}"
    )
    return [
        Chart("Partitions in time", timeline, *_in_both(lambda form: _timeline(spans, form))),
        Chart("Throughput", _peak(spans), *_in_both(lambda form: _throughput(spans, form))),
    ]


def rates(spans: Sequence[Span], bins: int = BINS) -> tuple[NDArray[np.float64], ...]:
    """Entries and bytes per second in intervals of time, as if spans went on evenly.

    Returns
    -------
    edges : ndarray, shape (bins + 1,)
        Seconds since the run began.
    entries, read : ndarray, shape (bins,)
        Entries and bytes per second.
    """
    first, last = min(span.begun for span in spans), max(span.ended for span in spans)
    edges = np.linspace(first, max(last, first + 1e-3), bins + 1)
    amounts = np.zeros((2, bins))
    for span in spans:
        lasts = max(span.ended - span.begun, 1e-6)
        overlap = np.minimum(edges[1:], span.begun + lasts) - np.maximum(edges[:-1], span.begun)
        share = np.clip(overlap, 0.0, None) / lasts
        amounts += np.outer((span.entries, span.bytes_read), share)
    entries, read = amounts / np.diff(edges)
    return edges, entries, read


def _peak(spans: Sequence[Span]) -> str:
    _, entries, read = rates(spans)
    return (
        f"Entries computed and bytes read per second: at most {entries.max():,.0f}/s and "
        f"{read.max() / 1e6:,.3g} MB/s."
    )


def _workers(spans: Sequence[Span]) -> dict[str, str]:
    """A short name of every worker, in the order of hosts and of their first partitions."""
    hosts: dict[str, list[str]] = {}
    for span in sorted(spans, key=lambda span: span.begun):
        names = hosts.setdefault(span.worker.partition(" ")[0], [])
        if span.worker not in names:
            names.append(span.worker)
    return {
        name: f"{host} {n}" if " " in name else name
        for host, names in sorted(hosts.items())
        for n, name in enumerate(names, start=1)
    }


def _in_both(draw: Callable[[Form], bytes]) -> tuple[bytes, bytes]:
    return draw(WIDE), draw(NARROW)


def _timeline(spans: Sequence[Span], form: Form) -> bytes:
    """A bar for every span, workers below one another."""
    workers = _workers(spans)
    rows = {name: n for n, name in enumerate(workers)}
    stages = [*dict.fromkeys(map(_kind, sorted(spans, key=lambda span: span.begun)))]
    colours = {stage: COLOURS[min(n, MOST_STAGES - 1)] for n, stage in enumerate(stages)}
    last = max([1e-3, *(span.ended for span in spans)])
    rows_of_legend = -(-min(len(stages), MOST_STAGES) // (4 if form is WIDE else 2))
    height = 0.9 + 0.2 * rows_of_legend + min(5.0, max(0.6, 0.22 * len(workers)))

    from matplotlib.figure import Figure

    figure = Figure(figsize=(form.width, height), layout="constrained")
    axes = figure.add_subplot()
    for stage in stages:
        for failed in (False, True):
            mine = [s for s in spans if _kind(s) == stage and bool(s.failed) is failed]
            _bars(axes, mine, rows, FAILED if failed else colours[stage], last)
    names = stages
    if len(stages) > MOST_STAGES:
        names = [*stages[: MOST_STAGES - 1], "others"]
    lines = [
        axes.plot([], [], lw=5, color=colour, label=name)[0]
        for name, colour in zip(names, COLOURS, strict=False)
    ]
    figure.legend(
        handles=lines,
        loc="outside upper left",
        ncols=4 if form is WIDE else 2,
        frameon=False,
        fontsize=form.letters,
    )
    axes.set(xlim=(0.0, last * 1.01), ylim=(len(workers) - 0.4, -0.6))
    axes.set_xlabel("seconds since the start", fontsize=form.letters)
    if len(workers) <= MOST_NAMES:
        axes.set_yticks(range(len(workers)), [_shortened(name) for name in workers.values()])
    else:
        axes.set_ylabel(f"{len(workers):,} workers", fontsize=form.letters)
        axes.set_yticks([])
    axes.tick_params(labelsize=form.letters)
    return _svg(figure)


def _kind(span: Span) -> str:
    """Its stage, of which all repetitions are one."""
    return span.stage.rstrip(" 0123456789") or "partitions"


def _shortened(name: str, longest: int = 14) -> str:
    """A worker's name that leaves room for its bars, and keeps its number."""
    host, _, number = name.rpartition(" ")
    if len(name) <= longest or not host:
        return name if len(name) <= longest + 4 else f"{name[: longest + 3]}…"
    return f"{host[: longest - len(number) - 2]}… {number}"


def _bars(  # type: ignore[no-untyped-def]
    axes, spans: Sequence[Span], rows: dict[str, int], colour: str, last: float
) -> None:
    """Spans of one colour as one path, none too short to be seen."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not spans:
        return
    corners, least = [], last / 600
    for span in spans:
        left, right, row = span.begun, max(span.ended, span.begun + least), rows[span.worker]
        top, bottom = row - 0.4, row + 0.4
        corners += [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(spans)
    bars = PathPatch(Path(corners, codes), facecolor=colour, edgecolor="white", linewidth=0.3)
    bars.set_gid(f"bars-{colour[1:]}")
    axes.add_patch(bars)


def _throughput(spans: Sequence[Span], form: Form) -> bytes:
    """Entries and megabytes per second, one below the other."""
    from matplotlib.figure import Figure

    edges, entries, read = rates(spans)
    figure = Figure(figsize=(form.width, 3.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.stairs(entries, edges, fill=True, color=COLOURS[0])
    lower.stairs(read / 1e6, edges, fill=True, color=COLOURS[2])
    upper.set_ylabel("entries/s", fontsize=form.letters)
    lower.set_ylabel("MB/s", fontsize=form.letters)
    lower.set_xlabel("seconds since the start", fontsize=form.letters)
    for axes in (upper, lower):
        axes.set(xlim=(0.0, edges[-1]), ylim=(0.0, None))
        axes.tick_params(labelsize=form.letters)
        axes.yaxis.get_offset_text().set_fontsize(form.letters)
    return _svg(figure)


def _svg(figure) -> bytes:  # type: ignore[no-untyped-def]
    """A figure as SVG, letters as outlines: it asks for no font."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "spectrum"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
