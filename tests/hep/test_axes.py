"""Axes of any kind: read, filled, merged, saved in every product, read back."""

import json

import awkward as ak
import hist
import numpy as np
import pytest
import uproot

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import histogram, plot
from spectrum_workflows.hep.io import write
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.axes import HistogramSpec
from spectrum_workflows.hep.types import Observable
from spectrum_workflows.record import digest
from spectrum_workflows.specs import parse

from . import fills

N = 500
RNG = np.random.default_rng(5)
X, Y = RNG.uniform(-1, 6, N), RNG.normal(0, 1, N)
WORDS = RNG.choice(["ee", "mumu", "emu"], N)

KINDS = {
    "uneven": {"observable": "x", "edges": [0.0, 0.5, 2.0, 5.0], "label": "x [GeV]"},
    "whole": {"observable": "x", "integer": True, "start": 0.0, "stop": 4.0},
    "words": {"observable": "w", "categories": ["mumu", "ee"]},
    "map": {
        "observable": ["x", "y"],
        "bins": [5, 4],
        "start": [0.0, -2.0],
        "stop": [5.0, 2.0],
        "label": ["x [GeV]", "y"],
    },
    "mixed": {
        "observable": ["w", "x"],
        "categories": [["ee", "emu"], []],
        "edges": [[], [0, 1, 5]],
    },
    "turned": {
        "observable": ["x", "w"],
        "edges": [[0, 1, 5], []],
        "categories": [[], ["ee", "emu"]],
    },
    "both": {
        "observable": ["x", "y"],
        "edges": [[0, 1, 5], []],
        "bins": [0, 2],
        "start": -1,
        "stop": 1,
    },
}


def spec(**histograms) -> HepSpec:
    table = {
        "workflow": "hep",
        "name": "axes",
        "select": "any.module:select",
        "columns": ["x"],
        "luminosity": 6.0,
        "samples": {
            "a": {"files": ["a.root"], "cross_section": 2.0},
            "d": {"files": ["d.root"], "data": True},
        },
        "histograms": histograms or KINDS,
    }
    return parse(HepSpec, table, where="spec")


def filled(sample: str, part: slice):
    found = {"x": X[part], "y": Observable(Y[part]), "w": ak.Array(WORDS[part].tolist())}
    return fills.filled(sample, found, spec().histograms, events=len(X[part]))


@pytest.fixture(scope="module")
def result():
    parts = [filled("a", slice(0, 200)), filled("a", slice(200, N)), filled("d", slice(0, N))]
    total = histogram.merge(histogram.merge(parts[0], parts[1]), parts[2])
    return histogram.normalised(total, spec())


def test_contents_are_what_numpy_counts(result):
    inf = np.inf
    arrays = histogram.arrays(result)
    expected = {
        "uneven": np.histogram(X, [-inf, 0, 0.5, 2, 5, inf])[0],
        "whole": np.histogram(X, [-inf, 0, 1, 2, 3, 4, inf])[0],
        "words": [np.sum(w == WORDS) for w in ("mumu", "ee", "emu")],
        "map": np.histogram2d(X, Y, [np.r_[-inf, 0:6, inf], np.r_[-inf, -2:3, inf]])[0],
        "both": np.histogram2d(X, Y, [[-inf, 0, 1, 5, inf], [-inf, -1, 0, 1, inf]])[0],
    }
    weight = 2.0 * 6.0 / N
    for name, counts in expected.items():
        assert arrays[f"d/{name}/values"].tolist() == np.asarray(counts, float).tolist()
        np.testing.assert_allclose(arrays[f"a/{name}/values"], np.array(counts) * weight)
        np.testing.assert_allclose(arrays[f"a/{name}/variances"], np.array(counts) * weight**2)
    assert arrays["d/mixed/values"].shape == (3, 4)
    assert arrays["d/mixed/values"][0, 1] == np.sum((WORDS == "ee") & (X >= 0) & (X < 1))


def test_all_of_it_is_saved_and_read_back(result, tmp_path):
    saved = dict(write.files(result))
    for name, content in saved.items():
        (tmp_path / name).write_bytes(content)
    assert digest(write.read(str(tmp_path))) == digest(histogram.arrays(result))
    described = json.loads(saved["histograms.json"])["histograms"]
    assert described["uneven"]["edges"] == [0.0, 0.5, 2.0, 5.0]
    assert [axis["label"] for axis in described["map"]["axes"]] == ["x [GeV]", "y"]
    with uproot.open(tmp_path / "histograms.root") as file:
        for name in KINDS:
            ours, theirs = result.histograms["a", name], file[f"a/{name}"]
            np.testing.assert_array_equal(theirs.values(), ours.values())
            np.testing.assert_allclose(theirs.variances(), ours.variances())
            text = [isinstance(axis, hist.axis.StrCategory) for axis in ours.axes]
            within = tuple(slice(1, None) if of_text else slice(None) for of_text in text)
            whole, variances = theirs.values(flow=True), theirs.variances(flow=True)
            np.testing.assert_array_equal(whole[within], ours.values(flow=True))
            np.testing.assert_array_equal(variances[within], ours.variances(flow=True))
            assert whole.sum() == pytest.approx(ours.values(flow=True).sum(), rel=1e-12)
        assert file["a/map"].classname == "TH2D"
        assert file["a/turned"].axis(1).labels() == ["ee", "emu"]
        assert file["a/words"].axis().labels() == ["mumu", "ee"]


