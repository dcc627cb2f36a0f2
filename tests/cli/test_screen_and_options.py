"""What a command prints, and what its words become."""

import inspect
import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from spectrum_workflows import record
from spectrum_workflows.cli import options, sciences, screen
from spectrum_workflows.domain import Contents, Deviation
from spectrum_workflows.domain.contents import Table
from spectrum_workflows.errors import DataNotFoundError, SpecError
from spectrum_workflows.record import Comparison
from spectrum_workflows.registration import LeftOutWarning

# --set


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n=4", 4),
        ("n=4.0", 4.0),
        ("n=true", True),
        ('n="true"', "true"),
        ("n=[1, 2]", [1, 2]),
        ("n={a = 1}", {"a": 1}),
        ("n=some words", "some words"),
        ("n=", ""),
        ("n=a=b", "a=b"),
        (" n = 2026-01-01x ", "2026-01-01x"),
        ("n=s3://b/x", "s3://b/x"),
    ],
)
def test_a_change_is_toml_or_else_text(text: str, value: Any) -> None:
    changed = options.changes([text])
    assert changed == {"n": value}
    assert type(changed["n"]) is type(value)


@pytest.mark.parametrize("text", ["n", "=4", " = 4", ""])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="not KEY=VALUE; try --set workers.count=4"):
        options.changes([text])


def test_the_last_change_of_a_key_counts() -> None:
    assert options.changes(["a=1", "b=2", "a=3"]) == {"a": 3, "b": 2}
    assert options.changes(None) == {}


def test_changes_of_the_spec_and_of_the_profile_are_told_apart() -> None:
    given = ["name=again", "partition.max_events=7", "cluster.account=mine", "workers.count=2"]
    asked = options.question("hep/dimuon", given, site=None, no_user_code=True)
    assert (asked.spec.name, asked.spec.partition.max_events) == ("again", 7)
    assert asked.profile == {"cluster.account": "mine", "workers.count": 2}


def test_a_change_of_the_spec_is_checked() -> None:
    with pytest.raises(SpecError, match="max_events"):
        options.question("hep/dimuon", ["partition.max_events=0"], site=None, no_user_code=False)


def test_code_that_a_change_brings_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')\n")
    change = [f'select="{tmp_path}/mine.py:select"']
    with pytest.raises(SpecError, match="names code that is not part of this package") as caught:
        options.question("hep/dimuon", change, site=None, no_user_code=True)
    assert "leave --no-user-code out" in caught.value.remedy


@pytest.mark.parametrize("synthetic", [None, {}])
def test_missing_input_that_can_be_made_comes_with_the_command(synthetic: object) -> None:
    spec = SimpleNamespace(synthetic=synthetic)
    with (
        pytest.raises(DataNotFoundError) as caught,
        options.data_can_be_made("hep/dimuon", spec),
    ):
        raise DataNotFoundError("no such file", "x.root", "check the name")
    made = "spectrum data make hep/dimuon makes example data; "
    assert caught.value.remedy == f"{'' if synthetic is None else made}check the name"


# What is printed


def test_errors_are_one_line_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    screen.error("not  good:\n https://h/x?X-Amz-Signature=0123456789abcdef is gone")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "spectrum: not good: https://h/x?[hidden] is gone\n"
    screen.note("nothing", quiet=True)
    assert capsys.readouterr().err == ""


SUMMARY = {
    "workflow": "hep",
    "name": "a[red]b",
    "digest": "0123456789abcdef" * 4,
    "partial": True,
    "fraction": 0.5,
    "failures": [{"where": "x [bold]", "size": 3, "error": "gone"}],
    "warnings": ["of [this]"],
    "fit": {"z[x]": {"mass": 91.1717, "mass_error": 0.0084}},
}


@pytest.fixture
def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """``printed(**changes)``: the table of that summary, with what its record holds besides."""

    def show(saved: dict[str, Any] | None = None, **changes: Any) -> str:
        objects = [{"name": name} for name in ("a.fits", "set.zarr/0", "set.zarr/1")]
        monkeypatch.setattr(
            record, "read_record", lambda folder: {"objects": objects, **(saved or {})}
        )
        screen.outcomes([(SUMMARY | changes, "/results/run-1")])
        return capsys.readouterr().out

    return show


def test_names_are_shown_as_they_are_whatever_is_in_them(printed: Callable[..., str]) -> None:
    text = printed({"notes": ["no [font]"], "lost": ["x [y]"]})
    for words in ("a[red]b (hep)", "x [bold]: gone", "of [this]", "fit.z[x]", "no [font]", "x [y]"):
        assert words in text
    assert "mass 91.1717 ± 0.0084" in text
    assert "PARTIAL: 50.0000% of the input" in text


