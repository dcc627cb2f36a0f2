"""What code says, however it is written; which data it names; what a watcher is told."""

import ast
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spectrum_workflows import progress
from spectrum_workflows.code_identity import data_files
from spectrum_workflows.code_identity.content import SMALL_BYTES, content_of, digest_of_all
from spectrum_workflows.code_identity.data_files import entries, named_files, python_files
from spectrum_workflows.code_identity.trees import tree_digest
from spectrum_workflows.domain import Failure, Metrics
from spectrum_workflows.watching import RunState, Watching


def digest(code: str) -> str:
    return tree_digest(ast.parse(code))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x=1", "x = 1  # a remark"),
        ("x = 'a'", 'x = "a"'),
        ("x = u'a'", "x = 'a'"),
        ("x = 0x10", "x = 16"),
        ("x = 1e3", "x = 1000.0"),
        ("x = (1)", "x = 1"),
        ("def f():\n    'doc'\n    return 1", "def f():\n\n    return 1"),
        ("class A:\n    x: int = 1\n    'of x'", "class A:\n    x: int = 1"),
        ("x = 1; y = 2", "x = 1\ny = 2"),
        ("if a:\n  b()", "if a:\n        b()"),
    ],
)
def test_how_it_is_written_does_not_count(one: str, other: str) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 1", "x = '1'"),
        ("x = 0.0", "x = -0.0"),
        ("x = b'a'", "x = 'a'"),
        ("x = None", "x = ..."),
        ("x = 1j", "x = 1"),
        ("f('a')", "f()"),
        ("x = 'a', 'b'", "x = 'a', "),
        ("a - (b - c)", "(a - b) - c"),
        ("a + b", "a - b"),
        ("a < b", "a <= b"),
        ("def f(a, b): pass", "def f(a, *, b): pass"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("def f(): return", "def f(): pass"),
        ("import a", "import a as b"),
        ("from a import b", "from .a import b"),
        ("async def f(): pass", "def f(): pass"),
        ("for x in y: a()", "for x in y: a()\nelse: b()"),
        ("x = {**a, 'b': 1}", "x = {'b': 1, **a}"),
        ("x = f'{a}'", "x = f'{a!r}'"),
        ("x: int", "x: float"),
        ("x = a[1:]", "x = a[:1]"),
    ],
)
def test_what_it_says_counts(one: str, other: str) -> None:
    assert digest(one) != digest(other)


# Data that code names


def source(**words: Any) -> Any:
    empty = {"full": set(), "names": set(), "paths": set()}
    return SimpleNamespace(**empty | {name: set(given) for name, given in words.items()})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("table.csv", "other.csv", "more/deep.json", "more/code.py", ".hidden.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def names(folder: Path, *sources: Any) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in named_files(sources, [folder, folder]))


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ({"names": ["__file__"], "paths": ["table.csv"]}, ["table.csv"]),
        ({"names": ["x"], "paths": ["table.csv"]}, []),
        ({"names": ["__file__"], "paths": ["*.csv"]}, ["other.csv", "table.csv"]),
        ({"names": ["__file__"], "paths": ["more", "deep.json"]}, ["more/deep.json"]),
        ({"names": ["__file__"], "paths": ["deep.json"]}, []),
        ({"names": ["__file__", "iterdir"], "paths": ["more"]}, ["more/deep.json"]),
        ({"names": ["__file__"], "paths": ["more"]}, []),
    ],
)
def test_files_beside_code_count_if_it_looks_for_them(
    folder: Path, words: dict[str, Any], files: list[str]
) -> None:
    assert names(folder, source(**words)) == files


def test_two_modules_name_a_file_together(folder: Path) -> None:
    assert names(folder, source(names=["__file__"]), source(paths=["table.csv"])) == ["table.csv"]


def test_a_full_path_counts_wherever_it_is(folder: Path) -> None:
    path = str(folder / "table.csv")
    assert names(folder, source(full=[path, f"{path}.none", str(folder)])) == ["table.csv"]


