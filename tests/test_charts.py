"""How a run went, drawn from plain spans."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from spectrum_workflows.charts import drawn, rates
from spectrum_workflows.domain import Metrics, Span
from spectrum_workflows.domain.timeline import MOST, SEVERAL, bounded
from spectrum_workflows.record.report import Chart, report
from spectrum_workflows.record.timeline import COLUMNS, spans_of, written

STARTED = "2026-11-27T17:00:00+00:00"
FIRST = 1795798800.0


def span(begun: float, lasts: float = 1.0, worker: str = "node1 7.7", **words) -> Span:
    words = {"entries": 100, "bytes_read": 1000, "stage": "select"} | words
    return Span(worker, begun, begun + lasts, lasts, **words)


def test_few_spans_stay_as_they_are() -> None:
    spans = [span(2.0), span(0.0)]
    assert bounded(spans) == tuple(spans)


@pytest.mark.parametrize("workers", [1, 7, 5000])
def test_of_many_partitions_a_bounded_number_is_kept(workers: int) -> None:
    names = [f"n{n % 40} {n}.1" for n in range(workers)]
    parts = [
        Metrics(timeline=(span(float(n // workers), worker=names[n % workers]),))
        for n in range(12_000)
    ]
    nodes = [sum(parts[k : k + 512], Metrics()) for k in range(0, 12_000, 512)]
    whole = sum(nodes, Metrics())
    assert len(whole.timeline) <= MOST
    assert sum(s.partitions for s in whole.timeline) == 12_000
    assert sum(s.entries for s in whole.timeline) == 1_200_000
    assert math.isclose(sum(s.busy for s in whole.timeline), 12_000.0)
    assert min(s.begun for s in whole.timeline) == 0.0
    assert any(s.worker == SEVERAL for s in whole.timeline) is (workers > MOST)


def test_stages_are_never_joined() -> None:
    spans = [span(0.0, stage=f"cycle {n}") for n in range(50)]
    assert {s.stage for s in bounded(spans, 10)} == {s.stage for s in spans}


def test_a_timeline_is_no_difference() -> None:
    assert Metrics(1.0, timeline=(span(0.0),)) == Metrics(1.0)


def test_rates_hold_all_entries_and_bytes() -> None:
    spans = [span(0.5, 3.0), span(1.0, 0.0), span(7.0, 0.25, "node2 8.8", entries=7)]
    edges, entries, read = rates(spans, 13)
    assert edges[[0, -1]].tolist() == [0.5, 7.25]
    assert np.isclose((entries * np.diff(edges)).sum(), 207)
    assert np.isclose((read * np.diff(edges)).sum(), 3000)


def test_a_rate_is_that_of_the_interval() -> None:
    _, entries, _ = rates([span(0.0, 1.0, entries=10), span(1.0, 1.0, entries=30)], 2)
    assert np.allclose(entries, [10.0, 30.0])


def test_a_record_holds_the_timeline() -> None:
    spans = [span(FIRST + 2.0), span(FIRST + 1.0, worker="node2 8.8", failed=1)]
    columns = written(spans, STARTED)
    assert columns["begun"] == [1.0, 2.0]
    assert spans_of({"timeline": columns}, FIRST) == (spans[1], spans[0])
    assert spans_of({}) == ()


@pytest.mark.parametrize(
    "columns",
    [
        {name: [1] for name in COLUMNS[1:]},
        {name: ["x"] for name in COLUMNS},
        {name: [[]] for name in COLUMNS},
        {"worker": ["a"]},
        [1],
    ],
)
def test_what_is_no_timeline_is_an_error(columns) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        spans_of({"timeline": columns})


def shapes(svg: bytes) -> int:
    """Drawn bars, which are closed paths in the order of the data."""
    groups = re.findall(rb'<g id="bars-\w+">\s*<path d="([^"]+)"', svg)
    return sum(path.count(b"z") for path in groups)


@pytest.mark.parametrize(
    "spans",
    [
        [span(0.0)],
        [span(0.0, 0.0)],
        [span(-3.0, 1.0)],
        [span(float(n), worker=f"a-very-long-name-of-a-node-{n % 60} {n}.1") for n in range(100)],
        [span(float(n), stage=f"kind {'abcdefghijkl'[n]}x", failed=n % 2) for n in range(12)],
        [span(0.0, stage="", worker="odd")],
    ],
    ids=["one", "of no time", "a skewed clock", "many workers", "many stages", "odd names"],
)
def test_both_forms_can_be_drawn(spans: list[Span]) -> None:
    timeline, throughput = drawn(spans)
    for chart in (timeline, throughput):
        for svg in (chart.wide, chart.narrow):
            root = ET.fromstring(svg)
            assert root.tag.endswith("svg")
            assert b"<text" not in svg
    assert shapes(timeline.wide) == shapes(timeline.narrow) == len(spans)
    assert timeline.words.startswith(f"{len(spans):,} partition")


def test_nothing_was_computed() -> None:
    assert drawn([]) == []
    assert drawn([span(math.nan)]) == []


def test_what_is_joined_or_failed_is_said() -> None:
    [timeline, _] = drawn([span(0.0, partitions=3, failed=2)])
    assert "3 partitions on 1 worker," in timeline.words
    assert "Neighbours are drawn as one" in timeline.words
    assert "Red: 2 that failed" in timeline.words


def test_a_page_chooses_the_form_that_fits() -> None:
    record = {
        "workflow": "hep",
        "name": "x",
        "digest": "0" * 64,
        "started": STARTED,
        "failures": [],
        "warnings": [],
        "workers": 2,
        "plan": {"partitions": []},
        "stages": [],
        "machine": {},
        "spec": {},
        "cpu_seconds": 7200.0,
        "retries": 3,
    }
    page = report(record, {}, [Chart("Time", "a < b", b"wide", b"narrow")])
    assert '<source media="(max-width:640px)" srcset="data:image/svg+xml;base64,bmFycm93">' in page
    assert "a &lt; b" in page
    assert "<td>CPU-hours</td><td>2</td>" in page
    assert "<td>tries beyond the first</td><td>3</td>" in page
