"""Tree and shuffle on two workers in this process: what they submit, retry and let go of."""

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import numpy as np
import pytest
from distributed import Client, KilledWorker, LocalCluster, SchedulerPlugin, get_worker

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import (
    confirming,
    each,
    elsewhere,
    merged,
    shuffle,
    shuffle_dask,
    tasks,
    tree_dask,
    window,
)
from spectrum_workflows.engine.ledger import Node
from spectrum_workflows.engine.lookout import Lookout
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.errors import (
    DataError,
    OtherCodeError,
    PartitionError,
    SiteError,
)


def tasks_left(client: Client) -> list[str]:
    return [*client.cluster.scheduler.tasks]


@pytest.fixture(autouse=True)
def nothing_stays(threads: Client) -> Iterator[None]:
    """Whatever happens in a test, the scheduler forgets all of it."""
    yield
    deadline = time.monotonic() + 10
    while left := tasks_left(threads):
        assert time.monotonic() < deadline, left
        if time.monotonic() > deadline - 9.5:
            gc.collect()  # errors of workers in this process have tracebacks with values in them
        time.sleep(0.01)


class Journal(SchedulerPlugin):
    """Every task that the scheduler was given, with its priority and its workers."""

    name = "journal"

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.priorities: dict[str, int] = {}
        self.near: dict[str, set[str]] = {}
        self.most = 0

    def transition(self, key: str, start: str, _finish: str, **_: Any) -> None:
        if start == "released" and key in self.scheduler.tasks:
            task = self.scheduler.tasks[key]
            self.priorities[key] = -task.priority[0]
            self.near[key] = set(task.worker_restrictions or ())
        self.most = max(self.most, len(self.scheduler.tasks))

    def kinds(self) -> Counter[str]:
        """Number of tasks by what their names begin with."""
        return Counter(key.split("-0x")[0] for key in self.priorities)


@pytest.fixture
def journal(threads: Client) -> Iterator[Journal]:
    scheduler = threads.cluster.scheduler
    kept = Journal(scheduler)
    scheduler.add_plugin(kept)
    yield kept
    scheduler.remove_plugin(name="journal")


def summed(count: int, fan_in: int, client: Client | None, **options: Any) -> bytes:
    parts = each(kit.waves, kit.items(count), client=client)
    return merged(parts, kit.add, fan_in=fan_in, **options)[0].tobytes()


@pytest.mark.parametrize(("count", "fan_in"), [(1, 8), (2, 2), (7, 3), (9, 3), (28, 3), (17, 2)])
def test_two_threads_give_the_bits_of_a_plain_loop(
    threads: Client, count: int, fan_in: int
) -> None:
    assert summed(count, fan_in, threads) == summed(count, fan_in, None)


def test_few_under_way_and_no_history_change_nothing(
    threads: Client, monkeypatch: pytest.MonkeyPatch, journal: Journal
) -> None:
    monkeypatch.setattr(window, "OUTSTANDING", 8)
    monkeypatch.setattr(window, "PER_THREAD", 1)
    monkeypatch.setattr(tree_dask, "HISTORY", 3)
    assert summed(100, 3, threads) == summed(100, 3, None)
    assert journal.most < 70
    assert journal.kinds()["part-scattered"] > 20


def test_a_short_history_is_kept(threads: Client, journal: Journal) -> None:
    summed(30, 3, threads)
    assert journal.kinds() == {"part-part": 30, "part-merge": 10 + 4 + 2 + 1}


def test_tasks_are_called_after_their_stage_and_merges_go_first(
    threads: Client, journal: Journal
) -> None:
    parts = each(kit.waves, kit.items(4), np.float64(2.0), client=threads, label="mine")
    merged(parts, kit.add)
    parts = [key for key in journal.priorities if key.startswith("mine-part-0x")]
    assert [key[-6:] for key in sorted(parts)] == ["-00000", "-00001", "-00002", "-00003"]
    merges = [key for key in journal.priorities if key.startswith("mine-merge-0x")]
    assert len(merges) == 1
    assert journal.priorities[merges[0]] == tree_dask.MERGE_PRIORITY > 0
    assert {journal.priorities[key] for key in parts} == {0}


