"""What is said of a selection that cannot be found, or of a function that it cannot call."""

from pathlib import Path
from typing import Any

import pytest

from spectrum_workflows.errors import DataError, PartitionError, SpecError
from spectrum_workflows.hep.select import user_errors
from spectrum_workflows.hep.select.finding import check_function, find_selection
from spectrum_workflows.hep.select.selection import TOLD, Selection, located
from spectrum_workflows.hep.select.user_errors import Frame, explain, first_line, frames_in

HERE = Path(__file__).parent


def found_in(folder: Path, code: str, cuts: Any = None, options: Any = ()) -> Selection:
    (folder / "mine.py").write_text(code)
    return find_selection("mine.py:select", cuts or {}, folder=str(folder), options=options)


def refused(folder: Path, code: str, cuts: Any = None, options: Any = ()) -> tuple[str, str, str]:
    with pytest.raises(SpecError) as error:
        found_in(folder, code, cuts, options)
    return error.value.what, error.value.where, error.value.remedy


def test_a_function_that_is_not_there_is_named_among_those_that_may_be_called(
    tmp_path: Path,
) -> None:
    code = "limit = 3\ndef selected(e): pass\ndef _select(e): pass\n"
    assert refused(tmp_path, code) == (
        "no function 'select' in mine.py",
        "select",
        "did you mean selected?",
    )


def test_functions_of_the_file_s_own_are_not_proposed(tmp_path: Path) -> None:
    assert "_select" not in refused(tmp_path, "def _select(e): pass\ndef cut(e): pass\n")[2]


def test_what_cannot_be_called_is_no_function(tmp_path: Path) -> None:
    what, where, _ = refused(tmp_path, "select = 3\ndef other(e): pass\n")
    assert (what, where) == ("no function 'select' in mine.py", "select")


def test_a_function_beside_the_selection_is_looked_for(tmp_path: Path) -> None:
    code = "LIMIT = 1\ndef select(e): pass\ndef good_jets(e): pass\ndef _hidden(e): pass\n"
    selection = found_in(tmp_path, code)
    check_function(selection, "good_jets", "weights.jets.where")
    for name in ("good_jet", "_hidden", "LIMIT"):
        with pytest.raises(SpecError) as error:
            check_function(selection, name, "weights.jets.where")
        assert error.value.what == f"no function {name!r} beside select"
        assert error.value.where == "weights.jets.where"
    with pytest.raises(SpecError, match="did you mean good_jets"):
        check_function(selection, "good_jet", "w")


@pytest.mark.parametrize(
    ("code", "cuts", "options", "told"),
    [
        (
            "()",
            {},
            (),
            ("select takes no events", "select", "write: def select(events)"),
        ),
        (
            "(*, events)",
            {},
            (),
            ("select takes no events", "select", "write: def select(events)"),
        ),
        (
            "(e)",
            {"e": 1},
            (),
            ("'e' is what select calls the events", "cuts.e", "rename it"),
        ),
        (
            "(e, *, variations)",
            {"variations": 1},
            ("variations",),
            ("'variations' is not a cut here", "cuts.variations", "rename it"),
        ),
        (
            "(e)",
            {},
            ("corrections",),
            (
                "the selection takes no corrections",
                "corrections",
                "give select a keyword argument corrections, or leave it out",
            ),
        ),
        (
            "(e, *, pt=1, eta=2)",
            {"ptt": 1},
            (),
            ("unknown cut 'ptt'", "cuts.ptt", "did you mean pt? select takes pt, eta"),
        ),
        (
            "(e, *, pt)",
            {},
            (),
            ("cut 'pt' has no default", "cuts", "give it a value"),
        ),
        (
            "(e, pt, *rest, **more)",
            {},
            (),
            ("cut 'pt' has no default", "cuts", "give it a value"),
        ),
    ],
)
def test_what_a_function_does_not_take(
    tmp_path: Path, code: str, cuts: Any, options: Any, told: tuple[str, str, str]
) -> None:
    assert refused(tmp_path, f"def select{code}: pass\n", cuts, options) == told


def test_a_cut_far_from_all_others_is_told_with_those_that_are_known(tmp_path: Path) -> None:
    _, _, remedy = refused(tmp_path, "def select(e, *, pt=1, eta=2): pass\n", {"zzzzzz": 1})
    assert remedy == "known here: eta, pt"