def test_a_folder_stands_on_its_own_line_with_what_is_in_it(printed: Callable[..., str]) -> None:
    last = printed(partial=False, failures=[]).splitlines()[-2:]
    assert last == ["/results/run-1", "  a.fits  set.zarr  record.json"]


@pytest.mark.parametrize("json_asked", [False, True])
def test_a_comparison_says_what_differs_and_what_may(
    capsys: pytest.CaptureFixture[str], json_asked: bool
) -> None:
    compared = Comparison("different", {"x": Deviation(0.5, 1e-6)}, ("the code differs",))
    screen.comparison(compared, json=json_asked)
    out = capsys.readouterr().out
    if json_asked:
        assert json.loads(out) == {
            "verdict": "different",
            "deviations": {"x": {"found": 0.5, "allowed": 1e-6}},
            "notes": ["the code differs"],
        }
    else:
        assert out.splitlines() == [
            "different",
            "  note: the code differs",
            "  x: differs by 0.5, allowed 1e-06",
        ]


def test_of_a_long_table_the_rest_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [(f"f[{n}]", str(n)) for n in range(5)]
    table = Table("fields", ("name", "n"), cells, [{"n": n} for n in range(5)])
    described = Contents("a [set]", [("size", "5 [kB]")], {"size": 5}, (table,), ("it is flagged",))
    screen.contents(described, most=2)
    out = capsys.readouterr().out
    assert "… and 3 more fields (all: --json)" in out
    assert "note: it is flagged" in out
    assert all(words in out for words in ("a [set]", "5 [kB]", "f[1]"))
    assert "f[2]" not in out
    assert described.json == {
        "size": 5,
        "fields": [{"n": n} for n in range(5)],
        "notes": ["it is flagged"],
    }


def test_a_profile_is_toml_with_origins(capsys: pytest.CaptureFixture[str]) -> None:
    screen.profile("here", {"data": "/x", "workers.count": 2}, {"data": "site.toml"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# site here"
    assert [line.split() for line in lines[1:]] == [
        ["data", "=", '"/x"', "#", "site.toml"],
        ["workers.count", "=", "2", "#", "default"],
    ]


# What sciences add


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """``added(toml)``: the additions of one science with such a file."""

    def read(text: str) -> Any:
        (tmp_path / "one_science.py").write_text("")
        (tmp_path / sciences.FILE).write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        points = [EntryPoint("one", "one_science:DOMAIN", "group")]
        monkeypatch.setattr(sciences, "points", lambda: points)
        return sciences.command_line()

    return read


def test_options_of_a_science_reach_its_command(added: Callable[[str], Any]) -> None:
    found = added(
        "[run.cells]\nkind = 'integer'\nhelp = 'Cells.'\n"
        "[run.self_check]\nkind = 'flag'\nhelp = 'Check.'\n"
        "[commands.scan.options.width]\nkind = 'number'\nhelp = 'Width.'\n"
        "[commands.scan]\nhelp = 'Scan.'\n"
    )
    got: dict[str, Any] = {}

    def command(name: str, **of_science: Any) -> None:
        got.update(sciences.given(of_science), name=name)

    app = typer.Typer()
    app.command()(sciences.with_options(command, found.run))
    done = CliRunner().invoke(app, ["x", "--cells", "5", "--self-check"])
    assert done.exit_code == 0, done.output
    assert got == {"name": "x", "cells": 5, "self_check": True}
    assert found.commands["one"]["scan"].options["width"].kind == "number"


def test_an_option_that_a_command_has_already_is_its_own() -> None:
    def command(name: str, *, cells: int = 3, **of_science: Any) -> None:
        pass

    given = sciences.with_options(command, {"cells": sciences.Option("text", "Another.")})
    assert [*inspect.signature(given).parameters] == ["name", "cells"]
    assert inspect.signature(given).parameters["cells"].default == 3


def test_what_was_not_given_is_left_out() -> None:
    assert sciences.given({"a": None, "b": False, "c": 0, "d": "", "e": True}) == {
        "c": 0,
        "d": "",
        "e": True,
    }


@pytest.mark.parametrize(
    "text",
    [
        "[run.cells]\nkind = 'complex'\nhelp = 'x'",
        "[run.'no name']\nkind = 'flag'\nhelp = 'x'",
        "[run.cells]\nkind = 'flag'",
        "[commands.scan]\noptions = {}",
        "not toml",
    ],
)
def test_a_file_that_cannot_be_used_costs_its_science_only(
    added: Callable[[str], Any], text: str
) -> None:
    with pytest.warns(LeftOutWarning, match=r"left out: one: command_line\.toml cannot be used"):
        found = added(text)
    assert (found.run, found.commands) == ({}, {})
