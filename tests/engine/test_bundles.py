"""Parts of a shuffle that are cut together: every one once, where it lies."""

import numpy as np
import pytest
from dask.sizeof import sizeof
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.engine.bundles import take_groups
from spectrum_workflows.engine.parts import Part


@given(
    lying=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 30), max_size=8),
    size=st.integers(1, 9),
)
def test_every_part_is_in_one_group(lying: dict[str, int], size: int):
    numbers = iter(range(1000))
    parts = {address: [next(numbers) for _ in range(n)] for address, n in lying.items()}
    at = {n: address for address, own in parts.items() for n in own}
    early = take_groups(parts, size, last=False)
    assert all(len(group) == size for groups in early.values() for group in groups)
    late = take_groups(parts, size, last=True)
    taken = [(a, group) for each in (early, late) for a, groups in each.items() for group in groups]
    assert sorted(n for _, group in taken for n in group) == sorted(at)
    assert all(0 < len(group) <= size for _, group in taken)
    assert all(at[n] == address for address, group in taken if address for n in group)
    assert len(taken) <= 1 + 2 * len(at) / size


@pytest.mark.parametrize(
    ("lying", "last", "groups", "left"),
    [
        ({"a": [1, 2, 3]}, False, {}, {"a": [1, 2, 3]}),
        ({"a": [1, 2, 3, 4]}, False, {"a": [[1, 2, 3, 4]]}, {"a": []}),
        ({"a": [1, 2, 3, 4, 5]}, False, {"a": [[1, 2, 3, 4]]}, {"a": [5]}),
        ({"a": [1, 2], "b": [3]}, True, {"a": [[1, 2]], "": [[3]]}, {"a": [], "b": []}),
        ({"a": [1], "b": [2]}, True, {"": [[1, 2]]}, {"a": [], "b": []}),
        (
            {"a": [1, 2, 3, 4, 5], "b": [6, 7, 8]},
            True,
            {"a": [[1, 2, 3, 4]], "b": [[6, 7, 8]], "": [[5]]},
            {"a": [], "b": []},
        ),
        ({"": [1], "a": [2]}, True, {"": [[1, 2]]}, {"": [], "a": []}),
        ({"": [1, 2], "a": [3]}, True, {"": [[1, 2], [3]]}, {"": [], "a": []}),
        ({"a": []}, True, {}, {"a": []}),
        ({}, True, {}, {}),
    ],
)
def test_groups_of_four(lying: dict, last: bool, groups: dict, left: dict) -> None:
    assert take_groups(lying, 4, last=last) == groups
    assert lying == left


def test_dask_knows_how_large_parts_are():
    from spectrum_workflows.engine import tasks  # noqa: F401 - registers it

    part = Part({"image": (np.zeros(1000), [np.zeros(10)])}, None)
    assert 8080 <= sizeof(part) < 9000