def test_every_kind_is_drawn(result):
    drawn = dict(plot.pictures(result))
    assert list(drawn) == [f"{name}.png" for name in KINDS]
    for figure in drawn.values():
        figure.canvas.draw()
    maps = [axes for axes in drawn["map.png"].axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in maps] == ["axes: simulation", "axes: data"]
    ticks = [t.get_text() for t in drawn["words.png"].axes[-1].get_xticklabels()]
    assert ticks == ["mumu", "ee"]
    plot.figure(result).canvas.draw()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"edges": [1.0]}, "two numbers or more"),
        ({"edges": [1.0, 1.0]}, "edges must rise: 1 comes after 1"),
        ({"edges": [2.0, 1.0]}, "edges must rise"),
        ({"edges": [0.0, float("nan")]}, "finite number"),
        ({"edges": [0.0, float("inf")]}, "finite number"),
        ({"edges": [0.0, 1.0], "bins": 3}, "bins has no meaning beside edges"),
        ({"edges": [0.0, 1.0], "stop": 3.0}, "stop has no meaning beside edges"),
        ({"edges": [0.0, 1.0], "log": True}, "must start above 0"),
        ({"edges": [0.0, 1.0], "categories": ["a"]}, "either edges or categories"),
        ({"categories": ["a", "a"]}, "different texts"),
        ({"categories": [""]}, "different texts"),
        ({"categories": ["a"], "log": True}, "cannot be logarithmic"),
        ({"categories": ["a"], "fit": "top"}, "fit needs one axis of numbers"),
        ({}, "missing key 'start'"),
        ({"start": 0.0, "stop": 1.0}, "bins must be greater than 0"),
        ({"start": 0.0, "stop": 1.5, "integer": True}, "needs a whole start and stop"),
        ({"start": 0.0, "stop": 3.0, "integer": True, "bins": 4}, "3 whole numbers do not go"),
        ({"start": 0.0, "stop": 3e9, "integer": True}, "whole numbers go up to"),
        ({"bins": 3, "start": 1e16, "stop": 1e16 + 2}, "have no width"),
        ({"bins": 3, "start": -1.7e308, "stop": 1.7e308}, "have no width"),
        ({"bins": 1_000_000_000, "start": 0, "stop": 1}, "bins are too many"),
        ({"bins": [2, 2], "start": 0, "stop": 1}, "need observable"),
        (
            {"observable": ["x", "y"], "bins": [2, 2, 2], "start": 0, "stop": 1},
            "for 2 axes and bins for 3",
        ),
        ({"observable": ["x"] * 7, "bins": 2, "start": 0, "stop": 1}, "a histogram has 1 to 6"),
        (
            {"observable": ["x", "y"], "bins": [2, 2], "start": [0, 0], "stop": [1, 0]},
            "stop must be above",
        ),
        ({"observable": ["x", "y"], "bins": 2, "start": 0, "stop": 1, "label": "x"}, "need label"),
        (
            {"observable": ["x", "y"], "bins": 2, "start": 0, "stop": 1, "marks": {"a": 1}},
            "marks needs one",
        ),
    ],
)
def test_axes_that_make_no_sense_are_refused_in_one_line(changes, said):
    with pytest.raises(SpecError, match=said) as error:
        spec(h=changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (Observable(Y[:-1]), "differ in their values"),
        (Observable(Y, np.ones(N)), "differ in their weights"),
        (Observable(Y, index=np.arange(N)), "differ in their index"),
    ],
)
def test_two_axes_take_the_same_events(y, said):
    with pytest.raises(DataError, match=said):
        fills.filled("a", {"x": X, "y": y}, {"m": HistogramSpec(**KINDS["map"])}, events=N)


def test_small_and_large_whole_numbers_stay_what_they_are():
    axis = HistogramSpec(observable="n", integer=True, start=-1.0, stop=300.0)
    for values in (np.array([255, 0], np.uint8), np.array([-1, 2**40], np.int64), [-5.5, 299.9]):
        found = fills.filled("a", {"n": np.array(values)}, {"h": axis}, events=2)
        expected = np.histogram(np.array(values, float), [-np.inf, *range(-1, 301), np.inf])[0]
        assert found.histograms["a", "h"].view(flow=True).value.tolist() == expected.tolist()


def test_numbers_are_no_categories_and_text_is_no_number():
    axis = {"h": HistogramSpec(observable="w", categories=("a", "1"))}
    with pytest.raises(DataError, match="float64.*one text per selected event"):
        fills.filled("a", {"w": np.ones(2)}, axis, events=2)
    found = fills.filled("a", {"w": np.array([1, 2])}, axis, events=2)
    assert found.histograms["a", "h"].view(flow=True).value.tolist() == [0, 1, 1]
    nothing = fills.filled("a", {"w": []}, axis, events=2)
    assert nothing.histograms["a", "h"].sum(flow=True).value == 0


def test_a_region_of_whole_numbers_is_on_axes_of_both_kinds():
    both = {
        "words": HistogramSpec(observable="n", categories=("1", "2")),
        "numbers": HistogramSpec(observable="n", bins=3, start=0.0, stop=3.0),
    }
    found = fills.filled("a", {"n": np.array([1, 2, 2])}, both, events=3).histograms
    assert found["a", "words"].values().tolist() == [1, 2]
    assert found["a", "numbers"].values().tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="holds text, which is on no axis of numbers"):
        fills.filled("a", {"n": np.array(["1", "x"])}, both, events=2)


def test_not_a_number_in_one_place_of_both_is_no_deviation():
    a = np.array([np.nan, 1.0, np.inf])
    assert histogram.deviation("s/h/values", a, a * (1 + 1e-15))[0] < 1e-12
    for other in ([1.0, 1.0, np.inf], [np.nan, 1.0, 5.0], [np.nan, 1.0, -np.inf]):
        found, allowed = histogram.deviation("s/h/values", a, np.array(other))
        assert found > allowed
