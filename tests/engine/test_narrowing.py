"""A failed partition is narrowed down to the part that fails by itself."""

import sys
import time
from pathlib import Path

import cloudpickle
import pytest
from distributed import Client

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import Reduction, Run
from spectrum_workflows.engine.narrowing import (
    FAILS,
    PASSES,
    TRIES,
    UNKNOWN,
    narrowed,
    search,
    searched_elsewhere,
)
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.errors import DataError, PartitionError, SpecError, StoreError
from spectrum_workflows.storage import Stores

sys.path.insert(0, str(Path(__file__).parent))
import items as kit
from items import Numbers


def poisoned(*bad: int):
    """A trial that fails where one of some numbers is in a part, and notes what was tried."""
    tried = []

    def trial(part: Numbers) -> bytes:
        tried.append(part)
        return FAILS if any(part.start <= n < part.stop for n in bad) else PASSES

    return trial, tried


@pytest.mark.parametrize("bad", [0, 1, 511, 512, 777, 1023])
def test_one_number_of_many(bad: int) -> None:
    trial, tried = poisoned(bad)
    assert search(Numbers(0, 1024), trial) == Numbers(bad, bad + 1)
    assert len(tried) <= 2 * 10


def test_the_first_of_several() -> None:
    trial, _ = poisoned(300, 700)
    assert search(Numbers(0, 1000), trial) == Numbers(300, 301)


@pytest.mark.parametrize("bad", [(0, 1023), (0, 512), (0, 1, 512, 600)])
def test_the_first_number_and_others(bad: tuple[int, ...]) -> None:
    assert search(Numbers(0, 1024), poisoned(*bad)[0]) == Numbers(0, 1)


@pytest.mark.parametrize("size", [2, 3, 7, 1024])
def test_what_fails_everywhere_is_in_no_part(size: int) -> None:
    trial, tried = poisoned(*range(size))
    assert search(Numbers(0, size), trial) is None
    assert len(tried) <= 12


def test_two_that_fail_together_only() -> None:
    def trial(part: Numbers) -> bytes:
        return FAILS if part.start <= 400 and part.stop > 449 else PASSES

    assert search(Numbers(0, 1000), trial) == Numbers(375, 500)


def test_none_of_its_halves() -> None:
    trial, tried = poisoned()
    assert search(Numbers(0, 8), trial) is None
    assert len(tried) == 2


def test_one_that_cannot_be_cut() -> None:
    assert search(Numbers(3, 4), poisoned(3)[0]) is None


def test_a_store_that_fails_ends_the_search() -> None:
    answers = iter([FAILS, PASSES, UNKNOWN])
    assert search(Numbers(0, 16), lambda _: next(answers)) == Numbers(0, 8)


def test_the_number_of_tries_is_bounded() -> None:
    trial, tried = poisoned(2**200 - 1)
    search(Numbers(0, 2**200), trial)
    assert TRIES <= len(tried) <= TRIES + 1


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes find the kit, and have the time that a busy machine takes to begin them."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr("spectrum_workflows.engine.explaining.SOON", 120.0)


def a_run(client, on_error: str) -> Run:
    parts = tuple(Numbers(k, k + 100) for k in range(0, 400, 100))
    return Run(parts, client, on_error, lambda *_: None, "x", 4)


SMALLEST = "this part of it fails by itself: numbers 237 to 238"


@pytest.mark.usefixtures("importable")
def test_an_error_says_which_part(threads: Client) -> None:
    for client in (None, threads):
        with pytest.raises(PartitionError) as found:
            a_run(client, "raise").over("fill", Reduction(kit.raises_within, int.__add__), 237)
        assert str(found.value) == (
            f"numbers 200 to 300: ValueError: no such jet ({SMALLEST}); "
            "--on-error keep finishes without it"
        )


@pytest.mark.usefixtures("importable")
def test_a_failure_says_which_part_and_the_whole_partition_is_left_out(threads: Client) -> None:
    for client in (None, threads):
        run = a_run(client, "keep")
        assert run.over("fill", Reduction(kit.raises_within, int.__add__), 237) == 300
        [failure] = run.metrics.failures
        assert (failure.where, failure.size) == ("numbers 200 to 300", 100)
        assert failure.error == f"ValueError: no such jet ({SMALLEST})"


@pytest.mark.parametrize("kind", [SpecError, StoreError])
def test_what_is_not_the_partitions_fault_is_not_searched(kind: type) -> None:
    with pytest.raises(kind) as found:
        a_run(None, "raise").over("fill", Reduction(kit.refuses_within, int.__add__), 237, kind)
    assert "by itself" not in str(found.value)


def test_our_own_errors_stay_what_they_are() -> None:
    with pytest.raises(DataError) as found:
        a_run(None, "raise").over(
            "fill", Reduction(kit.refuses_within, int.__add__), 237, DataError
        )
    assert str(found.value) == f"numbers 200 to 300: not good ({SMALLEST}); mend it"
    assert found.value.partition == "numbers 200 to 300"


def test_partitions_without_halves_and_persisted_values() -> None:
    assert narrowed(kit.fails_at_three, kit.Item(3), (), client=None) == ""
    kept = Persisted((1,), None, Metrics())
    assert narrowed(kit.raises_within, Numbers(0, 4), (kept,), client=None) == ""


def test_time_is_up() -> None:
    assert narrowed(kit.raises_within, Numbers(0, 4), (2,), client=None, within=0.0) == ""


def called(fn, *shared) -> bytes:
    return cloudpickle.dumps((fn, Stores(), shared))


@pytest.mark.usefixtures("importable")
def test_what_kills_a_process_kills_none_but_those_that_try_it() -> None:
    smallest = searched_elsewhere(called(kit.dies_within, 2), Numbers(0, 4))
    assert (smallest.start, smallest.stop) == (2, 3)


@pytest.mark.usefixtures("importable")
def test_a_search_in_another_process_ends_in_time() -> None:
    begun = time.monotonic()
    assert searched_elsewhere(called(kit.sleeps), Numbers(0, 4), 1.0) is None
    assert time.monotonic() - begun < 30


def test_a_process_that_cannot_begin_says_nothing() -> None:
    """Where it does not come to the function, no part is said to fail."""
    assert searched_elsewhere(b"no function", Numbers(0, 4)) is None


def test_what_is_tried_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(PartitionError, match=r"numbers 237 to 238\)"):
        a_run(None, "raise").over(
            "fill", Reduction(kit.writes_within, int.__add__), 237, str(tmp_path)
        )
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["0", "100", "200"]
