import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.hep.plan.partition import bytes_read, cuts

boundaries = st.lists(st.integers(1, 50), max_size=20).map(
    lambda sizes: [0, *np.cumsum(sizes).tolist()]
)


@given(boundaries, st.integers(1, 80))
def test_ranges_cover_every_entry_once_and_respect_the_limit(edges, most):
    ranges = cuts(edges, most)
    assert [e for start, stop in ranges for e in range(start, stop)] == list(range(edges[-1]))
    assert all(0 < stop - start <= most for start, stop in ranges)


@given(boundaries, st.integers(1, 80))
def test_a_cut_inside_a_cluster_only_where_the_cluster_is_too_large(edges, most):
    for start, _ in cuts(edges, most):
        if start not in edges:
            k = np.searchsorted(edges, start)
            assert edges[k] - edges[k - 1] > most


def test_neighbouring_clusters_share_a_range_as_long_as_they_fit():
    assert cuts([0, 10, 20, 30, 40], 25) == [(0, 20), (20, 40)]


def test_one_cluster_of_1000_is_cut_into_17_equal_pieces():
    sizes = [stop - start for start, stop in cuts([0, 1000], 59)]
    assert len(sizes) == 17
    assert {58, 59} == set(sizes)


def test_no_entries_give_no_ranges():
    assert cuts([0], 10) == []


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [([(0, 20)], 110), ([(0, 10), (10, 20)], 210 - 100 + 100), ([(0, 5)], 107), ([], 0)],
)
def test_bytes_count_every_basket_a_range_touches(ranges, expected):
    baskets = np.array([[0, 20, 100], [0, 10, 7], [10, 20, 3]])
    assert bytes_read(baskets, ranges) == expected
