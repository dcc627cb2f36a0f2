"""Several passes over the same partitions: failures are counted once, stages add up."""

import operator
import sys
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

from spectrum_workflows.domain import OnError, Plan, fraction_done
from spectrum_workflows.engine import Reduction, Run, Shuffle
from spectrum_workflows.errors import DataError, SpectrumError

BAD = 3


def one(item: kit.Item, bad: int = -1) -> int:
    if item.n == bad:
        raise OSError("no such thing")
    return 1


def pieces(item: kit.Item, bad: int = -1) -> list[int]:
    return [one(item, bad), item.n]


def together(_number: int, parts: list[int]) -> int:
    return sum(parts)


COUNT = Reduction(one, operator.add)


def run_of(client, on_error: OnError = "keep", told: list[tuple[str, int, int]] | None = None):
    def report(*what: object) -> None:
        if told is not None:
            told.append(what)

    return Run(tuple(kit.items(8)), client, on_error, report, "test")


@pytest.mark.parametrize("workers", [False, True])
def test_what_failed_in_the_first_pass_is_left_out_and_counted_once(dask_client, workers) -> None:
    told: list[tuple[str, int, int]] = []
    run = run_of(dask_client if workers else None, told=told)
    assert run.over("first look", COUNT, BAD) == 7
    assert [item.n for item in run.partitions] == [0, 1, 2, 4, 5, 6, 7]
    assert run.over("second", COUNT, BAD) == 7
    kept = run.shuffle("again", Shuffle(pieces, together, 2), BAD)
    assert list(kept) == [7, 25]
    kept.close()
    [failure] = run.metrics.failures
    assert (failure.where, failure.size) == ("item 3", 10)
    plan = Plan(tuple(kit.items(8)), 0, 0)
    assert fraction_done(plan, run.metrics.failures) == 7 / 8
    assert [(s.name, s.tasks) for s in run.metrics.stages] == [
        *(("first look", 8), ("second", 7), ("again", 7 + 2)),
    ]
    assert told[0] == ("first look", 0, 8)
    assert ("second", 7, 7) in told


@pytest.mark.parametrize("workers", [False, True])
def test_what_failed_in_a_shuffle_is_left_out_of_later_passes(dask_client, workers) -> None:
    run = run_of(dask_client if workers else None)
    kept = run.shuffle("first", Shuffle(pieces, together, 2), BAD)
    assert list(kept) == [7, 25]
    kept.close()
    assert run.over("second", COUNT, BAD) == 7
    assert [failure.where for failure in run.metrics.failures] == ["item 3"]


def test_a_stage_of_several_passes_adds_up() -> None:
    run = run_of(None)
    for _ in range(3):
        run.over("loop", COUNT)
    assert [(s.name, s.tasks) for s in run.metrics.stages] == [("loop", 24)]


def test_a_later_pass_must_succeed() -> None:
    """The result holds what the first pass made of all that are left."""
    run = run_of(None)
    run.over("first", COUNT)
    with pytest.raises(SpectrumError, match="no such thing"):
        run.over("second", COUNT, BAD)


def test_other_items_must_all_succeed() -> None:
    run = run_of(None)
    assert run.reduce("of others", COUNT, kit.items(5)) == 5
    with pytest.raises(SpectrumError, match="no such thing"):
        run.reduce("of others", COUNT, kit.items(5), BAD)
    with pytest.raises(SpectrumError, match="no such thing"):
        run.shuffle_items("of others", Shuffle(pieces, together, 2), kit.items(5), BAD)
    assert len(run.partitions) == 8


def test_nothing_left_is_an_error() -> None:
    run = Run(tuple(kit.items(1)), None, "keep", lambda *_: None, "test")
    with pytest.raises(DataError, match=r"no partition could be computed \(OSError: no such"):
        run.over("first", COUNT, 0)


def test_the_memory_of_workers_is_not_that_of_the_session() -> None:
    """A process that was started by a large one is none."""
    large = np.ones(512 << 17)
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, **options) as cluster, Client(cluster) as client:
        run = run_of(client)
        assert run.over("count", COUNT) == 8
    assert 10 << 20 < run.metrics.memory < large.nbytes
    assert [stage.memory for stage in run.metrics.stages] == [run.metrics.memory]
    run = run_of(None)
    assert run.over("count", COUNT) == 8
    assert run.metrics.memory > large.nbytes
