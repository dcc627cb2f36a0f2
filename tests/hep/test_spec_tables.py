"""Tables of a spec: what they mean, and what none of them may say."""

from itertools import product
from typing import Any

import hist
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.declarations import numbers
from spectrum_workflows.hep.plot.style import COLOURS, colour, luminosity, per_bin
from spectrum_workflows.hep.review import of_histogram, warnings
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.spec import cuts as cut_values
from spectrum_workflows.hep.spec.fallback import FallbackSpec, check
from spectrum_workflows.hep.spec.objects import ObjectSpec, SmearingSpec, column_of
from spectrum_workflows.hep.spec.regions import RegionSpec, expanded
from spectrum_workflows.hep.spec.samples import SampleSpec, stands_for_several
from spectrum_workflows.hep.spec.titles import titles_of
from spectrum_workflows.hep.spec.variations import VariationSpec
from spectrum_workflows.hep.spec.weights import GeneratorWeightSpec, WeightSpec
from spectrum_workflows.hep.types import Filled, Observable
from spectrum_workflows.hep.types.events import Events, FileRead
from spectrum_workflows.hep.types.luminosity import Blocks
from spectrum_workflows.hep.workflow.codec import codec
from spectrum_workflows.specs import parse

from . import fills

AXIS = {"bins": 4, "start": 0.0, "stop": 8.0}
TABLE: dict[str, Any] = {
    "workflow": "hep",
    "name": "tables",
    "select": "any.module:select",
    "columns": ["x"],
    "luminosity": 100.0,
    "samples": {
        "a": {"files": ["a.root"], "cross_section": 2.0},
        "b": {"files": ["b.root"], "cross_section": 1.0, "luminosity": 50.0},
        "up": {"files": ["c.root"], "cross_section": 2.0, "varies": "a"},
        "d": {"files": ["d.root"], "data": True},
    },
    "histograms": {"h": AXIS},
}


def spec(**more: Any) -> HepSpec:
    return parse(HepSpec, TABLE | more, where="spec")


# Each table by itself


@pytest.mark.parametrize(
    ("model", "table", "says"),
    [
        (VariationSpec, {"object": "j"}, "give either a correction, or up and down"),
        (VariationSpec, {"object": "j", "correction": "c", "up": {"a": "b"}}, "give either"),
        (VariationSpec, {"object": "j", "up": {"a": "b"}}, "give both up and down"),
        (VariationSpec, {"object": "j", "correction": "c_{source}"}, "sources belong to a corr"),
        (VariationSpec, {"object": "j", "correction": "c", "sources": ["a"]}, "sources belong"),
        (
            VariationSpec,
            {"object": "j", "correction": "c_{source}", "sources": ["a", "a"]},
            "a source is named twice",
        ),
        (SmearingSpec, {"resolution": "r", "scale_factor": "s", "index": "i"}, "belong together"),
        (ObjectSpec, {"collection": "Jet", "files": "f", "scaled": []}, "scaled is empty"),
        (WeightSpec, {"files": "f", "correction": "c", "where": "w"}, "where needs a collection"),
        (
            WeightSpec,
            {"files": "f", "correction": "c", "collection": "Jet", "tagged": "t"},
            "tagged and efficiency belong together",
        ),
        (
            WeightSpec,
            {"files": "f", "correction": "c", "up": {"a": "b"}},
            "give both up and down, or neither",
        ),
        (
            GeneratorWeightSpec,
            {"column": "c", "kind": "pair", "members": [0, 1, 2]},
            "a pair has two members, not 3",
        ),
        (
            GeneratorWeightSpec,
            {"column": "c", "kind": "envelope", "members": [0, 1, 0]},
            "a member is named twice",
        ),
        (SampleSpec, {"files": ["a", "b"], "events": [1]}, "events has 1 numbers for 2 files"),
        (SampleSpec, {"files": ["a"], "weighted": True}, "weighted is for data"),
    ],
)
def test_a_table_that_contradicts_itself(
    model: type[BaseModel], table: dict[str, Any], says: str
) -> None:
    with pytest.raises(SpecError, match=says):
        parse(model, table, where="spec")


def test_every_source_is_two_templates() -> None:
    sources = VariationSpec(object="j", correction="Total_{source}_X", sources=("b", "a"))
    assert sources.corrections("jes") == {"jes_b": "Total_b_X", "jes_a": "Total_a_X"}
    assert sources.templates("jes") == ("jes_b_up", "jes_b_down", "jes_a_up", "jes_a_down")
    alone = VariationSpec(object="j", up={"s": "u"}, down={"s": "d"})
    assert alone.templates("jer") == ("jer_up", "jer_down")


