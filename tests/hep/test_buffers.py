"""Memory that is used again, and only when nobody looks into it any more."""

import os
import threading

import awkward as ak
import numpy as np
import pytest

from spectrum_workflows.hep.io import buffers

MANY = 1_000_000  # bytes


@pytest.fixture(autouse=True)
def nothing_free(monkeypatch):
    monkeypatch.setattr(buffers._buffers, "free", [])


def place(array):
    return array.__array_interface__["data"][0]


def test_a_buffer_is_lent_again_when_it_is_free():
    first = buffers.borrow(MANY)
    where = place(first)
    del first
    assert place(buffers.borrow(MANY - 1000)) == where


def test_not_a_much_larger_one_for_little():
    large = buffers.borrow(100 * MANY)
    where = place(large)
    del large
    assert place(buffers.borrow(MANY)) != where


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
    array = buffers.borrow(MANY)
    where = place(array)
    kept = looks(array)
    del array
    other = buffers.borrow(MANY)
    assert place(other) != where
    del kept
    assert place(buffers.borrow(MANY)) == where


@pytest.mark.parametrize("waiting", [3 * MANY, MANY // 2])
def test_few_wait(monkeypatch, waiting):
    monkeypatch.setattr(buffers, "WAITING", waiting)
    many = [buffers.borrow(MANY) for _ in range(5)]
    del many
    assert len(buffers._buffers.free) == int(waiting / (buffers.SPARE * MANY))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork processes")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_its_own():
    array = buffers.borrow(MANY)
    array[:] = 1
    child = os.fork()
    if child == 0:
        array[:] = 2
        os._exit(0)
    os.waitpid(child, 0)
    assert (array == 1).all()


def test_arrays_may_be_dropped_by_another_thread(monkeypatch):
    monkeypatch.setattr(buffers, "WAITING", 4 * MANY)
    handed, done = [], threading.Event()

    def drop():
        while not done.is_set():
            if handed:
                handed.pop()

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        for n in range(5_000):
            array = buffers.borrow(MANY + n)
            array[:8] = n % 251
            assert (array[:8] == n % 251).all()
            handed.append(array)
            del array
    finally:
        done.set()
        thread.join()
