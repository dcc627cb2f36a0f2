from dataclasses import replace
from itertools import pairwise

import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.exact.histograms import rounded
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.types import FileRead, Observable

from . import fills

AXIS = HistogramSpec(bins=5, start=0.0, stop=10.0)
SPEC = HepSpec(
    workflow="hep",
    name="test",
    select="any.module:select",
    columns=["x"],
    luminosity=100.0,
    samples={"a": {"files": ["a.root"], "cross_section": 2.0}, "d": {"files": ["d"], "data": True}},
    histograms={"h": AXIS},
)
numbers = st.lists(st.floats(-5, 15, width=32), max_size=40).map(lambda x: np.array(x, np.float64))


def fill(values, sample="a", weights=None):
    found = {"h": Observable(values, weights)}
    return fills.filled(sample, found, SPEC.histograms, events=len(values) + 3)


@given(numbers)
def test_filling_is_what_numpy_counts(values):
    view = fill(values).histograms["a", "h"].view(flow=True)
    edges = np.array([-np.inf, 0, 2, 4, 6, 8, 10, np.inf])
    expected = [np.sum((values >= lo) & (values < hi)) for lo, hi in pairwise(edges)]
    assert view.value.tolist() == expected
    assert view.variance.tolist() == expected


@given(numbers, st.integers(0, 40), st.integers(0, 40))
def test_merging_unweighted_parts_is_exact_in_any_grouping(values, i, j):
    a, b, c = np.split(values, sorted((min(i, len(values)), min(j, len(values)))))
    left = histogram.merge(histogram.merge(fill(a), fill(b)), fill(c))
    right = histogram.merge(fill(a), histogram.merge(fill(b), fill(c)))
    whole = fill(values)
    for merged in (left, right):
        assert merged.histograms["a", "h"] == whole.histograms["a", "h"]
        assert merged.selected == whole.selected
        assert merged.events["a"] == whole.events["a"] + 6


def test_merging_leaves_its_arguments_alone_and_keeps_samples_apart():
    a, d = fill(np.array([1.0])), fill(np.array([1.0, 3.0]), "d")
    both = histogram.merge(a, d)
    assert a.histograms["a", "h"].sum().value == 1
    assert both.selected == {("a", "h"): 1, ("d", "h"): 2}


def test_weight_is_cross_section_times_luminosity_over_processed_events():
    total = histogram.merge(fill(np.array([1.0, 1.0])), fill(np.array([3.0]), "d"))
    result = histogram.normalised(total, SPEC)
    weight = 2.0 * 100.0 / 5
    assert result.weights == {"a": weight, "d": 1.0}
    arrays = histogram.arrays(result)
    assert arrays["a/h/values"].tolist() == [0, 2 * weight, 0, 0, 0, 0, 0]
    assert arrays["a/h/variances"].tolist() == [0, 2 * weight**2, 0, 0, 0, 0, 0]
    assert arrays["d/h/values"].tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert arrays["a/h/entries"].tolist() == [2]
    assert arrays["a/events"].tolist() == [5]
    assert {a.dtype for a in arrays.values()} == {np.dtype(np.float64)}


def test_a_sample_that_lost_everything_is_present_and_empty():
    result = histogram.normalised(fill(np.array([1.0])), SPEC)
    assert result.events == {"a": 4, "d": 0}
    assert histogram.arrays(result)["d/h/values"].tolist() == [0] * 7


def test_event_weights_are_summed_with_their_squares():
    part = fill(np.array([1.0, 1.5]), weights=np.array([0.5, 2.0]))
    view = rounded(part.histograms["a", "h"]).view()
    assert view.value[0] == 2.5
    assert view.variance[0] == 4.25


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(bad):
    with pytest.raises(DataError, match="1 numbers that are not finite"):
        fill(np.array([1.0, bad]))
    with pytest.raises(DataError, match="not finite"):
        fill(np.array([1.0]), weights=np.array([bad]))


def test_one_number_per_event_is_asked_for():
    with pytest.raises(DataError, match=r"shape \(2, 2\)"):
        fill(np.ones((2, 2)))
    with pytest.raises(DataError, match=r"weights \(3,\)"):
        fill(np.ones(2), weights=np.ones(3))


