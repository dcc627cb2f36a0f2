"""Somebody who watches a run: what is shown, and when, in this process and on two threads."""

import operator
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

from spectrum_workflows.domain import Failure, Metrics
from spectrum_workflows.engine import (
    Codec,
    Ledger,
    Reduction,
    Run,
    Shuffle,
    Sketch,
    Written,
    keeping,
    observed,
    tree_dask,
)
from spectrum_workflows.engine.ledger import Node, Subtrees, entries
from spectrum_workflows.engine.observer import Nobody, Sketching, current_observer
from spectrum_workflows.engine.parts import Part, Parts, each
from spectrum_workflows.engine.tree import merged
from spectrum_workflows.errors import DataError, PartitionError


class Viewer:
    """Notes all that it is told."""

    def __init__(self, *, due: bool = True) -> None:
        self.is_due, self.seen, self.costs = due, [], []

    def due(self) -> bool:
        return self.is_due

    def see(self, snapshot: Any, *, picture: bool) -> None:
        self.seen.append((snapshot, picture))

    def count(self, metrics: Metrics) -> None:
        self.costs.append(metrics)

    def attempt(self, action: Callable[[], object]) -> None:
        action()


SKETCH: Sketch[int] = Sketch(lambda value: 2 * value, lambda small: f"<{small}>")


def sketching(viewer: Viewer, before: Metrics | None = None) -> Sketching[int]:
    return Sketching(SKETCH, operator.add, viewer, before or Metrics())


def part(value: int | None, **metrics: Any) -> Part[int]:
    return Part(value, Metrics(**metrics))


def test_a_sketch_of_a_part_costs_what_the_part_did() -> None:
    assert SKETCH.of(part(3, bytes_read=5)) == part(6, bytes_read=5)
    assert SKETCH.of(part(None, bytes_read=5)) == part(None, bytes_read=5)


def test_what_is_merged_so_far_is_shown_with_what_it_cost() -> None:
    viewer = Viewer()
    shown = sketching(viewer, Metrics(bytes_read=100))
    for n in (1, 2, 3):
        shown.add(part(n, bytes_read=n))
    assert viewer.seen == [("<2>", True), ("<6>", True), ("<12>", True)]
    assert [cost.bytes_read for cost in viewer.costs] == [101, 103, 106]


def test_what_is_not_due_is_merged_and_not_shown() -> None:
    viewer = Viewer(due=False)
    shown = sketching(viewer)
    shown.add(part(1))
    assert viewer.seen == viewer.costs == []
    viewer.is_due = True
    shown.add(part(2))
    assert viewer.seen == [("<6>", True)]


@pytest.mark.parametrize("due", [True, False])
def test_the_end_is_always_shown_and_a_picture_of_it_where_there_is_time(due: bool) -> None:
    viewer = Viewer(due=due)
    sketching(viewer).end(part(5, bytes_read=7))
    assert viewer.seen == [("<10>", due)]
    assert viewer.costs[0].bytes_read == 7


def test_where_all_failed_there_is_only_a_cost() -> None:
    viewer = Viewer()
    sketching(viewer).add(part(None, bytes_read=7))
    assert viewer.seen == []
    assert len(viewer.costs) == 1


def test_nobody_watches_if_nobody_is_asked() -> None:
    nobody = current_observer()
    assert isinstance(nobody, Nobody)
    assert nobody.due() is False
    assert nobody.see(1, picture=True) is None
    assert nobody.count(Metrics()) is None
    nobody.attempt(lambda: 1 / 0)
    viewer = Viewer()
    with observed(viewer):
        assert current_observer() is viewer
    assert current_observer() is nobody


def one(item: kit.Item, bad: int = -1) -> int:
    if item.n == bad:
        raise ValueError("no such thing")
    return 1


@pytest.mark.parametrize("workers", [False, True])
def test_a_run_that_is_watched_has_the_same_value(threads: Client, workers: bool) -> None:
    viewer = Viewer()
    with observed(viewer):
        run = Run(tuple(kit.items(40)), threads if workers else None, "raise", told(), "mine", 3)
    assert run.over("count", Reduction(one, operator.add, SKETCH)) == 40
    values = [int(snapshot.strip("<>")) for snapshot, _ in viewer.seen]
    assert values[0] < 80 == values[-1] == max(values)
    assert all(picture for _, picture in viewer.seen)
    assert viewer.costs[-1].cpu_seconds >= run.metrics.cpu_seconds


