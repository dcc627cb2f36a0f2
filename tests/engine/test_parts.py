"""One partition: its value, what it cost, when it is tried again, and how its failure is told."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import each, failing, merged, shuffle
from spectrum_workflows.engine import parts as engine_parts
from spectrum_workflows.engine.failures import as_merge_error, as_spectrum_error, failure, may_pass
from spectrum_workflows.engine.memory import peak_memory
from spectrum_workflows.engine.parts import Part, Parts, compute, fold, metered, own_shared
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.engine.pieces import join_pieces, piece
from spectrum_workflows.engine.sizes import SMALL, nbytes
from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    OtherCodeError,
    OutputError,
    PartitionError,
    StoreError,
)
from spectrum_workflows.replicas import Replica
from spectrum_workflows.storage.metering import count, note_copy, remark

ITEM = kit.Item(4, size=30)


def computed(fn: Any, *shared: Any, on_error: Any = "keep") -> Part[Any]:
    return compute(fn, on_error, storage.current_stores(), ITEM, *shared)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between tries; nobody waits."""
    waited: list[float] = []
    monkeypatch.setattr(engine_parts.time, "sleep", waited.append)
    return waited


def fails(*errors: Exception) -> Any:
    """A function that raises one after the other, then gives the number of its calls."""
    left, calls = list(errors), []

    def compute_one(item: kit.Item) -> int:
        calls.append(item)
        if left:
            raise left.pop(0)
        return len(calls)

    return compute_one


def test_a_function_gets_its_item_and_what_is_shared() -> None:
    part = computed(lambda item, a, b: (item.n, a, b), "x", Part("y", Metrics()))
    assert part.value == (4, "x", "y")
    assert part.metrics.failures == ()


@pytest.mark.parametrize("times", [1, 2])
def test_what_may_pass_is_tried_three_times_with_longer_and_longer_pauses(
    pauses: list[float], times: int
) -> None:
    part = computed(fails(*[TimeoutError("no answer")] * times))
    assert part.value == times + 1
    assert part.metrics.failures == ()
    assert pauses == pytest.approx([0.3, 0.9][:times])


def test_after_three_tries_it_has_failed(pauses: list[float]) -> None:
    part = computed(fails(*[StoreError("away", "s3://b/x")] * 3))
    assert part.value is None
    [lost] = part.metrics.failures
    assert (lost.where, lost.size, lost.attempts) == ("item 4", 30, 3)
    assert lost.error == "s3://b/x: away"
    assert len(pauses) == 2


def test_what_may_not_pass_is_tried_once(pauses: list[float]) -> None:
    [lost] = computed(fails(KeyError("pt"))).metrics.failures
    assert (lost.attempts, lost.error) == (1, "KeyError: 'pt'")
    assert pauses == []


def test_where_failures_end_the_run_our_own_errors_are_as_they_are() -> None:
    ours = DataError("odd", "here")
    with pytest.raises(DataError) as raised:
        computed(fails(ours), on_error="raise")
    assert raised.value is ours


def test_where_failures_end_the_run_others_name_their_partition() -> None:
    theirs = ZeroDivisionError("by zero")
    with pytest.raises(PartitionError) as raised:
        computed(fails(theirs), on_error="raise")
    assert raised.value.__cause__ is theirs
    assert raised.value.what == "ZeroDivisionError: by zero"
    assert raised.value.where == "item 4"
    assert raised.value.remedy == "--on-error keep finishes without it"


@pytest.mark.parametrize("on_error", ["keep", "raise"])
def test_another_version_of_the_code_is_no_failure_of_a_partition(on_error: str) -> None:
    with pytest.raises(OtherCodeError):
        computed(fails(OtherCodeError("another")), on_error=on_error)