def test_an_unknown_region_is_named_with_the_closest():
    with pytest.raises(SpecError, match=r"no region 'h'.*did you mean hh"):
        fills.filled("a", {"hh": np.ones(2)}, SPEC.histograms, events=2)


def test_deviation_allows_rounding_of_sums_but_not_of_counts():
    a = np.array([0.0, 1.0, 3.0])
    assert histogram.deviation("a/h/values", a, a * (1 + 1e-13))[0] < 1e-12
    found, allowed = histogram.deviation("a/h/values", a, a + np.array([0, 1e-9, 0]))
    assert found > allowed
    found, allowed = histogram.deviation("a/h/entries", a, a + np.array([0, 0, 1]))
    assert (found, allowed) == (1.0, 0.0)


def test_what_has_no_logarithm_is_underflow() -> None:
    spec = HistogramSpec(bins=4, start=1.0, stop=100.0, log=True)
    values = np.array([-5.0, 0.0, 0.5, 10.0, 200.0])
    found = fills.filled("a", {"x": Observable(values)}, {"x": spec}, events=5)
    view = found.histograms["a", "x"].view(flow=True)
    assert (view.value[0], view.value[1:-1].sum(), view.value[-1]) == (3, 1, 1)


def test_edges_of_whole_numbers_are_whole():
    (axis,) = HistogramSpec(integer=True, start=-1, stop=2).axes("n")
    assert axis.boundaries == (-1, 0, 1, 2)


def test_an_empty_histogram_is_called_as_the_spec_says() -> None:
    spec = HistogramSpec(bins=4, start=1.0, stop=10000.0, log=True, label="m [GeV]")
    h = histogram.empty("mass", spec)
    assert (h.name, h.axes[0].name, h.axes[0].label) == ("mass", "x", "m [GeV]")
    np.testing.assert_allclose(h.axes[0].edges, [1, 10, 100, 1000, 10000])
    assert h.storage_type is hist.storage.Weight
    both = HistogramSpec(observable=("a", "b"), bins=(2, 3), start=(0, 0), stop=(1, 3))
    two = histogram.empty("map", both)
    assert [axis.name for axis in two.axes] == ["x", "y"]
    assert [axis.size for axis in two.axes] == [2, 3]
    named = histogram.empty("h", AXIS)
    assert named.axes[0].label == "h"  # where there is no label
    words = histogram.empty("w", HistogramSpec(categories=("ee", "mumu"))).axes[0]
    assert (list(words), words.traits.overflow, words.traits.growth) == (
        ["ee", "mumu"],
        True,
        False,
    )
    whole = histogram.empty("n", HistogramSpec(integer=True, start=-1, stop=2)).axes[0]
    assert isinstance(whole, hist.axis.Integer)
    assert whole.edges.tolist() == [-1, 0, 1, 2]
    uneven = histogram.empty("u", HistogramSpec(edges=(0.0, 0.5, 2.0))).axes[0]
    assert uneven.edges.tolist() == [0, 0.5, 2]


def test_generator_weights_multiply_those_of_the_events_that_were_chosen() -> None:
    chosen = Observable(np.array([1.0, 3.0]), np.array([2.0, 0.5]), index=np.array([2, 0]))
    generated = np.array([10.0, 99.0, -1.0])
    part = fills.filled(
        "a", {"h": chosen}, SPEC.histograms, events=3, seen=3, generator_weights=generated
    )
    view = rounded(part.histograms["a", "h"]).view()
    assert view.value[:2].tolist() == [-2.0, 5.0]
    assert view.variance[:2].tolist() == [4.0, 25.0]


def test_data_have_no_weights_where_they_may_not() -> None:
    weighted = {"h": Observable(np.array([1.0]), np.array([1.0]))}
    with pytest.raises(SpecError, match="weight"):
        fills.filled("d", weighted, SPEC.histograms, events=1, weightless=True)
    plain = {"h": np.array([1.0])}
    part = fills.filled("d", plain, SPEC.histograms, events=1, weightless=True)
    assert part.selected == {("d", "h"): 1}


