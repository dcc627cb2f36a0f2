"""Histograms filled and scaled where cuts are combined, weights come in sets, or regions differ."""

from dataclasses import replace

import numpy as np
import pytest

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.exact import sums
from spectrum_workflows.hep.exact.histograms import rounded
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.types import FileRead, Filled, Observable, ProcessedLuminosity

from . import fills

TABLE = {
    "workflow": "hep",
    "name": "test",
    "select": "any.module:select",
    "columns": ["x"],
    "luminosity": 100.0,
    "samples": {
        "a": {"files": ["a.root"], "cross_section": 2.0},
        "d": {"files": ["d.root"], "data": True},
    },
    "histograms": {"h": {"bins": 2, "start": 0.0, "stop": 2.0}},
}
SPEC = HepSpec(**TABLE)
REGIONS = {"regions": {"r": {"cuts": ("one", "two")}}, "variations": ("up",)}
CUTS = HepSpec(
    **TABLE | REGIONS | {"histograms": {"h": {"regions": ["r"], "bins": 2, "start": 0, "stop": 2}}}
)


def fates(values: list[int], weights: list[float] | None = None) -> Observable:
    """Twice the number of cuts that are passed before one that fails; one more if it alone does."""
    own = None if weights is None else np.array(weights)
    return Observable(np.array(values), own, np.arange(len(values)))


def passing(values: list[float], weights: list[float], **variations: Observable) -> Observable:
    return Observable(np.array(values), np.array(weights), variations=variations)


def filled_with_cuts() -> Filled:
    """Of five events three pass both cuts, and two if they vary."""
    flow = fates([4, 0, 4, 3, 4], [1.0, 2.0, 3.0, 4.0, 5.0])
    flow = Observable(flow.values, flow.weights, flow.index, {"up": fates([4, 0, 1, 2, 4])})
    inside = passing([0.5, 0.5, 1.5], [1, 3, 5], up=passing([1.5, 1.5], [1, 5]))
    return fills.filled(
        "a",
        {"r/": flow, "r/h": inside},
        CUTS.histograms,
        events=7,
        variations=["up"],
        titles=CUTS.titles,
        cuts=CUTS.combined_regions,
    )


def test_a_region_of_cuts_has_the_events_that_pass_them_all() -> None:
    part = filled_with_cuts()
    assert part.selected == {("a", "r"): 3}
    assert part.events == {"a": 7}


def test_fates_are_counted_for_every_variation() -> None:
    part = filled_with_cuts()
    assert [*part.fates] == [("a", "r", ""), ("a", "r", "up")]
    nominal, varied = (sums.rounded(fates) for fates in part.fates.values())
    assert nominal[:, :, 0].tolist() == [[1, 0], [0, 1], [3, 0]]
    assert nominal[:, :, 1].tolist() == [[2, 0], [0, 4], [9, 0]]
    assert nominal[:, :, 2].tolist() == [[4, 0], [0, 16], [35, 0]]
    assert varied[:, :, 0].tolist() == [[1, 1], [1, 0], [2, 0]]


def test_cuts_of_two_parts_add_up_and_make_a_flow() -> None:
    both = histogram.merge(filled_with_cuts(), filled_with_cuts())
    result = histogram.normalised(both, CUTS)
    weight = 2.0 * 100.0 / 14
    flow = result.cut_flows["a", "r", ""]
    assert flow.cuts == ("one", "two")
    assert flow.entries.tolist() == [10, 8, 6]
    np.testing.assert_allclose(flow.yields, np.array([30, 26, 18]) * weight)
    assert result.cut_flows["d", "r", ""].entries.tolist() == [0, 0, 0]
    assert histogram.arrays(result)["a/r/cut_flow"].shape == (5, 3)


def test_without_cuts_there_are_no_fates() -> None:
    part = fills.filled("a", {"h": np.array([1.0])}, SPEC.histograms, events=1)
    assert part.fates == {}
    assert histogram.normalised(part, SPEC).cut_flows == {}


def test_a_variation_of_cuts_that_is_not_there_is_named() -> None:
    with pytest.raises(SpecError, match=r"no variation 'down' of 'r'"):
        fills.filled(
            "a",
            {"r/": fates([4])},
            {},
            events=1,
            variations=["down"],
            cuts={"r": ("one", "two")},
        )


SETS = {
    "scale": {"column": "LHE", "kind": "envelope", "members": (0, 2)},
    "other": {"column": "LHE", "kind": "envelope", "members": (0, 1), "samples": ("b",)},
    "shower": {"column": "PS", "kind": "pair", "members": (0, 1)},
}
B = {"files": ["b.root"], "cross_section": 1.0}
SET_SPEC = HepSpec(**TABLE | {"samples": TABLE["samples"] | {"b": B}, "generator_weights": SETS})


