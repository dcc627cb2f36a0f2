"""Names are keys: any that are legal live side by side, and all of them can be saved."""

import json

import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep import histogram, plot
from spectrum_workflows.hep.io import write
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.titles import titles_of
from spectrum_workflows.hep.types import Observable
from spectrum_workflows.naming import LONGEST, file_names
from spectrum_workflows.record import digest
from spectrum_workflows.specs import parse

from . import fills

AXIS = {"observable": "x", "bins": 2, "start": 0.0, "stop": 2.0}


def spec(samples, histograms, variations=()) -> HepSpec:
    table = {
        "workflow": "hep",
        "name": "names",
        "select": "any.module:select",
        "columns": ["x"],
        "normalisation": "none",
        "variations": list(variations),
        "samples": {name: {"files": [f"{k}.root"]} for k, name in enumerate(samples)},
        "histograms": dict.fromkeys(histograms, AXIS),
    }
    return parse(HepSpec, table, where="spec")


def result(described: HepSpec):
    """Histograms whose contents tell sample, histogram and variation."""
    total = None
    for k, sample in enumerate(described.samples):
        varied = described.variations_of(sample)
        values = np.zeros(k + 1)
        variations = {
            v: Observable(values, np.full(k + 1, 10.0 * (j + 1))) for j, v in enumerate(varied)
        }
        found = fills.filled(
            sample,
            {"x": Observable(values, variations=variations)},
            described.histograms,
            events=k + 1,
            variations=varied,
            titles=described.titles,
        )
        total = found if total is None else histogram.merge(total, found)
    return histogram.normalised(total, described)


def test_a_variation_and_a_histogram_of_one_joined_name_stay_apart(tmp_path):
    described = spec(["s", "s2"], ["h", "h_x_up", "h_x"], ["x_up", "up"])
    found = result(described)
    assert described.titles["h", "x_up"] == "h__x_up"
    assert described.titles["h_x", "up"] == "h_x__up"
    assert len(found.histograms) == 2 * 9
    for (name, variation), title in described.titles.items():
        weight = {"": 1.0, "x_up": 10.0, "up": 20.0}[variation]
        assert found.histograms["s2", title].values().tolist() == [2 * weight, 0], name
    saved = dict(write.files(found))
    for name, content in saved.items():
        (tmp_path / name).write_bytes(content)
    assert digest(write.read(str(tmp_path))) == digest(histogram.arrays(found))
    with uproot.open(tmp_path / "histograms.root") as file:
        assert len([k for k in file.keys(cycle=False) if "/" in k]) == 18


def test_names_without_a_clash_are_joined_as_ever():
    assert titles_of(["4j1b", "4j2b"], ["pt_up"])["4j2b", "pt_up"] == "4j2b_pt_up"
    assert set(titles_of(["a", "a_b"], ["b_c", "c"]).values()) == {
        *("a", "a_b", "a_b_c", "a_c", "a_b__c", "a_b_b_c"),
    }


STRANGE = [
    "con",
    "CON",
    "Con.x",
    ".",
    "..",
    ".hidden",
    "-x",
    "~x",
    "a;1",
    "a:b",
    "a*b",
    "a?b",
    "a#b",
]
STRANGE += [
    "a%20b",
    "[0]",
    "{x}",
    'q"q',
    "q'q",
    "a\\b",
    "a|b",
    "<b>",
    "$x_{",
    "$",
    "€",
    "é",
    "e\u0301",
]
STRANGE += ["h", "H", "x" * LONGEST, "ß", "ss", "record", "image", "data", "pulls", "correlations"]
STRANGE += [
    "warnings",
    "events",
    "values",
    "lumi",
    "luminosity",
    "staterror_h",
    "_",
    "h.png",
    "日本",
]


def test_every_legal_name_is_saved_in_every_product(tmp_path):
    described = spec(STRANGE, STRANGE)
    found = result(described)
    for name, content in write.files(found):
        (tmp_path / name).write_bytes(content)
    assert digest(write.read(str(tmp_path))) == digest(histogram.arrays(found))
    with uproot.open(tmp_path / "histograms.root") as file:
        sums = sorted(file[k].values().sum() for k in file.keys(cycle=False) if "/" in k)
    n = len(STRANGE)
    assert sums == sorted(float(k + 1) for k in range(n) for _ in range(n))
    drawn = plot.pictures(result(spec(["s"], STRANGE)))
    names = [name for name, _ in zip(drawn, range(3), strict=False)]
    assert len(names) == 3


@settings(deadline=None, max_examples=settings().max_examples // 2)
@given(
    st.lists(st.text(st.characters(exclude_characters="/"), min_size=1, max_size=6), max_size=12)
)
def test_files_of_any_names_are_distinct_and_safe(names):
    found = [name.casefold() for name in file_names(names)]
    assert len(set(found)) == len(names)
    for name in found:
        assert name[0] not in ".-~"
        assert name.partition(".")[0] not in {"con", "nul", "com1"}
        assert not set(name) & set('/\\:*?"<>|;#%[]{} \n\0')


def test_safe_names_stay_as_they_are():
    assert file_names(["4j1b.png", "Z_mass-2.png", "pt+1.png"]) == [
        *("4j1b.png", "Z_mass-2.png", "pt+1.png"),
    ]
    assert file_names(["a.png", "A.png", "a.png"]) == ["a.png", "A~2.png", "a~3.png"]


@pytest.mark.parametrize("name", ["a b", "a/b", "", "a\nb", "a\tb", "a\0b", "x" * 201, "é" * 101])
@pytest.mark.parametrize("what", ["samples", "histograms", "variations"])
def test_names_that_cannot_be_are_refused_in_one_line(name, what):
    given = {"samples": ["s"], "histograms": ["h"], "variations": ["v"]}
    with pytest.raises(SpecError) as error:
        spec(*{**given, what: [name]}.values())
    assert "\n" not in str(error.value)


def test_warnings_stand_in_every_product():
    described = spec(["s"], ["h"])
    values = Observable(np.array([5.0, 7.0]))
    total = fills.filled("s", {"x": values}, described.histograms, events=2)
    saved = dict(write.files(histogram.normalised(total, described)))
    said = ["histogram h: all events lie outside the axis"]
    assert json.loads(saved["histograms.json"])["warnings"] == said