def test_every_variation_is_filled_under_its_own_title() -> None:
    varied = Observable(np.array([1.0]), variations={"up": Observable(np.array([3.0, 3.5]))})
    titles = {("h", ""): "nominal", ("h", "up"): "raised"}
    part = fills.filled(
        "a", {"h": varied}, SPEC.histograms, events=2, variations=["up"], titles=titles
    )
    assert {name: h.sum().value for (_, name), h in part.histograms.items()} == {
        "nominal": 1,
        "raised": 2,
    }
    assert part.histograms["a", "raised"].view().value.tolist() == [0, 2, 0, 0, 0]
    assert part.histograms["a", "raised"].name == "raised"
    assert part.selected == {("a", "h"): 1}
    with pytest.raises(SpecError, match=r"no variation 'upp' of 'h'.*did you mean up") as refused:
        fills.filled("a", {"h": varied}, SPEC.histograms, events=2, variations=["upp"])
    assert refused.value.where == "variations"


def test_regions_that_one_sample_lacks_have_no_entries_there() -> None:
    both = {"h": np.array([1.0]), "other": np.array([1.0, 2.0])}
    part = fills.filled("a", both, SPEC.histograms, events=2)
    result = histogram.normalised(part, SPEC, ["lost.root"])
    assert result.selected == {
        ("a", "h"): 1,
        ("a", "other"): 2,
        ("d", "h"): 0,
        ("d", "other"): 0,
    }
    assert result.missing == ("lost.root",)


def normalised_by(normalisation: str, *files: FileRead) -> float:
    """The weight of two events of the sample, that stand for some generated ones."""
    spec = SPEC.changed(normalisation=normalisation)
    total = replace(fill(np.array([1.0])), files={("a", str(n)): f for n, f in enumerate(files)})
    return histogram.weight_of("a", total, spec)


def file_read(read: int, entries: int, sum_of_weights: float) -> FileRead:
    return FileRead(read, entries, sum_of_weights, content=f"{read} {entries}", fallbacks_used=())


def test_the_weight_of_a_sample_by_its_normalisation() -> None:
    whole, half = file_read(4, 4, 30.0), file_read(1, 2, 20.0)
    assert normalised_by("none", whole) == 1.0
    assert normalised_by("events") == 2.0 * 100.0 / 4
    assert normalised_by("genweight", whole, half) == 2.0 * 100.0 / (30 + 10)
    assert normalised_by("genweight", file_read(0, 0, 8.0)) == 2.0 * 100.0 / 8
    assert normalised_by("genweight") == 1.0  # nothing was read: there is nothing to scale
    assert np.isnan(normalised_by("genweight", file_read(4, 4, 0.0)))
    assert np.isnan(normalised_by("genweight", file_read(4, 4, -3.0)))


def test_deviations_are_relative_to_the_larger_of_two() -> None:
    a = np.array([0.0, -4.0, 2.0])
    assert histogram.deviation("s/h/values", a, np.array([0.0, -5.0, 2.0])) == (0.2, 1e-12)
    assert histogram.deviation("s/h/values", np.array([0.0]), np.array([1e-300])).found == 1.0
    assert histogram.deviation("s/h/values", np.zeros(3), np.zeros(3)).found == 0.0
    assert histogram.deviation("s/h/values", np.zeros(0), np.zeros(0)) == (0.0, 1e-12)
    counts = np.array([3.0]), np.array([1.0])
    assert histogram.deviation("s/events", *counts) == (2.0, 0.0)
    assert histogram.deviation("s/h/entries", *counts) == (2.0, 0.0)
    assert histogram.deviation("s/events/values", *counts).allowed == 1e-12


def test_axes_of_text_are_those_of_categories() -> None:
    words = HistogramSpec(observable="w", categories=("ee",))
    map_of = HistogramSpec(observable=("v", "x"), categories=(("a",), ()), edges=((), (0, 1)))
    assert histogram.texts({"h": AXIS, "w": words, "m": map_of}) == {"w", "v"}