def with_sets() -> Filled:
    """What is filled of both simulated samples: every member has weights of its own."""
    total = None
    for sample, scale in (("a", 1.0), ("b", 10.0)):
        values = np.array([0.5, 1.5])
        members = {
            "scale_0": [2.0, 0.5],
            "scale_2": [0.5, 3.0],
            "other_0": [7.0, 1.0],
            "other_1": [1.0, 1.0],
            "shower_up": [4.0, 4.0],
            "shower_down": [0.25, 0.25],
        }
        asked = [name for name in members if name in SET_SPEC.filled_of(sample)]
        varied = {name: Observable(values, scale * np.array(members[name])) for name in asked}
        part = fills.filled(
            sample,
            {"h": Observable(values, scale * np.ones(2), variations=varied)},
            SET_SPEC.histograms,
            events=2,
            variations=asked,
            titles=SET_SPEC.titles,
        )
        total = part if total is None else histogram.merge(total, part)
    return total


def test_members_of_a_set_give_two_templates_of_the_samples_that_it_is_for() -> None:
    result = histogram.normalised(with_sets(), SET_SPEC)
    templates = {key: h.values().tolist() for key, h in result.histograms.items()}
    assert set(templates) == {
        *(("a", f"h{end}") for end in ("", "_scale_up", "_scale_down")),
        *(("b", f"h{end}") for end in ("", "_scale_up", "_scale_down")),
        *(("a", f"h{end}") for end in ("_shower_up", "_shower_down")),
        *(("b", f"h{end}") for end in ("_shower_up", "_shower_down")),
        *(("b", f"h{end}") for end in ("_other_up", "_other_down")),
        ("d", "h"),
    }
    assert templates["a", "h_scale_up"] == [200.0, 300.0]
    assert templates["a", "h_scale_down"] == [50.0, 50.0]
    assert templates["b", "h_scale_up"] == [1000.0, 1500.0]
    assert templates["b", "h_other_up"] == [3500.0, 500.0]
    assert templates["b", "h_other_down"] == [500.0, 500.0]
    assert templates["a", "h_shower_up"] == [400.0, 400.0]
    assert templates["a", "h_shower_down"] == [25.0, 25.0]


def test_a_sample_without_events_has_empty_templates() -> None:
    lost = Filled({}, {}, {})
    result = histogram.normalised(lost, SET_SPEC)
    assert result.histograms["a", "h_scale_up"].values().tolist() == [0.0, 0.0]
    assert result.histograms["a", "h_scale_up"].name == "h_scale_up"
    assert result.events == {"a": 0, "d": 0, "b": 0}


TWO = HistogramSpec(observable=("x", "y"), bins=(2, 2), start=(0.0, 0.0), stop=(2.0, 2.0))


def fill_two(x: Observable, y: Observable, **options: object) -> Filled:
    return fills.filled("a", {"x": x, "y": y}, {"map": TWO}, events=3, **options)


def test_two_axes_are_filled_with_the_pairs_of_their_regions() -> None:
    index, weights = np.array([0, 2]), np.array([1.0, 0.5])
    x = Observable(np.array([0.5, 1.5]), weights, index)
    y = Observable(np.array([1.5, 1.5]), weights.copy(), index.copy())
    view = rounded(fill_two(x, y).histograms["a", "map"]).view()
    assert view.value.tolist() == [[0.0, 1.0], [0.0, 0.5]]


@pytest.mark.parametrize(
    ("attribute", "other"),
    [
        ("values", Observable(np.array([0.5]))),
        ("weights", Observable(np.array([0.5, 0.5]), np.array([1.0, 2.0]))),
        ("weights", Observable(np.array([0.5, 0.5]), None, np.array([0, 1]))),
        ("index", Observable(np.array([0.5, 0.5]), np.ones(2), np.array([0, 2]))),
        ("index", Observable(np.array([0.5, 0.5]), np.ones(2))),
    ],
)
def test_two_axes_need_the_same_events(attribute: str, other: Observable) -> None:
    x = Observable(np.array([0.5, 1.5]), np.ones(2), np.array([0, 1]))
    with pytest.raises(DataError) as refused:
        fill_two(x, other)
    assert refused.value.where == "select"
    assert refused.value.what == f"the regions of histogram 'map' differ in their {attribute}"
    remedy = "return its observables of the same events, with the same weights and index"
    assert refused.value.remedy == remedy


def test_two_axes_need_the_same_events_under_a_variation_too() -> None:
    x = Observable(np.array([0.5]), variations={"up": Observable(np.array([0.5, 1.0]))})
    y = Observable(np.array([0.5]), variations={"up": Observable(np.array([0.5]))})
    with pytest.raises(DataError, match="regions of histogram 'map' differ in their values"):
        fill_two(x, y, variations=["up"])


def test_a_region_that_is_not_there_is_named_where_it_is_asked_for() -> None:
    with pytest.raises(SpecError) as refused:
        fills.filled("a", {"hx": np.ones(2)}, SPEC.histograms, events=2)
    assert refused.value.what == "select returns no region 'h'"
    assert refused.value.where == "histograms.h"
    assert refused.value.remedy == "did you mean hx?"


