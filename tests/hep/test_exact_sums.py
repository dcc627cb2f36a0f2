"""Sums of weights are exact: no order and no partition changes a bit."""

import math

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import connect, load_site, run
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import binning
from spectrum_workflows.hep.exact import histograms as exact
from spectrum_workflows.hep.exact.sums import added, exactly, reshaped, rounded, sums_in
from spectrum_workflows.hep.spec import HistogramSpec
from spectrum_workflows.hep.types import Observable
from spectrum_workflows.hep.types.sums import ExactSums

from . import fills

NUMBERS = st.lists(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.floats(-2.0, 2.0),
        st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1e300, -1e300, 2.0**53, 1.0]),
    ),
    max_size=40,
)


def sum_of(numbers: list[float]) -> ExactSums:
    values = np.array(numbers, np.float64)
    return reshaped(sums_in(np.zeros(len(values), np.int64), [values], 1), 1)


@given(NUMBERS)
@settings(deadline=None)
def test_a_sum_is_that_of_math(numbers: list[float]) -> None:
    try:
        expected = math.fsum(numbers)
    except OverflowError:
        return
    [got] = rounded(sum_of(numbers))
    assert got == pytest.approx(expected, rel=2**-52, abs=5e-324)
    if len({*numbers}) == 1 and len(numbers) == 1:
        assert got == numbers[0]


@given(st.data(), NUMBERS)
@settings(deadline=None)
def test_neither_order_nor_groups_change_a_bit(data: st.DataObject, numbers: list[float]) -> None:
    whole = rounded(sum_of(numbers))
    shuffled = data.draw(st.permutations(numbers))
    ends = sorted(data.draw(st.lists(st.integers(0, len(numbers)), max_size=3)))
    total = sum_of([])
    for start, end in zip([0, *ends], [*ends, len(numbers)], strict=True):
        total = added(sum_of(shuffled[start:end]), total)
    assert rounded(total).tobytes() == whole.tobytes()


def test_carries_of_many_sums_do_not_overflow() -> None:
    part = sum_of([2.0**31 - 2.0**-21] * 1000)
    total = part
    for _ in range(10):
        total = added(total, total)
    assert rounded(total) == 1000 * 2**10 * (2.0**31 - 2.0**-21)


def test_numbers_of_events_join_exact_sums() -> None:
    both = added(np.array([3.0, 0.0]), exactly(np.array([0.1, 1e-30])))
    assert rounded(both).tolist() == [3.1, 1e-30]
    assert rounded(np.array([1, 2])).dtype == np.float64


def test_what_is_infinite_is_refused() -> None:
    with pytest.raises(DataError, match="too large"):
        sums_in(np.zeros(1, np.int64), [np.array([np.inf])], 1)


AXES = {
    "regular": HistogramSpec(bins=4, start=-1.0, stop=1.0),
    "edges": HistogramSpec(edges=[-1.0, 0.0, 0.25, 3.0]),
    "integer": HistogramSpec(integer=True, start=-2, stop=3),
    "codes": HistogramSpec(observable="codes", categories=[3, -1]),
    "text": HistogramSpec(observable="text", categories=["b", "a"]),
}


@pytest.mark.parametrize("name", AXES)
def test_entries_are_in_the_bins_where_the_library_has_them(name: str) -> None:
    rng = np.random.default_rng(3)
    spec, weights = AXES[name], rng.normal(1, 1, 500)
    values = {"text": rng.choice(["a", "b", "c"], 500), "codes": rng.integers(-2, 5, 500)}
    plain = np.concatenate([rng.normal(0, 1, 490), [-1.0, 0.0, 1.0, 3.0, -2.0, 2.0, 0.25, 9, 9, 9]])
    seen = Observable(values.get(name, plain), weights)
    ours = fills.filled("s", {spec.observable or name: seen}, {name: spec}, events=500)
    theirs = hist.Hist(*binning.axes_of(name, spec), storage=hist.storage.Weight())
    theirs.fill(*binning.coordinates(spec.axes(name), [seen]), weight=weights)
    view = exact.rounded(ours.histograms["s", name]).view(flow=True)
    np.testing.assert_allclose(view.value, theirs.view(flow=True).value, rtol=1e-12)
    np.testing.assert_allclose(view.variance, theirs.view(flow=True).variance, rtol=1e-12)


@pytest.mark.parametrize("most", [37, 700, 100_000])
def test_a_run_with_weights_is_the_same_however_its_events_are_cut(
    most: int, ttbar_spec, generated
) -> None:
    """Weights of variations, generator weights and their normalisation."""
    spec = ttbar_spec.changed(normalisation="genweight", partition={"max_events": 420})
    with connect(load_site("serial"), data=str(generated)) as place:
        digest = run(spec, place).digest
        assert run(spec.changed(partition={"max_events": most}), place).digest == digest