def test_a_pattern_takes_no_large_file_and_a_name_does(folder: Path) -> None:
    with (folder / "table.csv").open("r+b") as file:
        file.truncate(SMALL_BYTES + 1)
    assert names(folder, source(names=["__file__"], paths=["*.csv"])) == ["other.csv"]
    assert names(folder, source(names=["__file__"], paths=["table.csv"])) == ["table.csv"]


def test_a_large_file_is_known_by_size_and_time(folder: Path) -> None:
    path = folder / "table.csv"
    with path.open("r+b") as file:
        file.truncate(SMALL_BYTES + 1)
    os.utime(path, ns=(5, 5))
    assert content_of(path) == f"{SMALL_BYTES + 1} 5"
    assert len(content_of(folder / "other.csv")) == 64


def test_folders_are_listed_as_far_as_they_can_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [*entries(folder / "none")] == []
    assert sorted(entry.name for entry in entries(folder)) == ["more", "other.csv", "table.csv"]
    assert [path.name for path in python_files(folder)] == ["code.py"]
    monkeypatch.setattr(data_files, "MOST_LISTED", 2)
    assert len([*entries(folder)]) <= 2


def test_the_order_of_parts_does_not_count_and_their_names_do() -> None:
    parts = {"a": "1", "b": "2"}
    assert digest_of_all(parts) == digest_of_all(dict(reversed(parts.items())))
    assert digest_of_all(parts) != digest_of_all({"a": "2", "b": "1"})


# Watchers


def test_a_watcher_is_told_stage_counts_and_failures() -> None:
    seen: list[RunState] = []
    watching = Watching(seen.append)
    watching.count(Metrics(bytes_read=7, failures=(Failure("x", 1, "e", 1),)))
    for stage, done in (("read", 1), ("read", 2), ("grid", 0)):
        watching.report(stage, done, 4)
    assert [(s.stage, s.done, s.total) for s in seen] == [
        *(("read", 1, 4), ("read", 2, 4), ("grid", 0, 4))
    ]
    assert (seen[-1].bytes_read, seen[-1].failures) == (7, 1)
    assert seen[1].stage_seconds >= seen[0].stage_seconds
    assert seen[2].stage_seconds <= seen[2].seconds


@pytest.mark.parametrize(
    ("done", "seconds", "remaining", "rate"),
    [(0, 5.0, None, 0.0), (1, 5.0, 15.0, 0.2), (4, 8.0, 0.0, 0.5), (5, 8.0, None, 0.625)],
)
def test_what_is_left_goes_on_as_it_went(
    done: int, seconds: float, remaining: float | None, rate: float
) -> None:
    state = RunState("read", done, 4, 9.0, seconds)
    assert (state.remaining, state.rate) == (remaining, rate)
    assert RunState("read", 1, 4, 0.0, 0.0).rate == 0.0


def test_a_watcher_that_was_switched_off_is_not_asked_again() -> None:
    asked: list[RunState] = []

    def fail(state: RunState) -> None:
        asked.append(state)
        raise ValueError("no\nscreen")

    watching = Watching(fail)
    with pytest.warns(UserWarning, match="the run goes on unwatched: ValueError: no screen"):
        watching.report("read", 1, 4)
    watching.report("read", 2, 4)
    assert len(asked) == 1
    assert not watching.due()


def test_somebody_nobody_or_what_suits(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[RunState] = []
    with progress.watched(seen.append) as watching:
        assert watching is not None
        watching.report("read", 1, 2)
    assert seen[0].done == 1
    with progress.watched(False) as watching:
        assert watching is None
    with progress.shown() as report:
        report("read", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_bars_write_the_lines_of_snapshots_as_they_are() -> None:
    from io import StringIO

    from rich.console import Console

    screen = StringIO()
    with progress.bars(Console(file=screen, width=80)) as watcher:
        watcher(RunState("read", 1, 2, 0.0, 0.0, snapshot=SimpleNamespace(line="[b] 1 Jy")))
        watcher(RunState("read", 2, 2, 0.0, 0.0))
    text = screen.getvalue()
    assert "[b] 1 Jy" in text
    assert "2/2" in text