def test_bytes_and_copies_that_are_read_are_counted_once() -> None:
    def reads(_item: kit.Item) -> int:
        count(70)
        count(30)
        note_copy("s3://copy", Replica("s3://f", "s3://copy", "v"))
        remark("so it went")
        return 1

    with storage.metering() as around:
        metrics = computed(reads).metrics
    assert (metrics.bytes_read, metrics.copies) == (100, ("s3://copy",))
    assert metrics.replicas == (Replica("s3://f", "s3://copy", "v"),)
    assert (metrics.warnings, metrics.replaced) == (("so it went",), {})
    assert around.bytes_read == 100


def test_stores_are_those_of_the_session() -> None:
    seen = []
    stores = storage.current_stores()
    compute(lambda _: seen.append(storage.current_stores()), "raise", stores, ITEM)
    assert seen == [stores]


def test_time_is_that_of_this_thread_since_the_block_began() -> None:
    time.thread_time()
    with metered() as spent:
        start = time.thread_time()
        while time.thread_time() - start < 0.02:
            pass
        metrics = spent()
    assert 0.02 <= metrics.cpu_seconds < 1.0
    assert metrics.memory > 10 << 20
    assert metrics.memory <= peak_memory()


def test_memory_that_was_given_back_counts() -> None:
    large = np.ones(8 << 20)  # 64 MiB
    assert peak_memory() >= large.nbytes
    before = peak_memory()
    del large
    assert peak_memory() > 0.9 * before


def test_a_part_knows_what_it_cost() -> None:
    def works(_item: kit.Item) -> int:
        start = time.thread_time()
        while time.thread_time() - start < 0.01:
            pass
        return 1

    metrics = computed(works).metrics
    assert 0.01 <= metrics.cpu_seconds < 1.0
    assert metrics.memory > 10 << 20


def test_each_describes_and_computes_nothing() -> None:
    parts = each(kit.waves, iter(kit.items(3)), 2.0, label="first", on_error="keep")
    assert parts == Parts(kit.waves, tuple(kit.items(3)), (2.0,), None, "first", "keep")
    plain = each(kit.waves, [])
    assert (plain.client, plain.label, plain.on_error) == (None, "part", "raise")


def test_every_call_gets_its_own_element_of_what_is_persisted() -> None:
    kept = Persisted(("a", "b"), None, Metrics())
    parts = each(kit.waves, kit.items(2), 1.0, kept)
    assert [own_shared(parts, n) for n in range(2)] == [[1.0, "a"], [1.0, "b"]]


def test_partitions_fail_on_purpose_inside_the_block_only() -> None:
    with failing("item 1", "item 3"):
        parts = each(lambda _: 1, kit.items(5), on_error="keep")
        with failing():
            assert merged(each(lambda _: 1, kit.items(5)), int.__add__)[0] == 5
        again = each(lambda _, more: more, kit.items(5), 2, on_error="keep")
    value, metrics = merged(parts, int.__add__)
    assert value == 3
    assert [(f.where, f.error) for f in metrics.failures] == [
        (f"item {n}", f"item {n}: it fails on purpose") for n in (1, 3)
    ]
    assert merged(again, int.__add__)[0] == 6
    assert each(kit.waves, kit.items(1)).fn is kit.waves


def concatenate(a: str, b: str) -> str:
    return a + b


def part(value: Any, cost: float = 0.0) -> Part[Any]:
    return Part(value, Metrics(cost, bytes_read=1))


def test_siblings_are_merged_from_left_to_right_without_those_that_failed() -> None:
    whole = fold(concatenate, [part("a", 1.0), part(None, 2.0), part("b", 4.0), part("c")])
    assert whole.value == "abc"
    assert whole.metrics.bytes_read == 4
    assert 7.0 <= whole.metrics.cpu_seconds < 8.0


def test_nothing_is_merged_where_all_failed() -> None:
    whole = fold(concatenate, [part(None), part(None)])
    assert (whole.value, whole.metrics.bytes_read, whole.metrics.bytes_moved) == (None, 2, 0)