@pytest.mark.parametrize(
    ("code", "cuts", "options"),
    [
        ("(e, *, sample, is_data)", {}, ()),
        ("(e, *, variations, corrections)", {}, ("variations", "corrections")),
        ("(e, *, pt)", {"pt": 1}, ()),
        ("(e, *rest, **more)", {}, ()),
        ("(e, **more)", {"any": 1}, ("variations",)),
        ("(*events)", {}, ()),
        ("(e, /, *, x=1)", {"x": 1}, ()),
    ],
)
def test_what_a_function_takes(tmp_path: Path, code: str, cuts: Any, options: Any) -> None:
    selection = found_in(tmp_path, f"def select{code}: return 1\n", cuts, options)
    assert selection.name == "select"
    assert dict(selection.cuts) == cuts


def test_a_selection_is_told_of_its_sample_where_it_asks() -> None:
    assert TOLD == ("sample", "is_data")


def test_a_function_that_does_not_say_what_it_takes_is_taken(tmp_path: Path) -> None:
    selection = found_in(tmp_path, "from operator import itemgetter\nselect = itemgetter(0)\n")
    assert selection.told == ()
    assert selection([5]) == 5


@pytest.mark.parametrize(
    ("select", "what", "where", "remedy"),
    [
        (
            "__main__:select",
            "a function of a notebook or program cannot be sent",
            "select",
            "write the function into a file beside the spec: FILE.py:FUNCTION",
        ),
        (
            "no_such_thing.at_all:select",
            "no module 'no_such_thing.at_all'",
            "select",
            "name an installed module, or a file ending in .py",
        ),
    ],
)
def test_what_is_no_module_is_told(select: str, what: str, where: str, remedy: str) -> None:
    with pytest.raises(SpecError) as error:
        find_selection(select, {})
    assert (error.value.what, error.value.where, error.value.remedy) == (what, where, remedy)


def test_a_module_that_lacks_another_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking_one.py").write_text("import nowhere_at_all\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SpecError) as error:
        find_selection("lacking_one:select", {})
    assert error.value.what == "importing lacking_one failed: No module named 'nowhere_at_all'"
    assert error.value.where == "select"
    assert isinstance(error.value.__cause__, ModuleNotFoundError)


def test_a_module_that_fails_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_one.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SpecError) as error:
        find_selection("failing_one:select", {})
    assert error.value.what == "importing failing_one failed: ZeroDivisionError: division by zero"
    assert error.value.where == "select"


def test_a_file_that_is_not_there_is_told_with_the_closest(tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SpecError) as error:
        find_selection("mien.py:select", {}, folder=str(tmp_path))
    assert error.value.what == "no such file of code"
    assert error.value.where == str(tmp_path / "mien.py")
    assert error.value.remedy == "did you mean mine.py?"
    with pytest.raises(SpecError, match="no such file of code"):
        find_selection("mine.py:select", {}, folder=str(tmp_path / "nowhere"))


def test_a_folder_is_no_file_of_code(tmp_path: Path) -> None:
    (tmp_path / "mine.py").mkdir()
    with pytest.raises(SpecError, match="no such file of code"):
        find_selection("mine.py:select", {}, folder=str(tmp_path))


def test_a_file_that_may_not_be_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("spectrum_workflows.hep.select.finding.gathered", refuse)
    with pytest.raises(SpecError) as error:
        found_in(tmp_path, "def select(e): pass\n")
    assert error.value.what == "cannot be read (Permission denied)"
    assert error.value.where == str(tmp_path / "mine.py")