def test_text_is_on_no_axis_of_numbers() -> None:
    words = HistogramSpec(observable="w", categories=("ee", "mm"))
    numbers = HistogramSpec(observable="w", bins=2, start=0.0, stop=2.0)
    with pytest.raises(DataError) as refused:
        fills.filled("a", {"w": np.array(["ee", "x"])}, {"h": words, "n": numbers}, events=2)
    assert refused.value.what == "region 'w' holds text, which is on no axis of numbers"
    assert refused.value.where == "select"
    assert refused.value.remedy == "give this histogram categories, too"


def test_text_that_is_a_number_is_on_both_kinds_of_axes() -> None:
    words = HistogramSpec(observable="w", categories=("1", "2"))
    numbers = HistogramSpec(observable="w", bins=2, start=1.0, stop=3.0)
    part = fills.filled("a", {"w": np.array([1, 2, 2])}, {"h": words, "n": numbers}, events=3)
    assert part.histograms["a", "h"].values().tolist() == [1, 2]
    assert part.histograms["a", "n"].values().tolist() == [1, 2]


def test_categories_that_are_not_declared_are_overflow() -> None:
    words = HistogramSpec(observable="w", categories=("ee", "mm"))
    part = fills.filled("a", {"w": np.array(["mm", "em", "mm"])}, {"h": words}, events=3)
    assert part.histograms["a", "h"].view(flow=True).value.tolist() == [0, 2, 1]


def test_whole_numbers_stay_outside_their_axis_however_large() -> None:
    whole = HistogramSpec(observable="n", integer=True, start=0, stop=3)
    values = np.array([-1e12, -1.0, -0.5, 0.0, 2.0, 2.9, 3.0, 1e12])
    view = fills.filled("a", {"n": values}, {"h": whole}, events=8).histograms["a", "h"]
    assert view.view(flow=True).value.tolist() == [3, 1, 0, 2, 2]


def test_axes_of_every_kind_are_called_as_the_spec_says() -> None:
    kinds = {
        "edges": {"edges": (0.0, 1.0, 3.0)},
        "whole": {"integer": True, "start": 0, "stop": 3},
        "words": {"categories": ("ee", "mm")},
        "regular": {"bins": 2, "start": 0.0, "stop": 1.0},
    }
    for name, options in kinds.items():
        axis = histogram.empty(name, HistogramSpec(**options, label=f"{name} [GeV]")).axes[0]
        assert (axis.name, axis.label) == ("x", f"{name} [GeV]")


def test_a_luminosity_is_an_array_of_data() -> None:
    part = fills.filled("d", {"h": np.array([0.5])}, SPEC.histograms, events=1)
    result = replace(
        histogram.normalised(part, SPEC),
        luminosities={"d": ProcessedLuminosity(12.5, 20.0, 3)},
    )
    assert histogram.arrays(result)["d/luminosity"].tolist() == [12.5]


def test_uneven_logarithmic_bins_take_what_they_hold() -> None:
    uneven = HistogramSpec(observable="n", edges=(-1.0, 1.0, 10.0))
    view = fills.filled("a", {"n": np.array([-0.5, 5.0])}, {"h": uneven}, events=2)
    assert view.histograms["a", "h"].values().tolist() == [1, 1]


def test_an_index_must_be_of_an_event_that_was_seen() -> None:
    outside = {"h": Observable(np.array([1.0]), index=np.array([3]))}
    with pytest.raises(DataError, match="index"):
        fills.filled("a", outside, SPEC.histograms, events=3, seen=3)


def test_a_weight_of_one_changes_nothing() -> None:
    part = fills.filled("d", {"h": np.array([0.5])}, SPEC.histograms, events=1)
    result = histogram.normalised(part, SPEC)
    assert result.histograms["d", "h"] is part.histograms["d", "h"]


def test_files_and_written_columns_of_two_parts_are_joined() -> None:
    a = Filled({}, {}, {}, {("a", "u"): FileRead(1, 4)}, written=("first",))
    b = Filled({}, {}, {}, {("a", "u"): FileRead(2, 4)}, written=("second",))
    both = histogram.merge(a, b)
    assert both.files["a", "u"].read == 3
    assert both.written == ("first", "second")


@pytest.mark.parametrize("name", ["s/h/values", "s/luminosity"])
def test_what_is_no_number_in_one_result_alone_is_as_far_as_can_be(name: str) -> None:
    number, none = np.array([1.0, 2.0]), np.array([1.0, np.nan])
    assert histogram.deviation(name, number, none).found == np.inf
    assert histogram.deviation(name, none, none).found == 0.0
    assert histogram.deviation(name, np.array([np.inf]), np.array([-np.inf])).found == np.inf
    assert histogram.deviation(name, np.array([np.inf]), np.array([np.inf])).found == 0.0


def test_counts_may_not_differ_at_all() -> None:
    nothing = np.zeros(0)
    assert histogram.deviation("s/events", nothing, nothing) == (0.0, 0.0)
    assert histogram.deviation("s/r/entries", np.array([2.0, 1.0]), np.array([0.0, 2.0])).found == 2
