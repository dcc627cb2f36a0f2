"""Limits of time: what they are, who is told of partitions that are late, and what is said."""

import asyncio
import threading
import time
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from spectrum_workflows.engine import Limits, limited, lookout, patience, window
from spectrum_workflows.engine.limits import LONG, MANY, current_limits
from spectrum_workflows.engine.lookout import COARSE, NOBODY, Lookout
from spectrum_workflows.engine.patience import describe_duration, patient
from spectrum_workflows.engine.threads import one_thread
from spectrum_workflows.engine.window import Window
from spectrum_workflows.errors import PartitionError, SiteError


def test_a_partition_may_take_many_times_the_average_and_always_half_an_hour() -> None:
    assert LONG == 30 * 60
    assert Limits().of_a_partition(-1.0) == LONG
    assert Limits().of_a_partition(LONG / MANY) == LONG
    assert Limits().of_a_partition(LONG) == MANY * LONG
    assert Limits(partition=7.0).of_a_partition(LONG) == 7.0
    assert Limits(partition=0.0).of_a_partition(LONG) == 0.0


@pytest.mark.parametrize(
    ("limits", "period"),
    [
        (Limits(), 5.0),
        (Limits(partition=10.0), 2.0),
        (Limits(stalled=10.0), 2.0),
        (Limits(partition=20.0, stalled=5.0), 1.0),
        (Limits(partition=0.1), 0.2),
        (Limits(partition=50.0), 5.0),
    ],
)
def test_looks_are_as_often_as_the_shortest_limit_asks(limits: Limits, period: float) -> None:
    assert limits.period == pytest.approx(period)


def test_a_run_may_stand_still_for_five_minutes() -> None:
    assert Limits().stalled == 300.0


def test_limits_are_in_force_inside_the_block() -> None:
    before = current_limits()
    with limited(Limits(partition=3.0)):
        assert current_limits().partition == 3.0
    assert current_limits() == before == Limits()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1234, "0.123 s"), (119.0, "119 s"), (120.0, "2 minutes"), (5400.0, "90 minutes")],
)
def test_durations_are_in_seconds_or_minutes(seconds: float, words: str) -> None:
    assert describe_duration(seconds) == words


class Clock:
    """A clock that is set by hand, and an event that is waited for."""

    def __init__(self, script: list[Callable[[], None]]) -> None:
        self.now, self.script, self.periods = 1000.0, script, []

    def monotonic(self) -> float:
        return self.now

    def wait(self, period: float) -> bool:
        """Do the next step, for which a second is taken; true when there is none."""
        self.periods.append(period)
        if not self.script:
            return True
        self.now += 1.0
        self.script.pop(0)()
        return False


def watched(
    monkeypatch: pytest.MonkeyPatch, limits: Limits, *steps: str
) -> tuple[list[tuple[int, str]], Clock]:
    """What is warned about, by second, while partitions begin at some; "" is none."""
    clock = Clock([])
    monkeypatch.setattr(patience.time, "monotonic", clock.monotonic)
    current = patience._Current(limits, stopped=clock)

    def step(name: str) -> Callable[[], None]:
        return lambda: current.begin(name) if name else None

    clock.script = [step(name) for name in steps]
    seen: list[tuple[int, str]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(
            patience.warnings,
            "warn",
            lambda text, stacklevel: seen.append((round(clock.now - 1000), text)),
        )
        current.watch()
    return seen, clock


def test_a_late_partition_is_told_and_again_when_it_has_taken_twice_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, clock = watched(monkeypatch, Limits(partition=2.0), "a", *[""] * 13)
    assert seen == [
        (4, "a: has taken 3 s so far"),
        (8, "a: has taken 7 s so far"),
    ]
    assert {*clock.periods} == {Limits(partition=2.0).period}


def test_the_next_partition_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, _ = watched(monkeypatch, Limits(partition=2.0), "a", "", "b", "", "", "", "c", "", "")
    assert seen == [(6, "b: has taken 3 s so far")]


def test_before_the_first_partition_nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(monkeypatch, Limits(partition=0.5), "", "", "")[0] == []


def test_without_a_limit_the_average_of_those_before_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spectrum_workflows.engine.limits.SHORT", 1.0)
    monkeypatch.setattr("spectrum_workflows.engine.limits.MANY", 2.0)
    steps = ["a", "", "b", "", "", "", "c", *[""] * 8]  # 2 and 4 seconds: 3 on average
    seen, _ = watched(monkeypatch, Limits(), *steps)
    assert [text for _, text in seen if text.startswith("c")] == ["c: has taken 7 s so far"]
    assert (14, "c: has taken 7 s so far") in seen


def test_the_first_partition_has_the_limit_of_one_without_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spectrum_workflows.engine.limits.LONG", 4.0)
    seen, _ = watched(monkeypatch, Limits(), "a", *[""] * 6)
    assert seen == [(6, "a: has taken 5 s so far")]


def test_a_thread_watches_as_long_as_the_block_lasts() -> None:
    def watching() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name == "patience" and t not in before]

    before = threading.enumerate()
    with patient() as begin:
        begin("a")
        [thread] = watching()
        assert thread.daemon
    thread.join(timeout=10)
    assert not thread.is_alive()