def test_no_task_is_called_as_one_of_another_pass(threads: Client, journal: Journal) -> None:
    for _ in range(2):
        summed(3, 2, threads)
    assert len(journal.priorities) == 2 * (3 + 2 + 1)


def test_what_is_shared_is_sent_once_and_numbers_go_along(
    threads: Client, journal: Journal
) -> None:
    def scaled(item: kit.Item, scale: Any, power: float, nothing: None) -> Any:
        assert nothing is None
        return kit.waves(item) * scale**power

    shared = (np.arange(7.0), 2.0, None)
    values = [
        merged(each(scaled, kit.items(20), *shared, client=client), kit.add)[0].tobytes()
        for client in (None, threads)
    ]
    assert values[0] == values[1]
    assert journal.kinds()["part-shared"] == 1


def test_finished_parts_are_counted(threads: Client) -> None:
    seen: list[int] = []
    summed(20, 3, threads, done=seen.append)
    assert seen == [*range(1, 21)]


def test_costs_of_all_parts_and_merges_are_added(threads: Client) -> None:
    parts = each(kit.waves, kit.items(20), client=threads)
    _, there = merged(parts, kit.add, fan_in=3)
    assert there.bytes_moved >= 13 * kit.waves(kit.Item(0)).nbytes
    assert there.cpu_seconds > 0
    assert there.memory > 10 << 20


def test_nothing_to_do_is_no_task(threads: Client, journal: Journal) -> None:
    assert merged(each(kit.waves, [], client=threads), kit.add) == (None, Metrics())
    assert journal.kinds() == {}


def test_a_part_that_fails_ends_the_run(threads: Client) -> None:
    with pytest.raises(DataError, match="item 3: three is not"):
        merged(each(kit.fails_at_three, kit.items(20), client=threads), int.__add__, fan_in=2)


def test_or_is_left_out(threads: Client) -> None:
    parts = each(kit.fails_at_three, kit.items(20), client=threads, on_error="keep")
    value, metrics = merged(parts, int.__add__, fan_in=2)
    assert value == 19
    assert [(f.where, f.attempts) for f in metrics.failures] == [("item 3", 1)]


def cannot(a: int, b: int) -> float:
    return 1 / (a - b)


@pytest.mark.parametrize("count", [2, 9, 27])
def test_a_merge_that_fails_is_told(threads: Client, count: int) -> None:
    with pytest.raises(PartitionError, match="merging results failed .ZeroDivisionError"):
        merged(each(lambda _: 1, kit.items(count), client=threads), cannot, fan_in=3)


def test_another_version_of_the_code_is_not_tried_again(threads: Client) -> None:
    def other(item: kit.Item) -> int:
        raise OtherCodeError("another", "mod")

    for compute in (partial(merged, merge=int.__add__), partial(shuffle, join=max, count=1)):
        parts = each(other, kit.items(3), client=threads, on_error="keep")
        with pytest.raises(OtherCodeError, match="another"):
            compute(parts)


Dying = Callable[[int, int], Callable[[Any], Callable[..., Any]]]


@pytest.fixture
def dying(tmp_path: Path) -> Dying:
    """``dying(number, times)``: tasks of which one fails as if its workers had died."""

    def of(number: int, times: int) -> Callable[[Any], Callable[..., Any]]:
        for n in range(times):
            (tmp_path / f"death {n}").touch()
        folder = str(tmp_path)

        def task_of(parts: Any) -> Callable[..., Any]:
            real = tasks.task_of(parts)

            def task(item: kit.Item, *shared: Any) -> Any:
                left = sorted(Path(folder).glob("death *"))
                if item.n == number and left:
                    left[0].unlink()
                    raise KilledWorker("key", SimpleNamespace(address="a"), 0)
                return real(item, *shared)

            return task

        return task_of

    return of