def test_of_a_set_its_members_are_filled_and_of_a_pair_its_templates() -> None:
    kinds = {
        kind: GeneratorWeightSpec(column="c", kind=kind, members=(3, 5))
        for kind in ("pair", "envelope")
    }
    assert kinds["pair"].filled("ps") == kinds["pair"].templates("ps") == ("ps_up", "ps_down")
    assert kinds["envelope"].filled("scale") == ("scale_3", "scale_5")
    assert kinds["envelope"].templates("scale") == ("scale_up", "scale_down")


@pytest.mark.parametrize(
    ("given", "column"), [("x", "x"), ("|x|", "x"), ("||", "||"), ("|x", "|x"), ("|", "|")]
)
def test_bars_around_a_column_ask_for_its_absolute_value(given: str, column: str) -> None:
    assert column_of(given) == column


@pytest.mark.parametrize(
    ("name", "several"),
    [("a.root", False), ("@list", True), ("catalogue:x", True), ("a?.root", True), ("[a]", True)],
)
def test_what_may_be_several_files(name: str, several: bool) -> None:
    assert stands_for_several(name) is several


@pytest.mark.parametrize(
    ("fallback", "says"),
    [
        ({}, "needs either a column or a definition or a constant"),
        ({"column": "y", "constant": 0.0}, "needs either"),
        ({"definition": "d"}, "needs working_point: which one the definition gives"),
        ({"constant": 0.0, "tagger": "t"}, "is a constant, which has no tagger"),
        ({"constant": 2**63}, r"constant does not fit into 64 bits"),
        ({"constant": [1, -(2**63)]}, r"constant does not fit into 64 bits"),
    ],
)
def test_a_fallback_says_what_it_means(fallback: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=rf"^fallbacks\.x[ .].*{says}|{says}"):
        check("x", FallbackSpec(**fallback))


@pytest.mark.parametrize("missing", ["tagger", "working_point", "cuts"])
def test_a_discriminant_says_for_which_working_point_its_cut_is(missing: str) -> None:
    full = {"column": "y", "tagger": "t", "working_point": "w", "cuts": {}}
    check("Jet_btagX", FallbackSpec(**full))
    with pytest.raises(ValueError, match="needs"):
        check("Jet_btagX", FallbackSpec(**{k: v for k, v in full.items() if k != missing}))


@pytest.mark.parametrize(
    ("fallback", "words"),
    [
        (
            {"column": "y", "tagger": "T", "working_point": "M", "cuts": {"b": 0.30001}},
            "x is absent, y stands in (tagger T, working point M, cuts.b = 0.30001)",
        ),
        ({"constant": [0, 1]}, "x is absent, the constant [0, 1] stands in"),
        (
            {"definition": "d", "working_point": "tight", "cuts": {"w": ["a"]}},
            "x is absent, definition d stands in (working point tight, cuts.w = ['a'])",
        ),
    ],
)
def test_a_fallback_in_words(fallback: dict[str, Any], words: str) -> None:
    assert FallbackSpec(**fallback).words("x") == words


cuts = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), cuts, max_size=4))
@settings(max_examples=60)
def test_cuts_come_back_with_their_types_in_one_order(given: dict[str, Any]) -> None:
    bound = cut_values.bound(given)
    hash(bound)
    assert [name for name, _ in bound] == sorted(given)
    assert repr(cut_values.given(bound)) == repr(dict(sorted(given.items())))


# Tables together


def test_regions_and_categories_are_combined_in_every_way() -> None:
    regions = {
        "base": {"cuts": ["one", "two"]},
        "signal": {"within": "base", "cuts": ["tag"], "split": ["flavour", "sign"]},
    }
    categories = {
        "flavour": {"e": ["electron"], "m": ["muon", "not electron"]},
        "sign": {"os": ["opposite"], "ss": ["not opposite"]},
    }
    histograms = {"h": AXIS | {"region": "base"}}
    found = spec(regions=regions, categories=categories, histograms=histograms).combined_regions
    inner = ("one", "two", "tag")
    assert [*found] == [
        "base",
        "signal",
        *(f"signal_{f}_{s}" for f, s in product("em", ("os", "ss"))),
    ]
    assert (found["base"], found["signal"]) == (("one", "two"), inner)
    assert found["signal_m_ss"] == (*inner, "muon", "not electron", "not opposite")