class Workers:
    """A client that says how many threads its workers have, and how often it was asked."""

    def __init__(self, *threads: int) -> None:
        self.threads, self.asked = threads, 0

    def nthreads(self) -> dict[str, int]:
        self.asked += 1
        return {str(n): threads for n, threads in enumerate(self.threads)}


def test_a_window_has_room_for_many_at_once_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "OUTSTANDING", 10)
    room = Window(Workers(1)).room
    assert room(0) == 10
    assert room(4) == 6
    assert room(5) == 0  # half of it is little
    assert room(10) == 0


def test_many_workers_have_a_larger_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "OUTSTANDING", 10)
    assert Window(Workers(2, 3)).room(0) == window.PER_THREAD * 5 == 20
    assert window.PER_THREAD > 1


def test_workers_are_counted_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([])
    monkeypatch.setattr(window.time, "monotonic", clock.monotonic)
    monkeypatch.setattr(window, "OUTSTANDING", 1)
    workers = Workers(1)
    of = Window(workers)
    assert of.room(0) == window.PER_THREAD
    workers.threads = (1, 1)
    clock.now += window.LOOK_EVERY
    assert of.room(0) == window.PER_THREAD
    assert workers.asked == 1
    clock.now += 0.1
    assert of.room(0) == 2 * window.PER_THREAD
    assert workers.asked == 2


