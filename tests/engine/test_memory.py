"""The memory of this process: how much it had, and that some of it is kept for what comes next."""

import resource
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spectrum_workflows.engine import allocation, memory
from spectrum_workflows.engine.memory import peak_memory

STATUS = "Name:\tpython\nVmPeak:\t 900 kB\nVmHWM:\t  250 kB\nVmRSS:\t  100 kB\n"


def test_the_largest_size_is_the_process_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.Path, "is_file", lambda self: str(self) == "/proc/self/status")
    monkeypatch.setattr(memory.Path, "read_text", lambda _: STATUS)
    assert peak_memory() == 250 * 1024


@pytest.mark.parametrize(("platform", "unit"), [("linux", 1024), ("darwin", 1)])
def test_elsewhere_the_system_is_asked(
    monkeypatch: pytest.MonkeyPatch, platform: str, unit: int
) -> None:
    asked = []

    def getrusage(who: int) -> Any:
        asked.append(who)
        return SimpleNamespace(ru_maxrss=77)

    monkeypatch.setattr(memory.Path, "is_file", lambda _: False)
    monkeypatch.setattr(memory.sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", getrusage)
    assert peak_memory() == 77 * unit
    assert asked == [resource.RUSAGE_SELF]


def test_where_nobody_knows_it_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.Path, "is_file", lambda _: False)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory() == 0


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux has it")
def test_what_is_allocated_counts() -> None:
    large = np.ones(4 << 20)
    assert peak_memory() > large.nbytes


@pytest.mark.parametrize("refused", [None, -1, -3])
def test_malloc_is_told_to_keep_large_arrays_and_some_of_the_heap(
    monkeypatch: pytest.MonkeyPatch, refused: int | None
) -> None:
    told: dict[int, int] = {}

    def mallopt(option: int, value: int) -> int:
        told[option] = value
        return int(option != refused)

    def library(name: None) -> SimpleNamespace:
        assert name is None
        return SimpleNamespace(mallopt=mallopt)

    monkeypatch.setattr(allocation.ctypes, "CDLL", library)
    assert allocation.keep_freed_memory.__wrapped__() is (refused is None)
    assert told == {-3: 32 << 20, -1: 128 << 20}


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch, error: type) -> None:
    def no_such_library(_name: None) -> None:
        raise error

    monkeypatch.setattr(allocation.ctypes, "CDLL", no_such_library)
    assert allocation.keep_freed_memory.__wrapped__() is False
