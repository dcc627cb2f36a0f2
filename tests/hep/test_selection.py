import pickle

import pytest

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.select.finding import find_selection

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