def test_who_is_never_ready_sees_the_end(threads: Client) -> None:
    for client in (None, threads):
        viewer = Viewer(due=False)
        with observed(viewer):
            run = Run(tuple(kit.items(20)), client, "raise", told(), "mine", 3)
        run.over("count", Reduction(one, operator.add, SKETCH))
        assert viewer.seen == [("<40>", False)]


def told(seen: list[Any] | None = None) -> Callable[..., None]:
    return lambda *what: None if seen is None else seen.append(what)


def run_of(client: Client | None = None, fan_in: int = 8, **options: Any) -> Run[kit.Item]:
    rule = options.pop("on_error", "keep")
    return Run(tuple(kit.items(8)), client, rule, told(), "mine", fan_in, **options)


def test_a_pass_is_counted_for_whoever_watches() -> None:
    viewer = Viewer()
    run = run_of(observer=viewer)
    run.over("count", Reduction(one, operator.add))
    assert viewer.costs == [run.metrics]
    [stage] = run.metrics.stages
    assert (stage.name, stage.tasks, stage.memory) == ("count", 8, run.metrics.memory)
    assert (stage.cpu_seconds, stage.bytes_moved) == (
        run.metrics.cpu_seconds,
        run.metrics.bytes_moved,
    )


def test_progress_begins_at_nothing_and_ends_at_all() -> None:
    seen: list[Any] = []
    run = Run(tuple(kit.items(3)), None, "raise", told(seen), "mine")
    run.over("count", Reduction(one, operator.add))
    assert seen == [("count", n, 3) for n in range(4)]


def test_a_look_is_in_no_stage_and_in_no_cost() -> None:
    run = run_of()
    assert run.look(Reduction(one, operator.add), kit.items(5)) == 5
    assert run.metrics == Metrics()
    with pytest.raises(PartitionError, match="no such thing"):
        run.look(Reduction(one, operator.add), kit.items(5), 3)


def test_what_is_lost_after_the_passes_makes_a_result_partial() -> None:
    run = run_of()
    run.lose("block 1", "disk full")
    run.lose("block 2", "disk full")
    assert run.metrics.failures == (
        Failure("block 1", 0, "disk full", 1),
        Failure("block 2", 0, "disk full", 1),
    )


def listed(item: kit.Item) -> str:
    return str(item.n)


def nested(a: str, b: str) -> str:
    return f"({a}{b})"


@pytest.mark.parametrize(("fan_in", "value"), [(2, "(((01)(23))((45)(67)))"), (8, None)])
def test_sums_follow_the_fan_in_of_the_run(fan_in: int, value: str | None) -> None:
    run = run_of(fan_in=fan_in)
    straight = "(((((((01)2)3)4)5)6)7)"
    for found in (
        run.over("first", Reduction(listed, nested)),
        run.reduce("others", Reduction(listed, nested), kit.items(8)),
        run.look(Reduction(listed, nested), kit.items(8)),
    ):
        assert found == (value or straight)


@pytest.mark.parametrize(
    ("stage", "label"),
    [("first look", "mine-first-look"), ("cycle 3", "mine-cycle"), ("psf", "mine-psf")],
)
def test_tasks_are_called_after_run_and_stage_without_numbers(stage: str, label: str) -> None:
    parts = run_of()._parts(stage, one, kit.items(2), (7,), "keep")
    assert parts == Parts(one, tuple(kit.items(2)), (7,), None, label, "keep")


