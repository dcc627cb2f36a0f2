"""A run that is stopped while a traceback holds its futures: nothing of it stays on workers."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import cloudpickle
import pytest
from distributed import Client, Scheduler

from spectrum_workflows.engine import each, merged, shuffle

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

cloudpickle.register_pickle_by_value(kit)


def pieces(item: kit.Item) -> list[int]:
    return [item.n, item.n + 1]


def joined(_number: int, values: list[int]) -> int:
    return sum(values)


def stop(_done: int) -> None:
    raise KeyboardInterrupt


def tasks(dask_scheduler: Scheduler) -> set[object]:
    return {*dask_scheduler.tasks}


def tasks_left(client: Client, before: set[object]) -> set[object]:
    """Those of this test: other tests share the workers."""
    end = time.monotonic() + 20
    while (left := client.run_on_scheduler(tasks) - before) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def merge(client: Client) -> None:
    merged(each(kit.waves, kit.items(40), client=client), kit.add, done=stop)


def exchange(client: Client) -> None:
    shuffle(each(pieces, kit.items(40), client=client), joined, 2, done=stop)


@pytest.mark.parametrize("compute", [merge, exchange])
def test_nothing_is_left_though_a_traceback_is_kept(
    dask_client: Client, compute: Callable[[Client], None]
) -> None:
    before = dask_client.run_on_scheduler(tasks)
    with pytest.raises(KeyboardInterrupt) as kept:
        compute(dask_client)
    assert not tasks_left(dask_client, before)
    assert kept.traceback