@pytest.mark.parametrize(
    ("regions", "says"),
    [
        ({"a": {}}, r"regions\.a has no cuts"),
        ({"a": {"cuts": ["x", "y", "x"]}}, r"regions\.a: the cut 'x' is there twice"),
        ({"a": {"cuts": ["x"], "within": "c"}}, r"regions\.a\.within: no 'c' here; known here: a"),
        (
            {"a": {"cuts": ["x"], "within": "b"}, "b": {"cuts": ["y"], "within": "a"}},
            r"regions\.a is within itself \(a within b within a\)",
        ),
        ({"a": {"cuts": ["x"], "split": ["s"]}}, r"regions\.a\.split: no 's' here"),
        ({"a": {"cuts": ["not  x"]}}, "cuts"),
    ],
)
def test_regions_that_do_not_fit_together(regions: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        spec(regions=regions, histograms={"h": AXIS | {"region": "a"}})


def test_a_histogram_of_several_regions_becomes_one_of_each() -> None:
    table = {
        "regions": {"r": {}, "s": {}},
        "histograms": {"h": {"regions": ["r", "s"], "bins": 3}, "r": {"bins": 2}, "k": {"bins": 1}},
    }
    assert expanded(table)["histograms"] == {
        "h_r": {"observable": "h", "bins": 3, "region": "r"},
        "h_s": {"observable": "h", "bins": 3, "region": "s"},
        "r": {"bins": 2, "region": "r"},
        "k": {"bins": 1},
    }
    assert "h" in table["histograms"], "what was given stays"


@pytest.mark.parametrize(
    ("histograms", "says"),
    [
        ({"h": {"region": "r", "regions": ["r"]}}, "has either region or regions"),
        ({"h": {"regions": ["r", "r"]}}, r"histograms\.h_r is there twice"),
    ],
)
def test_a_histogram_names_its_regions_once(histograms: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        expanded({"histograms": histograms})


words = st.lists(st.text("a_", min_size=1, max_size=4), max_size=5, unique=True)


@given(words, words)
@settings(max_examples=100)
def test_no_two_histograms_have_one_title(names: list[str], varied: list[str]) -> None:
    titles = titles_of(names, varied)
    assert len({*titles.values()}) == len(titles) == len(names) * (len(varied) + 1)
    assert all(titles[name, ""] == name for name in names)
    assert all(titles[n, v].startswith(n) and titles[n, v].endswith(v) for n, v in titles)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"luminosity": None}, r'normalisation = "events" needs luminosity'),
        ({"samples": {"a": {"files": ["a"]}}}, r"samples\.a needs cross_section"),
        (
            {
                "samples": TABLE["samples"]
                | {"x": {"files": ["x"], "cross_section": 1.0, "varies": "up"}}
            },
            r"samples\.x\.varies: no 'up' here",
        ),
        (
            {"samples": TABLE["samples"] | {"x": {"files": ["x"], "data": True, "varies": "a"}}},
            "data varies nothing, and nothing varies it",
        ),
        ({"fallbacks": {"y": {"constant": 0.0}}}, r"fallbacks\.y: y is not among the columns"),
        ({"fit": {"signal": "z", "regions": ["h"]}}, "z"),
        ({"fit": {"signal": "a", "regions": ["k"]}}, "k"),
    ],
)
def test_what_does_not_fit_the_rest_of_a_spec(change: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        spec(**change)


def test_a_sample_of_its_own_luminosity_is_scaled_to_that() -> None:
    found = spec()
    assert [found.luminosity_of(name) for name in "abd"] == [100.0, 50.0, 100.0]
    total = Filled({}, {}, {"a": 40, "b": 5, "d": 7})
    weights = [histogram.weight_of(name, total, found) for name in ("a", "b", "up", "d")]
    assert weights == [2.0 * 100 / 40, 1.0 * 50 / 5, 1.0, 1.0]


def test_names_and_labels_do_not_decide_what_is_filled() -> None:
    other = TABLE["samples"]["a"] | {"label": "A", "cross_section": 9.0, "files": ["z.root"]}
    same = {
        "name": "another",
        "luminosity": 5.0,
        "samples": TABLE["samples"] | {"a": other},
        "histograms": {"h": AXIS | {"label": "h [GeV]"}},
    }
    assert numbers(spec(**same)) == numbers(spec())
    for change in ({"histograms": {"h": AXIS | {"bins": 5}}}, {"cuts": {"pt": 3.0}}):
        assert numbers(spec(**change)) != numbers(spec())


# Axes


regular = st.tuples(st.integers(1, 50), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.booleans())


@given(regular)
@settings(max_examples=80)
def test_edges_of_a_spec_are_those_that_are_filled(axis: tuple[int, float, float, bool]) -> None:
    bins, start, width, log = axis
    start = abs(start) + 1e-3 if log else start
    assume(start + width > start)
    try:
        described = HistogramSpec(bins=bins, start=start, stop=start + width, log=log)
    except ValidationError as error:
        assert "no width that is a number" in str(error)
        return
    filled = histogram.empty("h", described).axes[0].edges
    np.testing.assert_allclose(described.axes("h")[0].boundaries, filled, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"bins": 4, "start": 0.0}, "missing key 'stop'"),
        ({"bins": 4, "start": 1.0, "stop": 1.0}, r"stop must be above start \(1\)"),
        ({"bins": 0, "start": 0.0, "stop": 1.0}, "bins must be greater than 0"),
        ({"bins": 4, "start": 0.0, "stop": 1.0, "log": True}, "must start above 0"),
        ({"bins": 10, "start": 1e16, "stop": 1e16 + 4}, "have no width that is a number"),
        ({"edges": [1.0]}, "edges needs two numbers or more"),
        ({"edges": [1.0, 3.0, 3.0]}, "edges must rise: 3 comes after 3"),
        ({"edges": [1.0, 2.0], "bins": 1}, "bins has no meaning beside edges; leave it out"),
        ({"edges": [1.0, 2.0], "categories": ["a"]}, "either edges or categories"),
        ({"categories": ["a", "a"]}, "must be different texts"),
        ({"categories": ["a"], "log": True}, "cannot be logarithmic"),
        ({"integer": True, "start": 0.5, "stop": 3.0}, "needs a whole start and stop"),
        ({"integer": True, "start": 0.0, "stop": 2.0**31}, "whole numbers go up to"),
        ({"integer": True, "start": 0.0, "stop": 3.0, "bins": 2}, "do not go into 2 bins"),
        ({"bins": [4, 4], "start": 0.0, "stop": 1.0}, r"2 axes need observable = \[\.\.\.\]"),
        ({"bins": [4, 4], "start": [0.0, 1.0, 2.0], "stop": 9.0}, "bins is for 2 axes and start"),
        ({"bins": [4] * 7, "start": 0.0, "stop": 9.0}, "a histogram has 1 to 6"),
        ({"bins": True, "start": 0.0, "stop": 9.0}, "true and false are no numbers"),
        (
            {"bins": [9999, 9999], "start": 0.0, "stop": 9.0, "observable": ["a", "b"]},
            "bins are too many",
        ),
        ({"categories": ["a"], "fit": "z"}, "fit needs one axis of numbers"),
    ],
)
def test_axes_that_cannot_be(table: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse(HistogramSpec, table, where="spec")


# What a result says of itself


def made(values: dict[str, list[float]], weights: float | None = None) -> Any:
    found, total = spec(), Filled({}, {}, {})
    for sample, own in values.items():
        w = None if weights is None else np.full(len(own), weights)
        part = fills.filled(
            sample, {"h": Observable(np.array(own), w)}, found.histograms, events=10
        )
        total = histogram.merge(total, part)
    return histogram.normalised(total, found)


def spoilt(result: Any) -> Any:
    result.histograms["a", "h"].view()["variance"][0] = np.inf
    return result


def test_a_result_without_faults_says_nothing() -> None:
    assert warnings(made({"a": [1.0], "b": [1.0], "d": [2.0]})) == ()


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (lambda: made({"a": [99.0], "d": [-1.0]}), "all events lie outside the axis"),
        (lambda: made({"a": [1.0], "b": [1.0]}, -1.0), "fewer events than none in a, b"),
        (lambda: spoilt(made({"a": [1.0], "b": [1.0]})), "not finite in a"),
    ],
)
def test_contents_that_no_picture_shows_are_said(result: Any, says: str) -> None:
    assert of_histogram(result(), "h") == (says,)