def test_what_is_merged_into_the_first_has_moved() -> None:
    def array(n: int) -> Part[Any]:
        return part(np.zeros(n))

    merging = fold(lambda a, b: np.concatenate([a, b]), [array(100), array(10), array(20)])
    assert merging.metrics.bytes_moved == nbytes([np.zeros(10), np.zeros(20)])
    assert merging.metrics.memory > 10 << 20
    assert fold(np.add, [array(100)]).metrics.bytes_moved == 0
    assert fold(np.add, [array(100), part(None)]).metrics.bytes_moved == 0
    assert fold(np.add, [array(3), array(3)]).metrics.bytes_moved > 0


def test_a_merge_that_fails_says_so() -> None:
    with pytest.raises(PartitionError) as raised:
        fold(lambda a, b: a / b, [part(1), part(0)])
    assert raised.value.what == "merging results failed (ZeroDivisionError: division by zero)"
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_an_error_of_ours_in_a_merge_is_as_it_is() -> None:
    with pytest.raises(DataError) as raised:
        fold(kit.refuses, [part(1), part(2)])
    assert raised.value.__cause__ is None


@dataclass
class Both:
    a: Any
    b: Any


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (np.zeros(10), 80),
        ([np.zeros(10), np.zeros(5)], SMALL + 120),
        ((np.zeros(10),), SMALL + 80),
        ({"x": np.zeros(10), "y": np.zeros(1)}, SMALL + 88),
        (Both(np.zeros(10), {"x": np.zeros(1)}), SMALL + 80 + SMALL + 8),
        (b"12345", SMALL + 5),
        (bytearray(3), SMALL + 3),
        ("text", SMALL),
        (None, SMALL),
        (type("Odd", (), {"nbytes": "many"})(), SMALL),
    ],
)
def test_the_size_of_a_value_is_that_of_its_arrays(value: Any, size: int) -> None:
    assert nbytes(value) == size


def test_the_first_piece_carries_the_cost_of_all() -> None:
    whole = Part(["a", "b"], Metrics(2.0, 7))
    assert piece(whole, 0) == Part("a", whole.metrics)
    assert piece(whole, 1) == Part("b", Metrics())
    assert piece(Part(None, whole.metrics), 0) == Part(None, whole.metrics)
    assert piece(Part(None, whole.metrics), 1) == Part(None, Metrics())


def test_pieces_are_joined_in_order_without_those_of_parts_that_failed() -> None:
    pieces = [Part("a", Metrics(1.0, 5)), Part(None, Metrics(2.0)), Part("c", Metrics())]
    value = join_pieces(lambda number, values: (number, values), 3, pieces)
    assert value.value == (3, ["a", "c"])
    assert value.metrics.bytes_read == 5
    assert 3.0 <= value.metrics.cpu_seconds < 4.0
    assert value.metrics.bytes_moved == nbytes(["a", "c"])
    assert value.metrics.memory > 10 << 20


def test_what_pieces_had_moved_before_is_added() -> None:
    value = join_pieces(lambda _, values: values, 0, [Part(b"xy", Metrics(bytes_moved=1000))])
    assert value.metrics.bytes_moved == 1000 + nbytes([b"xy"])


def test_no_pieces_make_no_value() -> None:
    value = join_pieces(kit.joins_badly, 1, [Part(None, Metrics(1.0))])
    assert value.value is None
    assert value.metrics.cpu_seconds == 1.0


def test_pieces_that_cannot_be_joined_say_so() -> None:
    with pytest.raises(PartitionError, match="merging results failed .ZeroDivision") as raised:
        join_pieces(kit.joins_badly, 1, [part(1)])
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    with pytest.raises(DataError) as ours:
        join_pieces(kit.refuses, 1, [part(1)])
    assert ours.value.__cause__ is None


