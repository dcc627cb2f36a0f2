"""Histograms of up to six axes of every kind are those that hist fills, and are saved whole."""

from __future__ import annotations

import json
from itertools import pairwise

import hist
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import histogram, plot, results, review
from spectrum_workflows.hep.exact.histograms import rounded
from spectrum_workflows.hep.io import reading_back, write
from spectrum_workflows.hep.plot import stacks
from spectrum_workflows.hep.plot.projections import projected
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.types import Events, Filled, HepResult, Observable
from spectrum_workflows.hep.workflow.codec import codec
from spectrum_workflows.record import digest
from spectrum_workflows.specs import parse

from . import fills

N = 400
RNG = np.random.default_rng(11)
WEIGHTS = RNG.normal(1.0, 0.5, N)
COLUMNS = {
    "x": RNG.uniform(-1, 6, N),
    "y": RNG.normal(0, 1, N),
    "n": RNG.integers(-2, 8, N),
    "w": RNG.choice(["ee", "mumu", "emu"], N),
    "id": RNG.choice([11, -13, 22, 1000822080], N),
}

KINDS = {
    "codes": {"observable": "id", "categories": [-13, 11], "label": "PDG ID"},
    "cube": {
        "observable": ["x", "y", "n"],
        "bins": [4, 3, 0],
        "start": [0.0, -2.0, 0],
        "stop": [5.0, 2.0, 5],
        "integer": [False, False, True],
        "label": ["x [GeV]", "y", "jets"],
    },
    "words": {
        "observable": ["x", "w", "y"],
        "edges": [[0.0, 1.0, 5.0], [], [-1.0, 0.0, 2.0]],
        "categories": [[], ["ee", "emu"], []],
        "label": ["x [GeV]", "channel", "y"],
    },
    "four": {
        "observable": ["id", "w", "x", "n"],
        "categories": [[11, 22], ["mumu"], [], []],
        "edges": [[], [], [0, 2, 3, 5], []],
        "start": 0,
        "stop": 4,
        "integer": [False, False, False, True],
        "bins": 0,
    },
}

X = hist.axis.Regular(4, 0, 5, name="x")
DIRECT = {
    "codes": [hist.axis.IntCategory([-13, 11], name="id", overflow=True)],
    "cube": [X, hist.axis.Regular(3, -2, 2, name="y"), hist.axis.Integer(0, 5, name="n")],
    "words": [
        hist.axis.Variable([0, 1, 5], name="x"),
        hist.axis.StrCategory(["ee", "emu"], name="w", overflow=True),
        hist.axis.Variable([-1, 0, 2], name="y"),
    ],
    "four": [
        hist.axis.IntCategory([11, 22], name="id", overflow=True),
        hist.axis.StrCategory(["mumu"], name="w", overflow=True),
        hist.axis.Variable([0, 2, 3, 5], name="x"),
        hist.axis.Integer(0, 4, name="n"),
    ],
}


def spec(**changes: object) -> HepSpec:
    table = {
        "workflow": "hep",
        "name": "axes",
        "select": "any.module:select",
        "columns": ["x"],
        "luminosity": 6.0,
        "variations": ["up"],
        "samples": {
            "a": {"files": ["a.root"], "cross_section": 2.0},
            "d": {"files": ["d.root"], "data": True},
        },
        "histograms": KINDS,
        **changes,
    }
    return parse(HepSpec, table, where="spec")


def filled(sample: str, part: slice, *, weights: bool = True) -> Filled:
    """Events of a range, weighted, with a variation that moves values and weights."""
    w = WEIGHTS[part] if weights else None
    moved = {"x": COLUMNS["x"] + 0.5}

    def observed(name: str) -> Observable:
        values = COLUMNS[name][part]
        if sample == "d":
            return Observable(values, w)
        up = Observable(moved.get(name, COLUMNS[name])[part], None if w is None else 2 * w)
        return Observable(values, w, variations={"up": up})

    return fills.filled(
        sample,
        {name: observed(name) for name in COLUMNS},
        spec().histograms,
        events=len(COLUMNS["x"][part]),
        variations=[] if sample == "d" else ["up"],
        titles=spec().titles,
    )