def cut(item: kit.Item) -> list[int]:
    return [item.n, 10 * item.n]


def collected(number: int, values: list[int]) -> tuple[int, list[int]]:
    return number, values


ALL = [(0, [0, 1, 2, 3, 4, 5]), (1, [0, 10, 20, 30, 40, 50])]
FEWER = [(0, [0, 1, 2, 4, 5]), (1, [0, 10, 20, 40, 50])]


def test_a_part_whose_workers_died_is_tried_once_more(
    threads: Client, monkeypatch: pytest.MonkeyPatch, journal: Journal, dying: Dying
) -> None:
    monkeypatch.setattr(tree_dask, "task_of", dying(7, 1))
    assert summed(20, 3, threads) == summed(20, 3, None)
    assert journal.kinds()["part-again"] == 1


@pytest.mark.parametrize("fan_in", [2, 8])
def test_if_they_die_again_it_is_left_out(
    threads: Client, monkeypatch: pytest.MonkeyPatch, fan_in: int, dying: Dying
) -> None:
    monkeypatch.setattr(tree_dask, "task_of", dying(3, 2))
    parts = each(lambda item: item.n, kit.items(6), client=threads, on_error="keep")
    value, metrics = merged(parts, int.__add__, fan_in=fan_in)
    assert value == 0 + 1 + 2 + 4 + 5
    [lost] = metrics.failures
    assert (lost.where, lost.attempts) == ("item 3", 2)
    assert lost.error.startswith("every worker that tried it died")


def test_or_ends_the_run(threads: Client, monkeypatch: pytest.MonkeyPatch, dying: Dying) -> None:
    monkeypatch.setattr(tree_dask, "task_of", dying(3, 2))
    with pytest.raises(PartitionError, match="item 3: every worker that tried it died"):
        summed(6, 2, threads)


def test_pieces_of_a_part_whose_workers_died_are_made_again(
    threads: Client, monkeypatch: pytest.MonkeyPatch, dying: Dying
) -> None:
    monkeypatch.setattr(shuffle_dask, "task_of", dying(3, 1))
    seen: list[int] = []
    parts = each(cut, kit.items(6), client=threads)
    with closing(shuffle(parts, collected, 2, done=seen.append)) as kept:
        assert [*kept] == ALL
        assert kept.metrics.failures == ()
    assert seen == sorted({*seen})
    assert seen[-1] == 6


def test_if_they_die_again_its_pieces_are_left_out(
    threads: Client, monkeypatch: pytest.MonkeyPatch, dying: Dying
) -> None:
    monkeypatch.setattr(shuffle_dask, "task_of", dying(3, 2))
    parts = each(cut, kit.items(6), client=threads, on_error="keep")
    with closing(shuffle(parts, collected, 2)) as kept:
        assert [*kept] == FEWER
        [lost] = kept.metrics.failures
    assert (lost.where, lost.attempts) == ("item 3", 2)


def test_or_end_the_shuffle(threads: Client, monkeypatch: pytest.MonkeyPatch, dying: Dying) -> None:
    monkeypatch.setattr(shuffle_dask, "task_of", dying(3, 2))
    with pytest.raises(PartitionError, match="item 3: every worker that tried it died"):
        shuffle(each(cut, kit.items(6), client=threads), collected, 2)


@pytest.mark.parametrize("bundles", [1, 5, 12, 4096])
@pytest.mark.parametrize("outstanding", [3, 256])
def test_two_threads_shuffle_as_a_plain_loop(
    threads: Client, monkeypatch: pytest.MonkeyPatch, bundles: int, outstanding: int
) -> None:
    monkeypatch.setattr(shuffle_dask, "BUNDLES", bundles)
    monkeypatch.setattr(window, "OUTSTANDING", outstanding)
    monkeypatch.setattr(window, "PER_THREAD", 1)
    seen: list[int] = []
    parts = each(cut, kit.items(6), client=threads)
    with closing(shuffle(parts, collected, 2, done=seen.append)) as kept:
        assert [*kept] == ALL
        here = shuffle(each(cut, kit.items(6)), collected, 2)
        assert kept.metrics.bytes_moved == here.metrics.bytes_moved
        assert kept.client is threads
    assert seen == [1, 2, 3, 4, 5, 6]