class Held:
    """What stands for a value on a worker."""

    def __init__(self, value: Any) -> None:
        self.value, self.released = value, 0

    def result(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def release(self) -> None:
        self.released += 1


def test_persisted_values_here_are_given_one_after_the_other() -> None:
    kept = Persisted((part("a"), part("b")), None, Metrics())
    assert len(kept) == 2
    assert [*kept] == ["a", "b"]
    kept.close()
    assert len(kept) == 0


def test_persisted_values_elsewhere_are_fetched_and_let_go() -> None:
    held = Held(part("a")), Held(part("b"))
    kept = Persisted(held, object(), Metrics())
    assert [*kept] == ["a", "b"]
    kept.close()
    kept.close()
    assert [one.released for one in held] == [1, 1]
    assert kept.elements == ()


def test_a_persisted_value_that_was_lost_is_told_as_one_of_our_errors() -> None:
    lost = RuntimeError("gone")
    with pytest.raises(PartitionError, match="merging results failed .RuntimeError: gone") as told:
        [*Persisted((Held(lost),), object(), Metrics())]
    assert told.value.__cause__ is lost
    ours = DataError("odd")
    with pytest.raises(DataError) as as_it_is:
        [*Persisted((Held(ours),), object(), Metrics())]
    assert as_it_is.value is ours


def chained(cause: BaseException) -> PartitionError:
    error = PartitionError("line 3")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OSError("input/output error"), True),
        (TimeoutError("late"), True),
        (ConnectionResetError("reset"), True),
        (StoreError("away"), True),
        (FileNotFoundError("no such file"), False),
        (PermissionError("not yours"), False),
        (IsADirectoryError("a folder"), False),
        (NotADirectoryError("no folder"), False),
        (DataNotFoundError("no such file"), False),
        (AccessError("not yours"), False),
        (OutputError("disk full"), False),
        (DataError("odd"), False),
        (ValueError("odd"), False),
        (PartitionError("line 3"), False),
        (chained(TimeoutError("late")), True),
        (chained(KeyError("pt")), False),
    ],
)
def test_what_a_store_or_a_network_did_may_pass(error: BaseException, passes: bool) -> None:
    assert may_pass(error) is passes


KILLED = type("KilledWorker", (Exception,), {})  # as Dask's is called


def test_a_failure_is_told_in_one_line_with_the_lines_of_the_user() -> None:
    error = DataError("odd", "file", "look")
    error.add_note("line 1")
    error.add_note("line 2")
    lost = failure(ITEM, error, 2)
    assert (lost.where, lost.size, lost.attempts) == ("item 4", 30, 2)
    assert lost.error == "file: odd; look"
    assert lost.traceback == "line 1\nline 2"
    assert failure(ITEM, ValueError("x"), 1).traceback == ""


def test_a_worker_that_died_is_told_as_what_it_means() -> None:
    told = failure(ITEM, KILLED("x"), 1).error
    assert told == (
        "every worker that tried it died: it may need more memory than a worker has, "
        "or be damaged so that its reader dies"
    )


def test_errors_to_show_are_ours_or_become_ours() -> None:
    ours = DataError("odd")
    assert as_spectrum_error(ours, ITEM) is ours
    assert as_merge_error(ours) is ours
    theirs = as_spectrum_error(ValueError("odd"), ITEM)
    assert (type(theirs), theirs.what, theirs.where) == (
        PartitionError,
        "ValueError: odd",
        "item 4",
    )
    merging = as_merge_error(ValueError("odd"))
    assert (merging.what, merging.where) == ("merging results failed (ValueError: odd)", "")


def test_a_shuffle_in_this_process_counts_and_adds_up() -> None:
    seen: list[int] = []
    parts = each(lambda item, count: [item.n * 10 + k for k in range(count)], kit.items(3), 2)
    kept = shuffle(parts, lambda number, values: (number, values), 2, done=seen.append)
    assert [*kept] == [(0, [0, 10, 20]), (1, [1, 11, 21])]
    assert seen == [1, 2, 3]
    assert kept.client is None
    assert kept.metrics.bytes_moved == 2 * nbytes([0, 1, 2])


def test_a_shuffle_of_nothing_joins_nothing() -> None:
    kept = shuffle(each(kit.pieces, []), kit.joins_badly, 2)
    assert [*kept] == [None, None]
