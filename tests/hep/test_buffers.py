"""Memory that is used again, and only when nobody looks into it any more."""

import awkward as ak
import numpy as np
import pytest

from spectrum_workflows.hep import buffers

MANY = 10_000_000  # bytes: larger than what other tests leave behind


@pytest.fixture(autouse=True)
def nothing_free(monkeypatch):
    monkeypatch.setattr(buffers._buffers, "free", [])


def place(array):
    return array.__array_interface__["data"][0]


def test_a_buffer_is_lent_again_when_it_is_free():
    first = buffers.lent(MANY)
    where = place(first)
    del first
    assert place(buffers.lent(MANY - 1000)) == where


@pytest.mark.parametrize(
    "looks",
    [
        lambda array: array[5:7],
        lambda array: array.view(np.float32)[1:][::2],
        memoryview,
        lambda array: ak.Array(ak.contents.NumpyArray(array.view(np.int32)))[3:5],
        lambda array: np.asarray(ak.Array(ak.contents.NumpyArray(array))[3:]),
    ],
)
def test_never_while_an_array_looks_into_it(looks):
    array = buffers.lent(MANY)
    where = place(array)
    kept = looks(array)
    del array
    other = buffers.lent(MANY)
    assert place(other) != where
    del kept
    assert place(buffers.lent(MANY)) == where


def test_few_wait(monkeypatch):
    monkeypatch.setattr(buffers, "KEPT", 3 * MANY)
    many = [buffers.lent(MANY) for _ in range(5)]
    del many
    assert len(buffers._buffers.free) == 2  # with the room each has to spare
    assert sum(map(len, buffers._buffers.free)) <= buffers.KEPT
