import pickle

import pytest

from spectrum_workflows.errors import DataError, PartitionError, SpecError
from spectrum_workflows.hep.select.finding import check_cuts, find_selection
from spectrum_workflows.hep.select.selection import located

TTBAR = "spectrum_workflows.hep.analyses.ttbar:select"


def test_the_package_s_own_selection_travels_as_its_name():
    selection = find_selection(TTBAR, {"jet_pt": 40.0})
    sent = pickle.dumps(selection)
    assert b"ttbar" in sent
    assert b"def select" not in sent


@pytest.mark.parametrize(
    ("select", "cuts", "said"),
    [
        (TTBAR, {"jet_ptt": 1.0}, "unknown cut 'jet_ptt'.*did you mean jet_pt"),
        (TTBAR + "s", {}, "no function 'selects'.*did you mean select"),
        ("no.such.module:select", {}, "no module 'no.such.module'"),
        ("nothing.py:select", {}, "no such file of code"),
    ],
)
def test_what_cannot_be_found_is_named(tmp_path, select, cuts, said):
    with pytest.raises(SpecError, match=said):
        find_selection(select, cuts, folder=str(tmp_path))


def test_a_file_that_does_not_run_says_why(tmp_path):
    (tmp_path / "mine.py").write_text("import nothing_like_this\n")
    with pytest.raises(SpecError, match="does not run.*nothing_like_this"):
        find_selection("mine.py:select", {}, folder=str(tmp_path))


def test_a_cut_without_default_needs_a_value(tmp_path):
    (tmp_path / "mine.py").write_text("def select(events, *, pt): return {'n': events > pt}\n")
    with pytest.raises(SpecError, match="cut 'pt' has no default"):
        find_selection("mine.py:select", {}, folder=str(tmp_path))
    selection = find_selection("mine.py:select", {"pt": 2}, folder=str(tmp_path))
    assert selection(3) == {"n": True}


FILE = """
import numpy as np
from numba import njit

SCALE = {scale}

@njit
def scaled(x):
    return SCALE * x

def select(events):
    return {{"n": scaled(np.asarray(events, np.float64))}}
"""


def apply(selection):
    return selection([1.0, 2.0])["n"].tolist()


def test_an_edited_file_gives_the_new_answer_here_and_on_live_workers(tmp_path, dask_client):
    path = tmp_path / "mine.py"
    for scale in (2.0, 5.0):
        path.write_text(FILE.format(scale=scale))
        selection = find_selection("mine.py:select", {}, folder=str(tmp_path))
        assert apply(pickle.loads(pickle.dumps(selection))) == [scale, 2 * scale]
        remote = dask_client.submit(apply, selection, pure=False)
        assert remote.result() == [scale, 2 * scale]


def test_two_edits_within_a_second_are_two_answers(tmp_path, monkeypatch):
    """Compiled files are told apart by whole seconds: they must play no part."""
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    answers, digests = [], set()
    for cut in (30, 40, 50):
        (tmp_path / "mine.py").write_text(f"def select(events):\n    return {cut}\n")
        selection = find_selection("mine.py:select", {}, folder=str(tmp_path))
        answers.append(selection(None))
        digests.add(selection.digest)
    assert answers == [30, 40, 50]
    assert len(digests) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["mine.py"]


def found_in(folder, code, cuts=None, options=()):
    (folder / "mine.py").write_text(code)
    return find_selection("mine.py:select", cuts or {}, folder=str(folder), options=options)


@pytest.mark.parametrize(
    ("code", "cuts", "options", "said", "where"),
    [
        ("(events, **more)", {"variations": 1}, ["variations"], "is not a cut here", "variations"),
        (
            "(events)",
            {},
            ["corrections"],
            "takes no corrections; give select a keyw",
            "corrections",
        ),
        ("(events)", {"events": 1}, [], "'events' is what select calls the events", "cuts.events"),
        ("(corrections)", {}, ["corrections"], "'corrections' is what select calls", "corrections"),
        ("(events, *, pt=1, eta=2)", {"ptt": 1}, [], r"mean pt\? select takes pt, eta", "cuts.ptt"),
        ("(events, *, pt=1)", {"zzzzzz": 1}, [], "unknown cut 'zzzzzz'; known here: pt", "cuts.zz"),
        ("(events, pt, /)", {"pt": 1}, [], "unknown cut 'pt'", "cuts.pt"),
        ("(events, pt, /)", {}, [], "cut 'pt' has no default; give it a value", "cuts"),
        ("(**events)", {}, [], r"takes no events; write: def select\(events\)", "select"),
    ],
)
def test_what_a_function_does_not_take_is_refused(code, cuts, options, said, where, tmp_path):
    with pytest.raises(SpecError, match=said) as refused:
        found_in(tmp_path, f"def select{code}: pass\n", cuts, options)
    assert where in refused.value.where