def direct(name: str, weights: np.ndarray, **changes: np.ndarray) -> hist.Hist:
    columns = {**COLUMNS, **changes}
    h = hist.Hist(*DIRECT[name], storage=hist.storage.Weight())
    values = [columns[axis.name] for axis in h.axes]
    return h.fill(
        *[v.astype(np.int32) if v.dtype.kind == "i" else v for v in values], weight=weights
    )


def total_of(cuts: list[int]) -> Filled:
    ends = [0, *sorted(cuts), N]
    parts = [filled("a", slice(a, b)) for a, b in pairwise(ends)]
    total = parts[0]
    for part in parts[1:]:
        total = histogram.merge(total, part)
    return histogram.merge(total, filled("d", slice(0, N), weights=False))


@pytest.fixture(scope="module")
def result() -> HepResult:
    return histogram.normalised(total_of([130, 300]), spec())


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, N), max_size=3))
def test_bins_are_those_of_hist_for_every_partitioning(cuts: list[int]) -> None:
    total = total_of(cuts)
    for name in KINDS:
        for title, h in (
            (name, direct(name, WEIGHTS)),
            (f"{name}_up", direct(name, 2 * WEIGHTS, x=COLUMNS["x"] + 0.5)),
        ):
            ours, theirs = rounded(total.histograms["a", title]).view(flow=True), h.view(flow=True)
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours.value, theirs.value, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(ours.variance, theirs.variance, rtol=1e-12)
        exact = direct(name, np.ones(N)).view(flow=True)
        np.testing.assert_array_equal(total.histograms["d", name].view(flow=True), exact)


