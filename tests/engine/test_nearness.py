"""Which neighbours go to one worker."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.engine.nearness import shares


@dataclass(frozen=True)
class Piece:
    source: str
    size: int = 1
    where: str = ""


def files(*partitions):
    """Pieces of files a, b, ... with so many partitions each."""
    return [Piece(chr(97 + k)) for k, n in enumerate(partitions) for _ in range(n)]


def opened(items, runs):
    """Times that a source is opened."""
    return sum(len({items[k].source for k in run}) for _, run in runs)


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=12),
    st.lists(st.integers(1, 4), min_size=2, max_size=9),
)
def test_every_item_goes_to_one_worker_in_order_and_few_sources_to_two(partitions, threads):
    items = files(*partitions)
    runs = shares(items, {f"w{k}": n for k, n in enumerate(threads)})
    assert [k for _, run in runs for k in run] == list(range(len(items)))
    assert len({address for address, _ in runs}) == len(runs) <= len(threads)
    assert opened(items, runs) <= len(partitions) + len(threads) - 1
    for address, run in runs:
        fair = len(items) * threads[int(address[1:])] / sum(threads)
        assert len(run) <= fair + 1


def test_files_of_one_size_stay_whole():
    items = files(6, 6, 6, 6)
    runs = shares(items, {"x": 1, "y": 1})
    assert runs == [("x", range(12)), ("y", range(12, 24))]
    assert opened(items, runs) == 4
    assert shares(items, {"x": 3, "y": 1})[0] == ("x", range(18))


@pytest.mark.parametrize(
    ("items", "threads"),
    [(files(3), {"x": 2}), (files(3), {}), ([Piece("")] * 3, {"x": 1, "y": 1})],
)
def test_where_there_is_no_choice_or_no_source_nothing_is_said(items, threads):
    assert shares(items, threads) == [("", range(3))]