def test_pieces_are_bundled_so_that_there_are_few_tasks(
    threads: Client, monkeypatch: pytest.MonkeyPatch, journal: Journal
) -> None:
    monkeypatch.setattr(shuffle_dask, "BUNDLES", 20)
    parts = each(kit.pieces, kit.items(40), 4, client=threads, label="mine")
    shuffle(parts, kit.labelled, 4).close()
    kinds = journal.kinds()
    assert kinds["mine-part"] == 40
    assert kinds["mine-value"] == kinds["mine-metrics"] == 4
    assert 5 * 4 <= kinds["mine-pieces"] <= 11 * 4
    later = {p for key, p in journal.priorities.items() if "mine-part" not in key}
    assert later == {tree_dask.MERGE_PRIORITY}


def test_few_pieces_are_cut_one_by_one(threads: Client, journal: Journal) -> None:
    shuffle(each(cut, kit.items(6), client=threads), collected, 2).close()
    assert journal.kinds()["part-pieces"] == 6 * 2


def test_values_are_dealt_to_workers_forth_and_back(threads: Client, journal: Journal) -> None:
    parts = each(kit.pieces, kit.items(3), 5, client=threads)
    with closing(shuffle(parts, kit.labelled, 5)):
        near = [near for key, near in sorted(journal.near.items()) if "-value-" in key]
    first, second = sorted(threads.nthreads())
    assert near == [{first}, {second}, {second}, {first}, {first}]


def test_a_place_is_found_for_any_number_of_workers() -> None:
    assert shuffle_dask._place([], 3) == ""
    assert [shuffle_dask._place("abc", n) for n in range(7)] == [*"abccbaa"]


def test_pieces_that_cannot_be_joined_are_told(threads: Client) -> None:
    with pytest.raises(PartitionError, match="merging results failed .ZeroDivisionError"):
        shuffle(each(kit.pieces, kit.items(4), 3, client=threads), kit.joins_badly, 3)


@pytest.mark.parametrize("bundles", [2, 4096])
def test_pieces_of_what_failed_are_left_out(
    threads: Client, monkeypatch: pytest.MonkeyPatch, bundles: int
) -> None:
    monkeypatch.setattr(shuffle_dask, "BUNDLES", bundles)

    def but_three(item: kit.Item) -> list[int]:
        kit.fails_at_three(item)
        return cut(item)

    parts = each(but_three, kit.items(6), client=threads, on_error="keep")
    with closing(shuffle(parts, collected, 2)) as kept:
        assert [*kept] == FEWER
        assert [lost.where for lost in kept.metrics.failures] == ["item 3"]
    with pytest.raises(DataError, match="item 3: three is not"):
        shuffle(each(but_three, kit.items(6), client=threads), collected, 2)


def test_persisted_values_meet_their_numbers(threads: Client) -> None:
    parts = each(kit.pieces, kit.items(5), 4, client=threads)
    with closing(shuffle(parts, kit.labelled, 4)) as kept:
        values = [value.copy() for value in kept]
        again = each(kit.scaled, kit.items(4), kept, 2.0, client=threads)
        total, _ = merged(again, kit.add, fan_in=2)
    alone = [kit.scaled(kit.Item(n), value, 2.0) for n, value in enumerate(values)]
    assert total.tobytes() == ((alone[0] + alone[1]) + (alone[2] + alone[3])).tobytes()