def test_a_file_without_a_folder_is_where_it_says(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def select(e): return e + 1\n")
    assert find_selection(f"{tmp_path / 'mine.py'}:select", {})(1) == 2


BESIDE = """
def select(e, *, pt=1, eta=2): return pt, eta
def takes_pt(e, pt, extra): return e, pt, extra
def takes_all(e, **more): return more
def fails(e): return 1 / 0
"""


def test_another_function_of_the_module_gets_those_cuts_that_it_takes(tmp_path: Path) -> None:
    selection = found_in(tmp_path, BESIDE, {"pt": 5, "eta": 6})
    assert selection.beside("takes_pt", 7, extra=8) == (7, 5, 8)
    assert selection.beside("takes_all", 7, extra=8) == {"pt": 5, "eta": 6, "extra": 8}
    assert selection.beside("takes_pt", 7, extra=8, pt=9) == (7, 9, 8)


def test_an_error_of_another_function_is_explained_too(tmp_path: Path) -> None:
    with pytest.raises(PartitionError, match=r"^mine.py, line 5, in fails: ZeroDivisionError"):
        found_in(tmp_path, BESIDE).beside("fails", 1)


def test_options_go_before_cuts(tmp_path: Path) -> None:
    selection = found_in(tmp_path, BESIDE, {"pt": 5})
    assert selection(None) == (5, 2)
    assert selection(None, pt=7, eta=8) == (7, 8)
    assert selection.digest == selection.source.digest


def test_what_a_selection_prints_goes_to_the_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found_in(tmp_path, "def select(e): print('hello')\n")(None)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


@pytest.mark.parametrize("raised", ["SystemExit(3)", "GeneratorExit", "ValueError('x')"])
def test_whatever_ends_a_selection_is_its_error(tmp_path: Path, raised: str) -> None:
    with pytest.raises(PartitionError) as error:
        found_in(tmp_path, f"def select(e): raise {raised}\n")(None)
    assert error.value.what.startswith("mine.py, line 1, in select: ")
    assert error.value.__cause__ is not None


def test_ctrl_c_is_no_error_of_a_selection(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        found_in(tmp_path, "def select(e): raise KeyboardInterrupt\n")(None)


def test_an_error_that_no_line_of_the_user_is_in_is_at_the_function(tmp_path: Path) -> None:
    code = "from operator import itemgetter\nselect = itemgetter('x')\n"
    with pytest.raises(PartitionError, match="^mine.py, in select: TypeError"):
        found_in(tmp_path, code)(None)


def thrown(function: Any, *arguments: Any) -> BaseException:
    try:
        function(*arguments)
    except Exception as error:
        return error
    raise AssertionError


def inner() -> None:
    raise KeyError("pt")


def outer() -> None:
    inner()


def test_steps_of_a_traceback_are_those_below_the_folder() -> None:
    frames = frames_in(thrown(outer), HERE.parent)
    assert [(f.file, f.function) for f in frames] == [
        ("hep/test_finding.py", name) for name in ("thrown", "outer", "inner")
    ]
    assert frames[-1].text == 'raise KeyError("pt")'
    assert frames[-1].where == f"hep/test_finding.py, line {frames[-1].line}, in inner"
    assert frames[-1].line > 100
    assert frames_in(thrown(outer), None) == []
    assert frames_in(thrown(outer), HERE / "nowhere") == []


def test_an_error_is_told_by_its_line_and_who_called_it() -> None:
    told = explain(thrown(outer), HERE, "the function")
    last, caller = frames_in(thrown(outer), HERE)[-1:-3:-1]
    assert told.what == f"{last.where} (called from {caller.where}): KeyError: 'pt'"
    assert (told.where, told.remedy) == ("", "")
    [note] = told.__notes__
    lines = note.splitlines()
    assert lines[0] == "Traceback of the selection:"
    assert lines[-3:] == [
        f"  {last.where}",
        '    raise KeyError("pt")',
        "KeyError: 'pt'",
    ]


def test_without_a_line_it_is_told_by_the_function() -> None:
    assert explain(ValueError("x"), HERE, "the function").what == "the function: ValueError: x"
    assert explain(thrown(outer), None, "the function").what == "the function: KeyError: 'pt'"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("d.txt", 'files beside the code are Path(__file__).parent / "name"'),
        ("/nowhere/d.txt", ""),
        (None, ""),
    ],
)
def test_a_relative_file_that_is_not_there_has_a_remedy(name: str | None, remedy: str) -> None:
    missing = FileNotFoundError(2, "No such file", name)
    assert explain(missing, None, "f").remedy == remedy
    assert explain(PermissionError(13, "Denied", name), None, "f").remedy == ""


def test_long_messages_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_errors, "_LINES", 3)
    told = explain(ValueError("\n".join("abcdef")), None, "f")
    assert told.what == "f: ValueError: a"
    assert told.__notes__[0].splitlines() == [
        "Traceback of the selection:",
        "ValueError: a",
        "b",
        "c",
    ]


class Mute(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\nb"), "ValueError: a"),
        (ValueError("\n  a  \nb"), "ValueError: a  "),
        (ValueError(), "ValueError"),
        (ValueError(" \n "), "ValueError"),
        (Mute(), "Mute"),
    ],
)
def test_an_error_in_one_line(error: Exception, line: str) -> None:
    assert first_line(error) == line


def test_a_frame_in_words() -> None:
    assert Frame("a/b.py", 3, "f", "x = 1").where == "a/b.py, line 3, in f"


def test_where_a_wrapped_function_stands(tmp_path: Path) -> None:
    code = "import functools\ndef f(e, x): return e, x\nselect = functools.partial(f, x=1)\n"
    assert found_in(tmp_path, code).where == "mine.py, line 2, in select"


def test_an_error_about_the_returned_is_put_at_the_function(tmp_path: Path) -> None:
    selection = found_in(tmp_path, "def select(e): return 1\n")
    told = located(DataError("odd", "select", "mend it"), "a.root, 0 to 5", selection)
    assert isinstance(told, DataError)
    assert (told.what, told.remedy) == ("odd", "mend it")
    assert told.where == "a.root, 0 to 5: returned by mine.py, line 1, in select"
