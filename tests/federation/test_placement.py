"""Placement of subtrees: where the bytes lie, as few values as can be, shared out by capacity."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.engine.ledger import Node
from spectrum_workflows.engine.placement import Wanted, nearest_to, place, root_of

A, B, BOTH = frozenset("a"), frozenset("b"), frozenset("ab")
EQUAL = {"a": 1.0, "b": 1.0}


def items(*sites: frozenset[str]) -> list[Wanted]:
    return [Wanted(site, 10.0) for site in sites]


def spans(cut, fan_in: int, count: int) -> list[int]:
    """Numbers of the items below all subtrees, in their order."""
    return [n for s in cut for n in range(count)[s.node.span(fan_in)]]


def test_what_lies_at_one_site_is_one_subtree():
    [whole] = place(items(*[B] * 100), 4, EQUAL)
    assert whole.site == "b"
    assert whole.node == root_of(100, 4)


def test_halves_are_two_subtrees():
    cut = place(items(*[A] * 16, *[B] * 16), 4, EQUAL)
    assert [(s.node, s.site) for s in cut] == [(Node(2, 0), "a"), (Node(2, 1), "b")]


def test_a_mixed_family_is_computed_item_by_item():
    cut = place(items(A, B, A, B), 4, EQUAL)
    assert [s.node.level for s in cut] == [0, 0, 0, 0]
    assert [s.site for s in cut] == ["a", "b", "a", "b"]


def test_what_several_hold_is_shared_by_capacity():
    cut = place(items(*[BOTH] * 64), 2, {"a": 3.0, "b": 1.0})
    load = {site: sum(2**s.node.level for s in cut if s.site == site) for site in "ab"}
    assert load == {"a": 48, "b": 16}


def test_what_is_held_by_one_counts_as_its_load():
    cut = place(items(*[A] * 8, *[BOTH] * 8), 2, EQUAL)
    assert {s.site for s in cut if s.node.span(2).start >= 8} == {"b"}


def test_known_subtrees_are_not_computed_again():
    known = {Node(1, 1), Node(2, 1)}
    cut = place(items(*[A] * 16), 2, EQUAL, is_known=known.__contains__)
    assert spans(cut, 2, 16) == [0, 1, *range(8, 16)]


def test_the_root_of_one_item_is_above_it():
    assert place(items(A), 8, EQUAL)[0].node == Node(1, 0)


@given(
    st.lists(st.sampled_from([A, B, BOTH]), min_size=1, max_size=200),
    st.integers(2, 9),
    st.floats(0.01, 100),
)
def test_every_item_once_where_its_bytes_are(sites, fan_in, more):
    wanted = items(*sites)
    cut = place(wanted, fan_in, {"a": 1.0, "b": more})
    assert spans(cut, fan_in, len(sites)) == list(range(len(sites)))
    for subtree in cut:
        for item in wanted[subtree.node.span(fan_in)]:
            assert subtree.site in item.nearest


def test_distances_decide_where_no_site_holds_it():
    distances = {("store", "a"): 10.0, ("b", "store"): 3.0}
    assert nearest_to(["store"], ["a", "b"], distances) == B
    assert nearest_to(["store", "a"], ["a", "b"], distances) == A
    assert nearest_to(["nowhere"], ["a", "b"], distances) == BOTH


def test_a_million_items_are_placed_in_seconds():
    draw = random.Random(1)
    sites = [A if draw.random() < 0.5 else B for _ in range(1000)]
    wanted = [Wanted(site, 1.0) for site in sites for _ in range(100)]
    cut = place(wanted, 8, EQUAL)
    assert len(cut) < 20_000
    assert spans(cut, 8, len(wanted)) == list(range(len(wanted)))


@pytest.mark.parametrize("count", [1, 2, 8, 9, 64, 65])
def test_the_root_holds_all(count: int):
    root = root_of(count, 8)
    assert len(range(count)[root.span(8)]) == count
