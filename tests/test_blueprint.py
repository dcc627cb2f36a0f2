"""The map: eight areas, commands that exist, figures from the evidence, the page as printed."""

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from spectrum_workflows.blueprint.areas import Blueprint, Figure
from spectrum_workflows.blueprint.page import (
    NO_FIGURE,
    NOT_MEASURED,
    figures_of,
    lines,
    page,
    shown_of,
)
from spectrum_workflows.blueprint.reading import load_blueprint, load_evidence
from spectrum_workflows.cli.commands import app
from spectrum_workflows.errors import DataError
from spectrum_workflows.shipped import specs

ROOT = Path(__file__).parents[1]
MAP = load_blueprint()
ENTRIES = (*MAP.areas, *MAP.phases)
AREAS = [
    "Compute resources",
    "Data resources",
    "Software distribution and execution",
    "Orchestration and workflows",
    "AI/ML and HPC applications",
    "Resource federation",
    "Monitoring and observability",
    "Security and trust",
]


def test_the_areas_are_those_of_the_blueprint_and_of_the_front_page() -> None:
    assert [area.name for area in MAP.areas] == AREAS
    for table in ("README.md", "docs/index.md"):
        rows = re.findall(r"^\| ([\w /]+?) \| ", (ROOT / table).read_text(), re.M)
        assert [row.lower() for row in rows if row.lower() in map(str.lower, AREAS)] == [
            name.lower() for name in AREAS
        ]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_every_command_and_page_is_there(entry) -> None:
    commands = typer.main.get_command(app).commands
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    for command in entry.commands:
        program, word, *rest = command.split()
        if program == "make":
            assert word in targets, command
            continue
        if program == "pytest":
            assert (ROOT / word).exists(), command
            continue
        assert program == "spectrum"
        assert word in commands, command
        if word in ("run", "check", "submit") and rest[0] != "SPEC":
            assert rest[0] in specs(), command
        known = [option for p in commands[word].params for option in p.opts]
        inner = getattr(commands[word], "commands", {})
        if inner:
            assert rest[0] in inner if rest else True, command
        else:
            assert [o for o in rest if o.startswith("--") and o not in known] == [], command
    for name in entry.pages:
        assert (ROOT / "docs" / name).is_file(), name


def test_every_figure_is_that_of_the_evidence() -> None:
    files = (ROOT / "docs" / "evidence").glob("*.json")
    evidence = {path.name: json.loads(path.read_text()) for path in files}
    assert load_evidence() == shown_of(MAP, evidence), "run make evidence"
    count = 0
    for entry in ENTRIES:
        for figure, text in zip(entry.figures, figures_of(entry, load_evidence()), strict=False):
            assert NOT_MEASURED not in text, text
            told, count = evidence[figure.file], count + 1
            assert text in figures_of(entry, evidence)
            assert told["date"] in text
            if figure.rows:
                key, value = figure.rows
                number = sum(row[key] == value for row in told["rows"])
                assert number > 0
                assert f": {number} of {len(told['rows'])} " in text
    assert count >= 8


def test_a_figure_changes_with_its_file() -> None:
    entry = MAP.areas[3]
    told = {"ratios": {"counted": 7.0}, "bars": {"counted": 9}, "bars_are": "at most"}
    evidence = {"hep_planning.json": told | {"date": "2026-01-01"}}
    first, second = figures_of(entry, evidence)
    assert first.endswith(": 7.0, bar at most 9 (2026-01-01)")
    assert second.endswith(NOT_MEASURED)
    with pytest.raises(DataError, match="it has no ratio 'counted'"):
        figures_of(entry, {"hep_planning.json": {"ratios": {}, "date": ""}})


def test_an_area_without_a_figure_says_so() -> None:
    bare = MAP.areas[0].model_copy(update={"figures": ()})
    assert figures_of(bare, {}) == [NO_FIGURE]


@pytest.mark.parametrize("changes", [{}, {"ratio": "a", "rows": ("a", "b")}])
def test_a_figure_is_a_ratio_or_rows(changes) -> None:
    with pytest.raises(ValueError, match="a ratio, or a number of rows"):
        Figure(quantity="what", file="a.json", **changes)


def test_the_page_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["blueprint", "--markdown"]).output
    written = ROOT / "docs" / "blueprint.md"
    assert printed == written.read_text(), f"spectrum blueprint --markdown > {written}"
    assert printed.rstrip() == page(MAP, load_evidence()).rstrip()


def test_the_command_prints_every_area_with_its_commands() -> None:
    printed = CliRunner().invoke(app, ["blueprint"]).output
    assert printed.rstrip() == "\n".join(lines(MAP, load_evidence()))
    told = json.loads(CliRunner().invoke(app, ["blueprint", "--json"]).output)
    assert [area["name"] for area in told["areas"]] == AREAS
    for entry in ENTRIES:
        for command in entry.commands:
            assert f"  try       {command}\n" in printed


def test_seven_areas_are_not_the_map() -> None:
    table = MAP.model_dump() | {"areas": MAP.model_dump()["areas"][:7]}
    with pytest.raises(ValueError, match="at least 8"):
        Blueprint.model_validate(table)