def test_an_interrupted_shuffle_leaves_nothing(threads: Client) -> None:
    def stop(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shuffle(each(cut, kit.items(9), client=threads), collected, 2, done=stop)
    with pytest.raises(KeyboardInterrupt):
        summed(9, 2, threads, done=stop)


@dataclass(frozen=True)
class Piece:
    n: int
    source: str
    size: int = 1

    @property
    def where(self) -> str:
        return f"piece {self.n}"


def worth(piece: Piece, *_shared: Any) -> int:
    return piece.n


def test_neighbours_of_one_source_go_to_one_worker(threads: Client, journal: Journal) -> None:
    pieces = [Piece(n, "ab"[n // 4]) for n in range(8)]
    value, _ = merged(each(worth, pieces, np.arange(3), client=threads), int.__add__)
    near = [near for key, near in sorted(journal.near.items()) if "part-part-" in key]
    first, second = threads.nthreads()
    assert value == 28
    assert near == [{first}] * 4 + [{second}] * 4


def test_they_go_anywhere_if_they_wait_for_nothing(threads: Client, journal: Journal) -> None:
    pieces = [Piece(n, "ab"[n // 4]) for n in range(8)]
    merged(each(worth, pieces, client=threads), int.__add__)
    assert not any(journal.near.values())


def tree(count: int, fan_in: int, client: Client | None = None) -> tree_dask.RunningTree[Any]:
    parts = each(kit.waves, kit.items(count), client=client, label="mine")
    return tree_dask.RunningTree(client, parts, kit.add, fan_in)


def test_the_tree_is_as_wide_and_as_high_as_its_items_make_it() -> None:
    assert [tree(28, 3).width(level) for level in range(5)] == [28, 10, 4, 2, 1]
    assert tree(28, 3).top == Node(4, 0)
    assert tree(27, 3).top == Node(3, 0)
    assert tree(1, 3).top == Node(1, 0)
    one, other = tree(1, 3), tree(1, 3)
    assert one.key("part", 12) == f"mine-part-{one.nonce}-00012"
    assert one.nonce != other.nonce
    assert one.lookout.nonce == one.nonce


@dataclass
class Gone:
    """A future of which something became."""

    status: str
    key: str = "k"


@pytest.mark.parametrize("status", ["pending", "lost"])
def test_a_merge_whose_worker_died_is_waited_for_again(threads: Client, status: str) -> None:
    run, node = tree(9, 3, threads), Gone(status)
    assert tree_dask.grow(run, 1, 2, node) == [node]
    assert run.watched == {"k": (1, 2)}


def test_tasks_that_the_scheduler_dropped_end_the_run(threads: Client) -> None:
    with pytest.raises(SiteError) as ended:
        tree_dask.grow(tree(9, 3, threads), 1, 0, Gone("cancelled"))
    assert ended.value.what == "the scheduler dropped the run's tasks"
    assert ended.value.remedy == "is it still running?"
    attempt = shuffle_dask._Attempt(0, None, {"k": 0})
    with pytest.raises(SiteError, match="the scheduler dropped the run's tasks; is it still run"):
        shuffle_dask._take(None, attempt, Gone("cancelled"))


class Done:
    """A future that is done, for whoever waits for none."""

    status = "cancelled"

    def __init__(self, key: str) -> None:
        self.key = key


def test_values_that_the_scheduler_dropped_end_the_shuffle() -> None:
    class Patient(Lookout):
        def wait(self, futures: Any) -> None:
            pass

    attempt = shuffle_dask._Attempt(0, None, values=[Done("v")])
    with pytest.raises(SiteError, match="dropped the run's tasks; is it still running"):
        shuffle_dask._gather_costs(Patient(None, "0x"), attempt)


def test_a_part_of_a_shuffle_that_took_too_long_twice_is_named() -> None:
    parts = each(kit.waves, kit.items(3))
    whole = SimpleNamespace(parts=parts, lookout=Lookout(None, "0x", overdue={"k": 5.0}))
    attempt = shuffle_dask._Attempt(0, None, {"k": 1})
    with pytest.raises(PartitionError, match="^item 1: it was not done within 5 s"):
        shuffle_dask._take(whole, attempt, Broken(KilledWorker("k", "w", 3)))


def test_a_part_whose_worker_has_just_gone_lies_nowhere() -> None:
    client = SimpleNamespace(who_has=lambda _: {"a": ["tcp://2", "tcp://1"], "b": []})
    whole = SimpleNamespace(client=client, group_size=2)
    uncut = {n: SimpleNamespace(key=key) for n, key in enumerate("abc")}
    attempt = shuffle_dask._Attempt(0, None, uncut=uncut)
    shuffle_dask._locate(whole, attempt)
    assert attempt.lying == {"tcp://1": [0], "": [1, 2]}


def test_what_may_be_tried_again() -> None:
    raising, keeping = (each(kit.waves, [], on_error=rule) for rule in ("raise", "keep"))
    killed, other = KilledWorker("k", "w", 3), OtherCodeError("another")
    may = tree_dask.may_be_retried
    assert may(raising, killed)
    assert may(keeping, killed)
    assert may(keeping, ValueError("x"))
    assert not may(raising, ValueError("x"))
    assert not may(keeping, other)


class Broken:
    """A future of a part that failed."""

    def __init__(self, error: Exception, key: str = "k") -> None:
        self.error, self.key, self.status = error, key, "error"

    def exception(self) -> Exception:
        return self.error


@pytest.mark.parametrize(
    ("error", "overdue", "attempts", "told"),
    [
        (KilledWorker("k", "w", 3), False, 8, "every worker that tried it died"),
        (ValueError("odd"), False, 2, "ValueError: odd"),
        (KilledWorker("k", "w", 3), True, 2, "item 1: it was not done within 5 s"),
    ],
)
def test_a_failed_part_says_how_often_it_was_tried(
    threads: Client, error: Exception, overdue: bool, attempts: int, told: str
) -> None:
    lookout = Lookout(threads, "0x", overdue={"k": 5.0} if overdue else {})
    keeping = each(kit.waves, kit.items(3), client=threads, on_error="keep")
    part = tree_dask.failed_part(keeping, lookout, 1, Broken(error), "mine-failed")
    assert part.key == "mine-failed"
    value = part.result()
    assert value.value is None
    [lost] = value.metrics.failures
    assert (lost.where, lost.size, lost.attempts) == ("item 1", 10, attempts)
    assert lost.error.startswith(told)
    part.release()
    raising = each(kit.waves, kit.items(3), client=threads)
    with pytest.raises(PartitionError, match="item 1: "):
        tree_dask.failed_part(raising, lookout, 1, Broken(error), "mine-failed")


def test_numbers_and_nothing_travel_with_every_task() -> None:
    assert all(map(tasks.small, (None, 1, 2.5, True)))
    assert not any(map(tasks.small, ("text", np.zeros(3), (1, 2))))


def test_shared_values_are_columns_of_arguments() -> None:
    kept = Persisted(("a", "b", "c"), None, Metrics())
    assert tasks.columns([1.0, kept], [2, 0]) == [[1.0, 1.0], ["c", "a"]]


def test_the_session_s_code_goes_first(threads: Client) -> None:
    parts = each(kit.waves, kit.items(2), 3.0, client=threads)
    assert tasks.scatter_shared(threads, parts, str) == [None, 3.0]
    large = each(kit.waves, kit.items(2), 3.0, np.arange(4), client=threads)
    _, _, sent = tasks.scatter_shared(threads, large, lambda n: f"mine-{n}")
    assert sent.key == "mine-2"
    assert sent.result().tolist() == [0, 1, 2, 3]
    sent.release()


def test_a_worker_compares_the_code_before_it_computes(
    threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[Any] = []
    monkeypatch.setattr(tasks, "confirm", compared.append)
    with confirming("the code"):  # type: ignore[arg-type]
        assert merged(each(lambda _: 1, kit.items(3), client=threads), int.__add__)[0] == 3
    assert compared == ["the code"] * 3
    merged(each(lambda _: 1, kit.items(3), client=threads), int.__add__)
    assert len(compared) == 3


def test_a_function_is_loaded_once() -> None:
    by_value = cloudpickle.dumps(("marker", time.time()))
    assert tasks.loaded(by_value) is tasks.loaded(by_value)


def test_two_calls_are_made_on_two_workers(threads: Client) -> None:
    def where() -> str:
        return get_worker().address

    with elsewhere.in_two(where, where, client=threads) as answers:
        assert answers() == tuple(sorted(threads.nthreads()))


@pytest.mark.parametrize("broken", [0, 1])
def test_without_both_results_there_is_no_answer(threads: Client, broken: int) -> None:
    calls = [lambda: 1, lambda: 1]
    calls[broken] = lambda: 1 // 0
    with elsewhere.in_two(*calls, client=threads) as answers:
        assert answers() is None


def test_a_site_without_workers_has_no_answer() -> None:
    class Nobody:
        def nthreads(self) -> dict[str, int]:
            return {}

    with elsewhere.in_two(lambda: 1, lambda: 2, client=Nobody()) as answers:
        assert answers() is None


class Alone:
    """One worker, which does at once what it is given."""

    def __init__(self) -> None:
        self.cancelled: list[Any] = []
        self.options: dict[str, Any] = {}

    def nthreads(self) -> dict[str, int]:
        return {"tcp://a": 1}

    def submit(self, function: Any, *arguments: Any, **options: Any) -> Any:
        value, self.options = function(*arguments), options

        class Answer:
            def done(self) -> bool:
                return True

            def result(self) -> Any:
                return value

        return Answer()

    def cancel(self, futures: list[Any], force: bool) -> None:
        assert force
        self.cancelled += futures


def test_a_single_worker_and_this_process_make_two() -> None:
    client = Alone()
    with elsewhere.in_two(lambda: "there", lambda: "here", client=client) as answers:
        assert answers() == ("there", "here")
        assert client.options == {"workers": ["tcp://a"], "pure": False, "priority": 100}
        assert client.cancelled == []
    assert len(client.cancelled) == 1


def test_a_worker_that_has_gone_is_replaced_by_one_that_was_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two calls are never made by one process: they are there to be compared."""
    monkeypatch.setattr(elsewhere, "BACK_WITHIN", 1.0)
    options = {"threads_per_worker": 2, "processes": False, "dashboard_address": "127.0.0.1:0"}
    over = tmp_path / "over"
    with LocalCluster(n_workers=3, **options) as cluster, Client(cluster) as client:
        stays, other, goes = sorted(client.nthreads())

        def address() -> str:
            while get_worker().address == goes and not over.exists():
                time.sleep(0.05)
            return get_worker().address

        with elsewhere.in_two(address, address, client=client) as answers:
            remove(client, goes)
            assert answers() == (stays, other)
        goes = other
        with elsewhere.in_two(address, address, client=client) as answers:
            remove(client, goes)
            assert answers() is None
        over.touch()


def remove(client: Client, address: str) -> None:
    """Take a worker from the scheduler, as if it had died."""

    async def removed(dask_scheduler: Any) -> None:
        await dask_scheduler.remove_worker(address, stimulus_id="test", expected=False)

    client.run_on_scheduler(removed)


def process_number() -> tuple[int, str]:
    import os

    sys.stdout.write("nobody reads this")
    return os.getpid(), os.environ["PYTHONHASHSEED"]


def test_without_workers_a_process_is_started() -> None:
    import os

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        with elsewhere.in_two(lambda: (os.getpid(), ""), process_number, client=None) as answers:
            (mine, _), (theirs, seed) = answers()
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert mine == os.getpid() != theirs
    assert seed == "random"


def test_without_an_interpreter_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with elsewhere.in_two(lambda: 1, lambda: 2, client=None) as answers:
        assert answers() is None