def test_results_are_scaled_saved_and_read_back_to_the_bit(result, tmp_path) -> None:
    factor = 2.0 * 6.0 / N
    for name in KINDS:
        theirs = direct(name, WEIGHTS).view(flow=True)
        ours = result.histograms["a", name].view(flow=True)
        np.testing.assert_allclose(ours.value, factor * theirs.value, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(ours.variance, factor**2 * theirs.variance, rtol=1e-12)
    for file, content in write.files(result):
        (tmp_path / file).write_bytes(content)
    arrays = histogram.arrays(result)
    assert arrays["a/four/values"].shape == (3, 2, 5, 6)
    assert digest(write.read(str(tmp_path))) == digest(arrays)
    summary = json.loads(json.dumps(results.summary(result)))
    again = reading_back.load(str(tmp_path), result.spec, summary)
    assert digest(histogram.arrays(again)) == digest(arrays)
    assert again.histograms["a", "four"].axes == result.histograms["a", "four"].axes


def test_root_has_three_axes_and_more_of_them_one_after_the_other(result, tmp_path) -> None:
    (tmp_path / "h.root").write_bytes(dict(write.files(result))["histograms.root"])
    with uproot.open(tmp_path / "h.root") as file:
        for name in ("codes", "cube", "words"):
            ours, theirs = result.histograms["a", name], file[f"a/{name}"]
            assert theirs.classname == f"TH{len(ours.axes)}D"
            np.testing.assert_array_equal(theirs.values(), ours.values())
            np.testing.assert_allclose(theirs.variances(), ours.variances(), rtol=1e-12)
            inside = tuple(slice(None if a.traits.ordered else 1, None) for a in ours.axes)
            whole = theirs.values(flow=True)
            np.testing.assert_array_equal(whole[inside], ours.values(flow=True))
        assert file["a/codes"].axis().labels() == ["-13", "11"]
        assert file["a/words"].axis("y").labels() == ["ee", "emu"]
        ours, theirs = result.histograms["a", "four"].view(flow=True), file["a/four"]
        assert theirs.classname == "TH1D"
        np.testing.assert_array_equal(theirs.values(), ours.value.ravel())
        np.testing.assert_allclose(theirs.variances(), ours.variance.ravel(), rtol=1e-12)
        assert theirs.axis().member("fTitle") == "x: 3 x y: 2 x z: 5 x u: 6, the last fastest"


def test_xarray_has_a_dimension_for_each_axis(result) -> None:
    tree = results.dataset(result)
    four = tree["four"]
    assert four["values"].sizes == {"sample": 2, "x": 2, "y": 1, "z": 3, "u": 4}
    assert four["x"].values.tolist() == [11, 22]
    assert four["y"].values.tolist() == ["mumu"]
    assert four["z_high"].values.tolist() == [2, 3, 5]
    np.testing.assert_array_equal(four["values"][0], result.histograms["a", "four"].values())
    rows = {(r["sample"], r["histogram"]): r for r in results.table(result)}
    row, h = rows["a", "four"], result.histograms["a", "four"]
    assert row["yield"] == pytest.approx(h.values(flow=True).sum())
    assert row["entries"] == N


def test_what_has_more_than_two_axes_is_drawn_as_its_projections(result) -> None:
    for k, axis in enumerate("xyz"):
        one = projected(result, "words", k)
        for title in ("words", "words_up"):
            h = result.histograms["a", title].project(axis)
            assert one.histograms["a", title] == h
        again = histogram.empty("words", one.spec.histograms["words"])
        assert again.axes[0].size == one.histograms["a", "words"].axes[0].size
        assert np.array_equal(again.axes[0].edges, one.histograms["a", "words"].axes[0].edges)
    for name, figure in plot.pictures(result):
        figure.canvas.draw()
        if name == "words.png":
            main = figure.axes[:3]
            assert [axes.get_title(loc="left") for axes in main] == ["axes: simulation"] * 3
            below = figure.axes[3:]
            assert [a.get_xlabel() for a in below] == ["x [GeV]", "channel", "y"]
    assert len(stacks.views(result, "cube")) == 3
    assert review.warnings(result) == ()
    with pytest.raises(SpecError, match="has 3 axes; what is explored has events on one"):
        results.explore(result, "cube")


def test_a_ledger_keeps_them_to_the_bit() -> None:
    items = [Events("a", "a.root", "Events", 0, N, "", 0)]
    part, kept = filled("a", slice(0, N)), codec(spec())
    again = kept.read(kept.write(part, items), items)
    assert again.histograms == part.histograms


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": [1, 1]}, "different numbers"),
        ({"categories": [1, "a"]}, "valid"),
        ({"categories": [True, False]}, "valid"),
        ({"categories": [2**31]}, "whole numbers go up to"),
        ({"categories": [1], "edges": [0, 1]}, "either edges or categories"),
        ({"observable": list("abcdefg"), "bins": 2, "start": 0, "stop": 1}, "has 1 to 6"),
        ({"observable": list("abcdef"), "bins": 20, "start": 0, "stop": 1}, "too many"),
        ({"observable": list("abc"), "bins": [2, 2], "start": 0, "stop": 1}, "for 3 axes"),
        (
            {"observable": list("abc"), "bins": 2, "start": 0, "stop": 1, "fit": "z"},
            "needs one axis",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        spec(histograms={"h": changes})


def test_whole_numbers_of_any_type_are_categories_and_others_lie_outside() -> None:
    both = {
        "codes": HistogramSpec(observable="n", categories=(0, 1, -7)),
        "text": HistogramSpec(observable="n", categories=("1", "-7")),
    }
    for values in (
        np.array([1, 1, -7, 5], np.int8),
        np.array([1, 1, -7, 2**40], np.int64),
        np.array([1.0, 1.0, -7.0, 0.5], np.float32),
    ):
        asked = both if values.dtype.kind == "i" else {"codes": both["codes"]}
        found = fills.filled("a", {"n": values}, asked, events=4).histograms
        assert found["a", "codes"].values(flow=True).tolist() == [0, 2, 1, 1]
        if "text" in asked:
            assert found["a", "text"].values(flow=True).tolist() == [2, 1, 1]


def test_a_fit_takes_one_axis_and_says_what_to_do() -> None:
    fit = {"signal": "a", "regions": ["cube"]}
    with pytest.raises(SpecError, match="'cube' has 3 axes; a region has events on one axis: fill"):
        spec(fit=fit)
    fitted = spec(fit={"signal": "a", "regions": ["codes"]})
    assert fitted.fit is not None


def test_all_axes_take_the_same_events() -> None:
    observed = {name: Observable(COLUMNS[name], WEIGHTS) for name in "xyn"}
    asked = {"cube": spec().histograms["cube"]}
    for other in (Observable(COLUMNS["n"][1:], WEIGHTS[1:]), Observable(COLUMNS["n"], 2 * WEIGHTS)):
        with pytest.raises(DataError, match="regions of histogram 'cube' differ in their"):
            fills.filled("a", observed | {"n": other}, asked, events=N)
