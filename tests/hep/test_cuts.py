"""Cuts reach select with the types they have in the file."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.select.finding import find_selection
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.cuts import frozen
from spectrum_workflows.hep.spec.cuts import given as as_given
from spectrum_workflows.specs import parse, read_toml, spec_digest

SPEC = """
workflow = "hep"
name = "case"
select = "mine.py:select"
columns = ["MET_pt"]
normalisation = "none"
[samples.s]
files = ["a.root"]
[histograms.h]
bins = 2
start = 0.0
stop = 1.0
[cuts]
"""


def spec(cuts: str) -> HepSpec:
    return parse(HepSpec, read_toml((SPEC + cuts).encode(), where="spec"), where="spec")


CUTS = {
    '"2018"': "2018",
    '"T"': "T",
    '"on"': "on",
    '"yes"': "yes",
    '"1.0"': "1.0",
    '"nan"': "nan",
    '""': "",
    "1": 1,
    "1.0": 1.0,
    "true": True,
    "false": False,
    "-0.0": -0.0,
    '["2016", "2018"]': ["2016", "2018"],
    '[1, 1.5, true, "x"]': [1, 1.5, True, "x"],
    "[[20.0, 30.0], []]": [[20.0, 30.0], []],
}


@pytest.mark.parametrize("written", CUTS)
def test_a_cut_arrives_as_it_was_written(written, tmp_path):
    (tmp_path / "mine.py").write_text("def select(events, *, x): return repr(x)\n")
    first = spec(f"x = {written}")
    again = parse(HepSpec, json.loads(json.dumps(first.model_dump(mode="json"))), where="record")
    changed = spec("x = 5").changed(cuts={"x": CUTS[written]})
    for one in (first, again, changed, first.changed(name="other")):
        selection = find_selection("mine.py:select", one.cuts, folder=str(tmp_path))
        assert selection(None) == repr(CUTS[written])
    assert spec_digest(again) == spec_digest(first)
    assert spec_digest(changed) == spec_digest(first)


def test_one_and_one_point_zero_and_true_are_different_questions():
    digests = {spec_digest(spec(f"x = {w}")) for w in ("1", "1.0", "true", '"1"', "[1]")}
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2018-05-01", "not a date; a date is written as text"),
        ("2018-05-01T10:00:00", "not a datetime"),
        ("{ pt = 20.0 }", "not a dict"),
        ("[{ pt = 20.0 }]", "not a dict"),
        ("nan", "is finite"),
        ("[1.0, inf]", "is finite"),
    ],
)
def test_what_is_no_cut_is_refused(written, said):
    with pytest.raises(SpecError, match=f"cuts.x: .*{said}"):
        spec(f"x = {written}")


def test_numbers_of_numpy_are_numbers():
    found = spec("").changed(cuts={"x": np.float64(2.5), "n": np.int32(3), "b": np.bool_(True)})
    assert {n: type(v) for n, v in found.cuts.items()} == {"x": float, "n": int, "b": bool}


def test_a_list_is_the_call_s_own(tmp_path):
    code = "def select(events, *, x):\n    x.append(1)\n    return len(x)\n"
    (tmp_path / "mine.py").write_text(code)
    selection = find_selection("mine.py:select", {"x": [0]}, folder=str(tmp_path))
    assert [selection(None), selection(None)] == [2, 2]


def test_cuts_of_a_fallback_keep_their_types_too():
    text = '[fallbacks.MET_pt]\ncolumn = "PuppiMET_pt"\ncuts = { wp = "T", met = 20 }\n'
    fallback = spec(text).fallbacks["MET_pt"]
    assert fallback.cuts == {"wp": "T", "met": 20}
    assert fallback.words("MET_pt").endswith("(cuts.wp = 'T', cuts.met = 20)")


SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.recursive(SCALARS | st.text(), st.lists))
def test_any_cut_survives_freezing(cut):
    assert repr(as_given((("x", frozen(cut)),))["x"]) == repr(cut)