def test_a_region_in_which_nothing_is_selected_is_said() -> None:
    assert warnings(made({"a": [], "up": [1.0]})) == (
        "region h: no event is selected in any sample",
    )


# What a ledger keeps


def test_fills_come_back_to_the_bit() -> None:
    found = spec()
    items = [Events(s, f"{s}.root", "Events", 0, 5, "", 0) for s in "ab"]
    part = fills.filled(
        "a",
        {"h": Observable(np.array([1.0, 9.0]), np.array([0.1, 0.3]))},
        found.histograms,
        events=5,
    )
    blocks = Blocks(*(np.array([3, 4]) for _ in range(3)), False)
    files = {  # not in the order of the partitions
        ("b", "b.root"): FileRead(1, 1, blocks=blocks),
        ("a", "a.root"): FileRead(5, 9, 0.1, "c", ("x",), "b", True),
    }
    fates = {("a", "r", ""): np.arange(12.0).reshape(2, 2, 3) / 7}
    filled = Filled(part.histograms, part.selected, part.events, files, fates)
    kept = codec(found)
    moved = [Events(i.sample, f"s3://b/{i.url}", "Events", 0, 5, "", 0) for i in items]
    again = kept.read(kept.write(filled, items), moved)
    assert again.histograms["a", "h"] == filled.histograms["a", "h"]
    assert (again.selected, again.events) == (filled.selected, filled.events)
    assert {url: file for (_, url), file in again.files.items()} == {
        f"s3://b/{url}": file for (_, url), file in files.items()
    }
    np.testing.assert_array_equal(again.files["b", "s3://b/b.root"].blocks.place, [3, 4])
    assert not again.files["b", "s3://b/b.root"].blocks.listed
    np.testing.assert_array_equal(again.fates["a", "r", ""], fates["a", "r", ""])
    other = codec(spec(histograms={"h": AXIS | {"bins": 5}}))
    with pytest.raises(ValueError, match="histogram 'h' of the ledger has other bins"):
        other.read(kept.write(filled, items), items)