def row(address: str, state: str = "running", used: int = 0, limit: int = 0) -> tuple[Any, ...]:
    """A worker as it is seen: bytes in use are in coarse steps, so that noise is no change."""
    return (address, state, used // COARSE, limit, 0, 0)


def seen(**changes: Any) -> dict[str, Any]:
    return {"running": [], "computing": False, "workers": [row("w")], "waiting": 3} | changes


def standing(
    monkeypatch: pytest.MonkeyPatch, looks: list[tuple[float, dict[str, Any]]], waits: bool = True
) -> SiteError | None:
    """What a lookout says after it has seen some things at some times."""
    clock = Clock([])
    monkeypatch.setattr(lookout.time, "monotonic", clock.monotonic)
    of = Lookout(None, "0xabc", Limits(stalled=10.0))
    of._waits = waits
    for second, sight in looks:
        clock.now = 1000.0 + second
        of._watch_for_standstill(sight)
    return of.error


def test_a_run_in_which_nothing_moves_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert standing(monkeypatch, [(0, seen()), (10, seen())]) is None
    error = standing(monkeypatch, [(0, seen()), (5, seen()), (10.5, seen())])
    assert error is not None
    assert error.what == "1 workers computed nothing for 10 s, although 3 tasks are left"
    assert error.remedy == "run it again; the workers' logs may say more"


def test_a_run_that_does_not_wait_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert standing(monkeypatch, [(0, seen()), (60, seen())], waits=False) is None


@pytest.mark.parametrize(
    "moved",
    [
        seen(computing=True),
        seen(waiting=2),
        seen(workers=[row("w"), row("v")]),
        seen(workers=[row("w", "paused")]),
        seen(workers=[row("w", used=COARSE)]),
    ],
)
def test_whatever_moves_gives_it_time(monkeypatch: pytest.MonkeyPatch, moved: dict) -> None:
    assert standing(monkeypatch, [(0, seen()), (9, moved), (12, moved), (18.5, moved)]) is None


def test_a_site_without_workers_may_say_so_first(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = seen(workers=[])
    assert standing(monkeypatch, [(0, nobody), (10 + NOBODY, nobody)]) is None
    error = standing(monkeypatch, [(0, nobody), (10.5 + NOBODY, nobody)])
    assert error is not None
    assert (error.what, error.remedy) == ("no worker for 10 s", "see why they do not come")


def test_paused_workers_are_told_with_the_memory_of_the_fullest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gb = 10**9
    workers = [
        row("a", used=9 * gb, limit=100 * gb),
        row("b", "paused", used=2 * gb, limit=3 * gb),
        row("c", "paused", used=3 * gb, limit=10 * gb),
    ]
    error = standing(monkeypatch, [(0, seen(workers=workers)), (11, seen(workers=workers))])
    assert error is not None
    assert error.what == (
        "2 of 3 workers are paused for lack of memory, and nothing was computed for 10 s: "
        "one has 2.00 GB of its 3.00 GB in use and cannot let go of them"
    )
    remedy = "give workers more memory, take more workers, or smaller partitions"
    assert error.remedy == remedy


def test_tasks_that_nobody_counts_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    error = standing(monkeypatch, [(0, seen(waiting=0)), (11, seen(waiting=0))])
    assert error is not None
    assert "although some tasks are left" in error.what


def test_a_run_that_was_given_up_raises_why() -> None:
    of = Lookout(None, "0xabc", Limits())
    of.check()
    of.error = SiteError("no worker")
    for wait in (of.check, lambda: of.wait([]), lambda: of.next(Never())):
        with pytest.raises(SiteError, match="no worker"):
            wait()


class Never:
    """Futures none of which is done."""

    def has_ready(self) -> bool:
        return False


def test_a_partition_that_took_too_long_twice_says_so() -> None:
    of = Lookout(None, "0xabc", Limits())
    cause = ValueError("x")
    assert of.explained("key", cause, "item 1") is cause
    of.overdue["key"] = 150.0
    told = of.explained("key", cause, "item 1")
    assert isinstance(told, PartitionError)
    assert told.what == "it was not done within 2.5 minutes, on one worker and on another"
    assert told.where == "item 1"
    assert told.remedy == (
        "partition_timeout below [workers] in the site profile is the limit, "
        "and --on-error keep finishes without it"
    )


class Site:
    """A client whose scheduler is told what to do."""

    def __init__(self, running: list[tuple[str, str, float, float]]) -> None:
        self.running, self.told = running, []

    def run_on_scheduler(self, function: Callable[..., Any], **arguments: Any) -> Any:
        if function.__name__ == "look":
            assert arguments == {"nonce": "0xabc"}
            return seen(running=self.running, computing=True)
        self.told.append((function.__name__, arguments))
        return None


def test_a_late_partition_is_taken_from_its_worker_once() -> None:
    site = Site([("k", "tcp://a", 6.0, -1.0), ("j", "tcp://b", 5.0, -1.0)])
    of = Lookout(site, "0xabc", Limits(partition=5.0))
    of._look()
    of._look()
    assert site.told == [("restart", {"address": "tcp://a", "timeout": lookout.RESTARTED_WITHIN})]
    assert of.overdue == {}
    assert of._idle.is_set()


def test_on_a_second_worker_it_has_failed() -> None:
    site = Site([("k", "tcp://a", 6.0, -1.0)])
    of = Lookout(site, "0xabc", Limits(partition=5.0))
    of._look()
    site.running = [("k", "tcp://b", 6.0, -1.0)]
    of._look()
    assert [name for name, _ in site.told] == ["restart", "condemn", "restart"]
    assert site.told[1] == ("condemn", {"key": "k"})
    assert of.overdue == {"k": 5.0}


def test_the_average_of_its_kind_makes_a_limit() -> None:
    site = Site([("k", "tcp://a", LONG + 100.0, LONG)])
    of = Lookout(site, "0xabc", Limits())
    of._look()
    assert site.told == []


def test_nobody_is_restarted_after_the_run() -> None:
    site = Site([("k", "tcp://a", 6.0, -1.0)])
    of = Lookout(site, "0xabc", Limits(partition=5.0))
    of._stopped.set()
    of._look()
    assert site.told == []


def test_a_lookout_looks_until_the_run_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()
    of = Lookout(None, "0xabc", Limits(partition=0.1))
    monkeypatch.setattr(Lookout, "_look", lambda self: looked.set())
    with of:
        assert looked.wait(timeout=10)
        [thread] = [t for t in threading.enumerate() if t.name == "lookout"]
        assert thread.daemon
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_a_lookout_survives_a_scheduler_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    twice = threading.Event()

    def look(self: Lookout) -> None:
        looks.append(1)
        if len(looks) > 1:
            twice.set()
        raise OSError("gone")

    monkeypatch.setattr(Lookout, "_look", look)
    with Lookout(None, "0xabc", Limits(partition=0.1)):
        assert twice.wait(timeout=10)


class Task(SimpleNamespace):
    """As much of a scheduler's task as is looked at."""

    __hash__ = object.__hash__


def task(key: str, state: str = "processing", average: float = -1.0) -> Task:
    prefix = SimpleNamespace(duration_average=average)
    return Task(key=key, state=state, prefix=prefix, processing_on=None, suspicious=0)


def worker(address: str, **changes: Any) -> SimpleNamespace:
    plain = {
        "executing": {},
        "last_seen": time.time(),
        "metrics": {},
        "status": SimpleNamespace(name="running"),
        "memory_limit": 0,
        "nanny": None,
    }
    return SimpleNamespace(address=address, **plain | changes)


def looked(*workers: SimpleNamespace, tasks: tuple[Task, ...] = ()) -> dict[str, Any]:
    scheduler = SimpleNamespace(
        workers={one.address: one for one in workers}, tasks={one.key: one for one in tasks}
    )
    return lookout._looker()(scheduler, nonce="0xabc")


def test_what_workers_compute_is_seen_with_how_long_it_took() -> None:
    mine, other, gone = task("a-0xabc-1", average=2.0), task("b-0xdef-1"), task("c-0xabc-2")
    w = worker("tcp://w", executing={mine: 5.0}, last_seen=time.time() - 100.0)
    v = worker("tcp://v", executing={gone: 7.0, other: 9.0}, last_seen=time.time() + 100.0)
    mine.processing_on, other.processing_on = w, v  # the third is not its worker's any more
    sight = looked(w, v)
    [(key, address, taken, average)] = sight["running"]
    assert (key, address, average) == ("a-0xabc-1", "tcp://w", 2.0)
    assert 105.0 <= taken < 115.0
    assert sight["computing"] is True
    mine.processing_on, v.executing = v, {mine: 7.0}
    [(_, _, taken, _)] = looked(v)["running"]
    assert taken == 7.0  # clocks may differ


def test_a_run_of_others_computes_too() -> None:
    other = task("b-0xdef-1")
    w = worker("tcp://w", executing={other: 9.0})
    other.processing_on = w
    sight = looked(w, tasks=(task("a-0xabc-1", "queued"),))
    assert (sight["running"], sight["computing"], sight["waiting"]) == ([], True, 0)


def test_memory_of_workers_is_seen_in_coarse_steps() -> None:
    full = {
        "memory": 5 * COARSE + 7,
        "spilled_bytes": {"disk": 11.0, "memory": 1},
        "transfer": {"incoming_bytes": 13},
    }
    paused = SimpleNamespace(name="paused")
    sight = looked(worker("w"), worker("v", metrics=full, memory_limit=99, status=paused))
    assert sight["workers"] == [
        ("w", "running", 0, 0, 0, 0),
        ("v", "paused", 5, 99, 11, 13),
    ]
    assert COARSE == 1 << 24
    for nothing in (None, {}):
        empty = {"spilled_bytes": nothing, "transfer": nothing}
        assert looked(worker("w", metrics=empty))["workers"] == [("w", "running", 0, 0, 0, 0)]


def test_tasks_of_the_run_that_are_not_done_wait() -> None:
    states = ("queued", "processing", "memory", "erred", "released", "forgotten", "no-worker")
    tasks = [task(f"a-0xabc-{state}", state) for state in states]
    sight = looked(worker("w"), tasks=(*tasks, task("b-0xdef-1", "queued")))
    assert (sight["waiting"], sight["computing"]) == (3, False)


def test_a_task_is_condemned_to_fail_with_its_worker() -> None:
    tried, other = task("k"), task("j")
    scheduler = SimpleNamespace(tasks={"k": tried, "j": other}, allowed_failures=3)
    lookout._condemner()(scheduler, key="k")
    lookout._condemner()(scheduler, key="it is done")
    assert (tried.suspicious, other.suspicious) == (3, 0)


@pytest.mark.parametrize(
    ("workers", "waits"),
    [([worker("a", nanny="tcp://n")], True), ([worker("a")], False), ([], False)],
)
def test_a_worker_is_ended_and_waited_for_if_a_nanny_starts_another(
    workers: list[SimpleNamespace], waits: bool
) -> None:
    asked = []

    async def restart_workers(addresses: list[str], **options: Any) -> None:
        asked.append((addresses, options))

    scheduler = SimpleNamespace(
        workers={one.address: one for one in workers}, restart_workers=restart_workers
    )
    asyncio.run(lookout._restarter()(scheduler, address="a", timeout=7.0))
    [(addresses, options)] = asked
    assert addresses == ["a"]
    assert options == {
        "timeout": 7.0,
        "wait_for_workers": waits,
        "on_error": "return",
        "stimulus_id": "lookout",
    }


def test_libraries_have_one_thread_in_the_block() -> None:
    def most() -> int:
        return max((pool["num_threads"] for pool in threadpool_info()), default=1)

    with threadpool_limits(2), one_thread():
        assert most() == 1
