from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.types import Observable

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
    return histogram.filled(sample, found, SPEC.histograms, events=len(values) + 3)


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
    view = fill(np.array([1.0, 1.5]), weights=np.array([0.5, 2.0])).histograms["a", "h"].view()
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
        histogram.filled("a", {"hh": np.ones(2)}, SPEC.histograms, events=2)


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
    found = histogram.filled("a", {"x": Observable(values)}, {"x": spec}, events=5)
    view = found.histograms["a", "x"].view(flow=True)
    assert (view.value[0], view.value[1:-1].sum(), view.value[-1]) == (3, 1, 1)


def test_edges_of_whole_numbers_are_whole():
    (axis,) = HistogramSpec(integer=True, start=-1, stop=2).axes("n")
    assert axis.boundaries == (-1, 0, 1, 2)