parts = st.lists(
    st.builds(
        FileRead,
        st.integers(0, 9),
        st.just(9),
        st.sampled_from([0.0, 2.5]),
        st.just("c"),
        st.just(()),
        st.sampled_from(["", "b"]),
        st.booleans(),
    ),
    min_size=3,
    max_size=3,
)


@given(parts)
@settings(max_examples=40)
def test_accounts_of_one_file_add_up_in_any_grouping(parts: list[FileRead]) -> None:
    a, b, c = parts
    assert (a + b) + c == a + (b + c)
    assert (a + b + c).read == a.read + b.read + c.read
    assert (a + b).entries == 9


# Pictures


def test_a_sample_has_one_colour_and_data_has_none() -> None:
    found = spec()
    assert [colour(found, name) for name in "ab"] == [*COLOURS[:2]]
    with pytest.raises(ValueError, match="d"):
        colour(found, "d")


@pytest.mark.parametrize(
    ("label", "width", "text"),
    [
        ("m [GeV]", 2.5, "Events / 2.5 GeV"),
        ("n", 1.0, "Events / bin"),
        ("n", 0.25, "Events / 0.25"),
    ],
)
def test_contents_are_per_unit(label: str, width: float, text: str) -> None:
    assert per_bin(label, width) == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"luminosity": 138_000.0, "energy": 13.0}, "138 fb$^{-1}$ (13 TeV)"),
        ({"luminosity": 99.0}, "99 pb$^{-1}$"),
        ({"luminosity": 99.0, "energy": 13.6, "normalisation": "none"}, "(13.6 TeV)"),
    ],
)
def test_luminosity_is_in_a_unit_that_fits(change: dict[str, Any], text: str) -> None:
    assert luminosity(spec(**change)) == text


def test_axes_of_the_library_are_those_of_the_kind() -> None:
    kinds = {
        hist.axis.Regular: AXIS,
        hist.axis.Variable: {"edges": [0.0, 1.0, 5.0]},
        hist.axis.Integer: {"integer": True, "start": 0.0, "stop": 3.0},
        hist.axis.StrCategory: {"categories": ["a", "b"]},
    }
    for kind, table in kinds.items():
        assert isinstance(histogram.empty("h", HistogramSpec(**table)).axes[0], kind)


def test_a_region_is_frozen() -> None:
    with pytest.raises(ValidationError):
        RegionSpec(cuts=("a",)).cuts = ()