@pytest.mark.parametrize(
    ("code", "cuts", "options", "told"),
    [
        ("(events, **more)", {"anything": 1}, ["variations"], ()),
        ("(*events, pt=1)", {"pt": 2}, [], ()),
        ("(events, /, **events_)", {"events": 1}, [], ()),  # by position alone: no name is taken
        ("(events, *, sample, is_data)", {}, [], ("sample", "is_data")),
        ("(events, *, is_data=False)", {}, [], ("is_data",)),
        ("(events, *, sample)", {"sample": "mine"}, [], ()),  # a cut of that name
        ("(events, pt=1, *rest, variations)", {}, ["variations"], ()),
    ],
)
def test_what_a_function_takes_is_given(code, cuts, options, told, tmp_path):
    selection = found_in(tmp_path, f"def select{code}: return 1\n", cuts, options)
    assert selection.told == told
    assert dict(selection.cuts) == cuts


def test_other_cuts_are_checked_and_replace_those_of_the_spec(tmp_path):
    selection = found_in(tmp_path, "def select(e, *, a=1, b=2): return a, b\n", {"a": 5})
    assert selection(None) == (5, 2)
    assert selection.with_cuts({"b": 7})(None) == (5, 7)
    assert selection.with_cuts({"a": 0})(None) == (0, 2)
    assert selection(None) == (5, 2)
    check_cuts(selection, {"b": 1}, ())
    with pytest.raises(SpecError, match="unknown cut 'c'"):
        check_cuts(selection, {"c": 1}, ())
    with pytest.raises(SpecError, match="takes no variations"):
        check_cuts(selection, {}, ("variations",))


def test_functions_say_where_they_stand(tmp_path):
    decorated = (
        "import functools\n\ndef deco(f):\n    @functools.wraps(f)\n"
        "    def inner(*a): return f(*a)\n    return inner\n\n@deco\ndef select(e): return 1\n"
    )
    assert found_in(tmp_path, decorated).where == "mine.py, line 8, in select"
    partial = "import functools\ndef f(x, e): return x\nselect = functools.partial(f, 3)\n"
    assert found_in(tmp_path, partial).where == "mine.py, line 2, in select"
    called = "class S:\n    def __call__(self, e): return 1\nselect = S()\n"
    assert found_in(tmp_path, called).where == "mine.py, line 2, in select"
    built_in = "from operator import itemgetter\nselect = itemgetter(0)\n"
    assert found_in(tmp_path, built_in).where == "mine.py, in select"


def test_an_error_is_put_where_it_belongs(tmp_path):
    selection = found_in(tmp_path, "def select(e): return 1\n")
    returned = located(SpecError("no region", "select", "return one"), "a.root, 0 to 5", selection)
    assert type(returned) is SpecError
    assert returned.where == "a.root, 0 to 5: returned by mine.py, line 1, in select"
    assert (returned.what, returned.remedy) == ("no region", "return one")
    other = located(DataError("bad", "histograms.h"), "a.root, 0 to 5", selection)
    assert other.where == "a.root, 0 to 5: histograms.h"
    raised = PartitionError("line 3: KeyError", "")
    raised.add_note("Traceback")
    own = located(raised, "a.root, 0 to 5", selection)
    assert (own.where, own.what) == ("a.root, 0 to 5", "line 3: KeyError")
    assert own.remedy == "--on-error keep finishes without it"
    assert own.__notes__ == ["Traceback"]
    assert located(PartitionError("x", "", "do this"), "w", selection).remedy == "do this"


def test_only_the_user_s_own_errors_are_explained(tmp_path, monkeypatch):
    """One of ours that a shipped selection raises is as it is; of a user's function it is his."""
    code = (
        "from spectrum_workflows.errors import DataError\n"
        "def select(e): raise DataError('odd', 'x')\n"
    )
    with pytest.raises(PartitionError, match=r"mine.py, line 2, in select: DataError: x: odd"):
        found_in(tmp_path, code)(None)
    (tmp_path / "an_installed_one.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DataError, match="x: odd"):
        find_selection("an_installed_one:select", {})(None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('no\\nmore')", "importing broken_one failed: ValueError: no$"),
        ("raise SystemExit", "importing broken_one failed: SystemExit$"),
        ("import nowhere_at_all", "importing broken_one failed: No module named 'nowhere_at_all'"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(text, said, tmp_path, monkeypatch):
    (tmp_path / "broken_one.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SpecError, match=said):
        find_selection("broken_one:select", {})


def test_long_tracebacks_are_cut(tmp_path):
    code = "def select(n):\n    return 1 / n if n == 0 else select(n - 1)\n"
    with pytest.raises(PartitionError) as failed:
        found_in(tmp_path, code)(200)
    [note] = failed.value.__notes__
    lines = note.splitlines()
    assert lines[0] == "Traceback of the selection:"
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert len([line for line in lines if "mine.py, line 2" in line]) == 40


def test_an_error_names_its_file_once():
    error = DataError("no branch", "a.root", "name another")
    for where in ("a.root", "a.root (Events entries 0 to 5)"):
        assert str(located(error, where, None)) == f"{where}: no branch; name another"
    assert str(located(error.at("objects"), "a.root", None)).startswith("a.root: objects: no")
    assert str(located(error.at(""), "a.root", None)).startswith("a.root: no branch")
