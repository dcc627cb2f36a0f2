"""The fixed tree for anybody's items."""

from functools import reduce
from operator import add

import numpy as np
import pytest

from spectrum_workflows.engine import map_reduce
from spectrum_workflows.errors import PartitionError


def noise(seed):
    return np.random.default_rng(seed).normal(size=50).astype(np.float32)


def fragile(seed):
    if seed == 7:
        raise ArithmeticError("seven")
    return noise(seed)


def test_the_value_is_that_of_a_plain_loop():
    assert map_reduce(len, iter(["a", "bc"]), add) == 3
    ours = map_reduce(noise, range(30), add)
    np.testing.assert_allclose(ours, reduce(add, map(noise, range(30))), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fan_in", [2, 8])
def test_workers_give_the_same_bits(dask_client, fan_in):
    serial = map_reduce(noise, range(40), add, fan_in=fan_in)
    assert map_reduce(noise, range(40), add, client=dask_client, fan_in=fan_in).tobytes() == (
        serial.tobytes()
    )


def test_the_order_of_sums_is_that_of_the_tree():
    two, eight = (map_reduce(noise, range(40), add, fan_in=n) for n in (2, 8))
    assert two.tobytes() != eight.tobytes()


def test_nothing_to_do_is_no_value():
    assert map_reduce(len, [], add) is None


def test_the_item_that_failed_is_named(dask_client):
    for client in (None, dask_client):
        with pytest.raises(PartitionError, match=r"item 7 \(7\)") as caught:
            map_reduce(fragile, range(10), add, client=client)
        assert "seven" in str(caught.value)


def test_a_long_item_is_quoted_in_part():
    with pytest.raises(PartitionError) as caught:
        map_reduce(int, ["x" * 10_000], add)
    assert len(caught.value.where) < 120
