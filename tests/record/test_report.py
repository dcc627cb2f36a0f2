"""The report of a run, from plain values."""

import re
from typing import Any

from spectrum_workflows.record.report import MOST, report

RECORD: dict[str, Any] = {
    "workflow": "hep",
    "name": "pairs <1>",
    "digest": "0f" * 32,
    "counts": {"dimuon": 12},
    "seconds": 3.5,
    "started": "2026-11-27T17:00:00+00:00",
    "failures": [{"where": "a.root, 0 to 10", "error": "no such file & more", "size": 10}],
    "warnings": ["weights are <negative>"],
    "workers": 2,
    "plan": {"partitions": ["a", "b"]},
    "stages": [
        {
            "name": "select",
            "measured": {"tasks": 2, "cpu_seconds": 1.5},
            "expected": {"tasks": 2, "cpu_seconds": 1.25},
        },
        {"name": "fit", "measured": {"tasks": 1}, "expected": None},
    ],
    "machine": {"cpu": "a processor"},
    "spec": {"luminosity": 10.0},
    "notes": [],
    "lost": [],
}


def test_one_file_that_asks_for_nothing() -> None:
    page = report(RECORD, {"z.png": b"picture"})
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "width=device-width" in page
    assert 'src="data:image/png;base64,cGljdHVyZQ=="' in page


def test_what_it_says() -> None:
    page = report(RECORD, {})
    for words in ("0f" * 32, "1.25", "a.root, 0 to 10: no such file &amp; more", "a processor"):
        assert words in page, words
    assert "&lt;negative&gt;" in page
    assert "<negative>" not in page


def test_pictures_that_do_not_fit_are_named() -> None:
    page = report(RECORD, {"small.png": b"x", "large.png": bytes(MOST)})
    assert "large.png is in the run&#x27;s folder" in page
    assert len(page) < 3_000_000
