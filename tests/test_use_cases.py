"""Sheets of use cases: eight headings, figures of a run, and sheets that are none."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spectrum_workflows import domain, shipped
from spectrum_workflows.errors import SpecError
from spectrum_workflows.projection.rates import measured
from spectrum_workflows.specs import parse, read_toml
from spectrum_workflows.use_cases.page import NOT_MEASURED, figures, numbers, page
from spectrum_workflows.use_cases.reading import load_use_case, names
from spectrum_workflows.use_cases.sheet import HEADINGS, UseCase

ROOT = Path(__file__).parents[1]
THIRD = ROOT / "examples" / "gravitational_waves" / "gravitational_waves" / "use_case.toml"
SHEETS = ["hep", "radio", str(THIRD)]
RECORD = {
    "schema": 1,
    "workflow": "hep",
    "name": "small",
    "digest": "ab" * 32,
    "spec_digest": "",
    "code": "",
    "partial": False,
    "fraction": 1.0,
    "partitions": 4,
    "seconds": 20.0,
    "cpu_seconds": 36.0,
    "bytes_read": 45_000_000,
    "workers": 0,
    "inputs": {},
    "objects": [],
    "plan": {"size": 300_000, "data_bytes": 90_000_000},
    "stages": [{"name": "select", "measured": {"memory": 5e8, "bytes_moved": 7e3}}],
}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    """Save the record above as a run, with changes, and give its folder."""

    def save(**changes: Any) -> str:
        (tmp_path / "record.json").write_text(json.dumps({**RECORD, **changes}))
        return str(tmp_path)

    return save


def test_every_science_of_the_package_has_a_sheet() -> None:
    assert {*names()} == {*domain.names()} & {"hep", "radio"}


@pytest.mark.parametrize("source", SHEETS)
def test_a_sheet_has_the_eight_headings_and_specs_that_are_there(source: str) -> None:
    case = load_use_case(source)
    text = page(case)
    assert re.findall(r"^## (.*)$", text, re.M) == list(HEADINGS.values())
    assert len(HEADINGS) == 8
    assert f"| {NOT_MEASURED} |" in text
    for spec in case.specs:
        assert (ROOT / spec).is_file() or spec in shipped.specs(), spec
    used = {name for key in HEADINGS for name in getattr(case, key).figures}
    assert {"items", "bytes_read", "items_per_core", "cpu_time", "peak_memory"} <= used


def test_a_run_fills_in_what_it_measured() -> None:
    run = measured(RECORD, "x")
    shown = figures(run, "event")
    assert shown["items"] == ("events processed", "300,000")
    assert shown["read_per_item"] == ("read per event", "150 B")
    assert shown["stored_per_item"] == ("stored per event", "300 B")
    assert shown["read_fraction"][1] == "0.50"
    assert shown["items_per_core"] == ("events per second and core", "8,300")
    assert shown["read_per_core"][1] == "1.2 MB/s"
    assert shown["cpu_time"][1] == "0.010 CPU-h"
    assert shown["cpu_per_terabyte"][1] == "110 CPU-h"
    assert shown["peak_memory"][1] == "500 MB"
    assert shown["workers"][1] == "none (one process)"
    assert figures(run, "visibility")["items"][0] == "visibilities processed"
    text = page(load_use_case("hep"), run)
    assert NOT_MEASURED not in text
    assert "digest `abababababab`" in text


def test_what_a_record_does_not_know_is_not_known() -> None:
    run = measured({**RECORD, "plan": {"size": 10, "data_bytes": 0}, "stages": []}, "x")
    shown = figures(run, "sample")
    for name in ("data_bytes", "stored_per_item", "read_fraction", "peak_memory", "bytes_moved"):
        assert shown[name][1] == "not known"
    assert (numbers(run)["read_fraction"], numbers(run)["peak_memory_bytes"]) == (None, None)


def test_the_command_prints_the_page_and_numbers(spectrum: Any, saved: Any) -> None:
    code, out, err = spectrum("use-case", "hep", "--run", saved())
    assert (code, err) == (0, "")
    assert out == page(load_use_case("hep"), measured(RECORD, "x"))
    code, out, _ = spectrum("use-case", "hep", "--run", saved(), "--json")
    told = json.loads(out)
    assert (code, told["measured"]["items_per_cpu_second"]) == (0, pytest.approx(300_000 / 36))
    assert told["scientific_challenge"]["figures"] == ["items"]
    assert json.loads(spectrum("use-case", THIRD, "--json")[1])["measured"] is None


@pytest.mark.parametrize(
    ("words", "changes", "problem"),
    [
        (("radio",), {}, "this is a run of hep, the sheet is of radio; give a run of radio"),
        (("hep",), {"cpu_seconds": 0}, "no rate follows from a run with cpu_seconds 0"),
        (("hep",), {"partitions_resumed": 2}, "run it once more with --fresh"),
        (("opera",), {}, "no such use case; give the path of a TOML file, or .* hep, radio"),
    ],
)
def test_a_wrong_run_or_name_is_one_line(
    spectrum: Any, saved: Any, words: tuple[str, ...], changes: dict[str, Any], problem: str
) -> None:
    code, out, err = spectrum("use-case", *words, "--run", saved(**changes))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(problem, err)


def test_a_folder_without_a_run_is_said(spectrum: Any, tmp_path: Path) -> None:
    code, _, err = spectrum("use-case", "hep", "--run", tmp_path / "none")
    assert (code, "no record.json" in err) == (2, True)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t.pop("gap_analysis"), "missing key 'gap_analysis'"),
        (lambda t: t.update(costs={}), "unknown key 'costs'"),
        (lambda t: t["storage"].update(text="short"), "storage.text"),
        (lambda t: t["storage"].update(figures=["watts"]), "storage.figures"),
        (lambda t: t["compute"].update(figures=["items", "items"]), "items is listed twice"),
        (lambda t: t.update(specs=[]), "specs"),
        (lambda t: t.update(item=""), "item"),
    ],
)
def test_a_sheet_that_is_none_is_refused(change: Any, problem: str) -> None:
    table = read_toml(
        (shipped.folder("workflows") / "hep" / "use_case.toml").read_bytes(), where=""
    )
    change(table)
    with pytest.raises(SpecError, match=problem):
        parse(UseCase, table, where="use_case.toml", exact=True)