def test_a_look_is_called_so(threads: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = []

    def spied(fn: Any, items: Any, *shared: Any, **options: Any) -> Any:
        labels.append((options["label"], options["client"]))
        return each(fn, items, *shared, **options)

    monkeypatch.setattr("spectrum_workflows.engine.run.each", spied)
    run_of(threads).look(Reduction(one, operator.add), kit.items(2))
    assert labels == [("mine-look", threads)]


def test_one_failure_among_other_items_ends_the_run_though_failures_are_kept() -> None:
    run = run_of()
    others = kit.items(5)
    cut = Shuffle(lambda item, bad: [one(item, bad)], lambda _, values: sum(values), 1)
    assert [*run.shuffle_items("cut", cut, others, -1)] == [5]
    for compute in (
        lambda: run.reduce("count", Reduction(one, operator.add), others, 3),
        lambda: run.shuffle_items("cut", cut, others, 3),
    ):
        with pytest.raises(PartitionError, match="item 3: ValueError: no such thing"):
            compute()
    assert run.on_error == "keep"


def test_a_shuffle_is_a_stage_and_drops_what_failed() -> None:
    seen: list[Any] = []
    run = Run(tuple(kit.items(4)), None, "keep", told(seen), "mine")
    cut = Shuffle(lambda item, bad: [one(item, bad), 10], lambda _, values: sum(values), 2)
    assert [*run.shuffle("cut", cut, 3)] == [3, 30]
    assert [item.n for item in run.partitions] == [0, 1, 2]
    assert run.on_error == "raise"
    [stage] = run.metrics.stages
    assert (stage.name, stage.tasks) == ("cut", 4 + 2)
    assert [lost.where for lost in run.metrics.failures] == ["item 3"]
    assert seen == [("cut", n, 4) for n in range(5)]


def test_nothing_is_dropped_where_nothing_failed_and_later_passes_must_succeed() -> None:
    run = run_of()
    run.over("first", Reduction(one, operator.add))
    assert len(run.partitions) == 8
    assert run.on_error == "raise"


def test_where_all_failed_the_first_says_why() -> None:
    with pytest.raises(DataError) as first:
        Run(tuple(kit.items(2)), None, "keep", told(), "mine").over(
            "first", Reduction(lambda item: one(item, item.n), operator.add)
        )
    assert first.value.what == "no partition could be computed (ValueError: no such thing)"
    assert first.value.where == "item 0"


CODEC: Codec[Any] = Codec(
    lambda value, _: Written({"sum": value}), lambda written, _: written.arrays["sum"]
)


def kept_in(folder: Path) -> Ledger:
    return Ledger(str(folder), {"": "1"}, after=0.0)


def waves_until(item: kit.Item, most: int) -> Any:
    if item.n >= most:
        raise DataError("the machine went away", item.where)
    return kit.waves(item)


@pytest.mark.parametrize("workers", [False, True])
def test_a_run_takes_what_the_ledger_has(threads: Client, tmp_path: Path, workers: bool) -> None:
    def run() -> Run[Any]:
        with keeping(kept_in(tmp_path)):
            client = threads if workers else None
            return Run(tuple(kit.items(30)), client, "raise", told(), "mine", 3)

    reduction = Reduction(waves_until, kit.add, codec=CODEC)
    with pytest.raises(DataError, match="went away"):
        run().over("select", reduction, 22)
    again = run()
    value = again.over("select", reduction, 30)
    whole, _ = merged(each(kit.waves, kit.items(30)), kit.add, fan_in=3)
    assert value.tobytes() == whole.tobytes()
    assert again.metrics.resumed >= 9
    assert again.metrics.stages[0].tasks == 30 - again.metrics.resumed
    third = run()
    assert third.over("select", reduction, 0).tobytes() == whole.tobytes()
    assert third.metrics.resumed == 30
    assert len(entries(str(tmp_path))) == 1


@pytest.mark.parametrize("workers", [False, True])
@pytest.mark.parametrize(("count", "top"), [(2, 1), (3, 1), (9, 2), (10, 3)])
def test_a_whole_run_is_kept_as_the_root_of_its_tree(
    threads: Client, tmp_path: Path, workers: bool, count: int, top: int
) -> None:
    with keeping(kept_in(tmp_path)):
        run = Run(tuple(kit.items(count)), threads if workers else None, "raise", told(), "mine", 3)
    run.over("select", Reduction(kit.waves, kit.add, codec=CODEC))
    assert [path.name for path in tmp_path.iterdir()] == [f"select.{top}.0.entry"]


def test_warnings_of_a_ledger_are_in_the_metrics(tmp_path: Path) -> None:
    (tmp_path / "select.1.0.entry").write_bytes(b"nothing")
    run = run_of(ledger=kept_in(tmp_path))
    run.over("select", Reduction(kit.waves, kit.add, codec=CODEC))
    [warning] = run.metrics.warnings
    assert warning.startswith("1 damaged entry")


@pytest.mark.parametrize("items", [0, 8])
def test_without_a_codec_or_items_nothing_is_kept(tmp_path: Path, items: int) -> None:
    run = run_of(ledger=kept_in(tmp_path))
    codec = CODEC if items == 0 else None
    run.reduce("select", Reduction(kit.waves, kit.add, codec=codec), kit.items(items))
    assert not entries(str(tmp_path))


@pytest.mark.parametrize("workers", [False, True])
def test_known_subtrees_are_counted_as_done(threads: Client, tmp_path: Path, workers: bool) -> None:
    items = tuple(kit.items(10))
    known = Subtrees(kept_in(tmp_path), "select", items, 3, CODEC)
    whole = merged(each(kit.waves, items[:9]), kit.add, fan_in=3)[0]
    known.parts[Node(2, 0)] = Part(whole, Metrics(resumed=9))
    seen: list[int] = []
    client = threads if workers else None
    value, metrics = merged(
        each(kit.waves, items, client=client), kit.add, fan_in=3, done=seen.append, subtrees=known
    )
    known.close()
    assert seen == [9, 10]
    assert metrics.resumed == 9
    assert value.tobytes() == merged(each(kit.waves, items), kit.add, fan_in=3)[0].tobytes()


def test_a_tree_must_merge_at_least_two() -> None:
    with pytest.raises(ValueError, match="fan_in must be at least 2, not 1"):
        merged(each(kit.waves, kit.items(3)), kit.add, fan_in=1)
    assert merged(each(one, kit.items(3)), operator.add, fan_in=2)[0] == 3


def test_a_tree_has_eight_children_if_nothing_is_said() -> None:
    parts = each(listed, kit.items(10))
    assert merged(parts, nested)[0] == "((((((((01)2)3)4)5)6)7)(89))"


def test_late_sketches_wait_for_the_others(threads: Client) -> None:
    class Sketched:
        def __init__(self, status: str, value: int = 1) -> None:
            self.status, self.value = status, value

        def result(self) -> Part[int]:
            return part(self.value)

    viewer = Viewer()
    parts = each(one, kit.items(9), client=threads)
    tree = tree_dask.RunningTree(threads, parts, operator.add, 3, sketching(viewer))
    tree.sketches = [Sketched("finished"), Sketched("pending")]  # type: ignore[list-item]
    tree_dask.show_sketches(tree)
    assert len(tree.sketches) == 2
    tree.sketches = [Sketched("finished", 2), Sketched("finished", 3)]  # type: ignore[list-item]
    tree_dask.show_sketches(tree)
    assert (viewer.seen, tree.sketches) == ([("<5>", True)], [])
    tree.sketches = [Sketched("pending"), Sketched("lost")]  # type: ignore[list-item]
    tree_dask.show_sketches(tree)
    assert tree.sketches == []
    assert len(viewer.seen) == 1


def test_nothing_stays_on_workers_if_a_library_keeps_the_frames_of_its_callers(
    threads: Client,
) -> None:
    """As one does that holds on to an error which it has dealt with."""

    class Keeping(Viewer):
        def see(self, snapshot: Any, *, picture: bool) -> None:
            super().see(snapshot, picture=picture)
            self.frame = sys._getframe()

    viewer, before = Keeping(), threads.run_on_scheduler(known_tasks)
    parts = each(one, kit.items(30), client=threads)
    assert merged(parts, operator.add, fan_in=3, sketching=sketching(viewer))[0] == 30
    assert viewer.frame is not None
    end = time.monotonic() + 20
    while (tasks := threads.run_on_scheduler(known_tasks) - before) and time.monotonic() < end:
        time.sleep(0.05)
    assert not tasks


def known_tasks(dask_scheduler: Any) -> set[str]:
    return {str(key) for key in dask_scheduler.tasks}


def test_arrays_are_the_same_to_the_bit_whoever_watches(threads: Client) -> None:
    sketch: Sketch[Any] = Sketch(lambda value: value[:2], lambda small: small.tobytes())
    viewer = Viewer()
    with observed(viewer):
        run = Run(tuple(kit.items(30)), threads, "raise", told(), "mine", 3)
    value = run.over("sum", Reduction(kit.waves, kit.add, sketch))
    assert value.tobytes() == merged(each(kit.waves, kit.items(30)), kit.add, fan_in=3)[0].tobytes()
    assert viewer.seen[-1][0] == value[:2].tobytes()
    assert isinstance(value, np.ndarray)
