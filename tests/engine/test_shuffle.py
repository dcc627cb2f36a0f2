"""Values that stay on the workers: the same bits for any number of them, and made again."""

import os
import signal
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import cloudpickle
import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster, SchedulerPlugin
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spectrum_workflows.engine import each, merged, shuffle, shuffle_dask, window
from spectrum_workflows.errors import DataError, PartitionError

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

cloudpickle.register_pickle_by_value(kit)

FEW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@pytest.fixture(autouse=True)
def nothing_stays(dask_client: Client):
    """Whatever happens in a test, the scheduler forgets all of it, with the kept values."""
    yield
    deadline = time.monotonic() + 30
    while left := dask_client.run_on_scheduler(lambda dask_scheduler: [*dask_scheduler.tasks]):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


OPTIONS = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}


def wait_for_replacements(client: Client) -> None:
    """A nanny that is closed while its new worker starts takes half a minute."""
    with suppress(TimeoutError):
        client.wait_for_workers(2, timeout=20)


def by_definition(items: int, count: int) -> list[np.ndarray]:
    parts = [kit.pieces(item, count) for item in kit.items(items)]
    return [kit.labelled(k, [part[k] for part in parts]) for k in range(count)]


def same(found, expected) -> bool:
    return [a.tobytes() for a in found] == [b.tobytes() for b in expected]


@given(items=st.integers(1, 40), count=st.integers(1, 9))
@FEW
def test_workers_and_serial_make_the_same_values(dask_client: Client, items: int, count: int):
    for client in (None, dask_client):
        parts = each(kit.pieces, kit.items(items), count, client=client)
        with closing(shuffle(parts, kit.labelled, count)) as kept:
            assert len(kept) == count
            assert same(kept, by_definition(items, count))


@pytest.mark.parametrize("workers", [1, 3])
def test_a_loop_over_kept_values_on_any_number_of_workers(workers: int):
    """Persisted values are used twice, among others and shared ones, and exchanged again."""

    def loop(client: Client | None) -> list[bytes]:
        first = each(kit.pieces, kit.items(11), 5, client=client)
        with closing(shuffle(first, kit.labelled, 5)) as kept:
            total, _ = merged(each(kit.scaled, kit.items(5), kept, 3.0, client=client), kit.add)
            again = each(kit.scaled_pieces, kit.items(5), kept, 4, client=client)
            with closing(shuffle(again, kit.labelled, 4)) as second:
                return [total.tobytes(), *(value.tobytes() for value in second)]

    with LocalCluster(n_workers=workers, processes=False, **OPTIONS) as c, Client(c) as client:
        assert loop(client) == loop(None)


def test_values_are_spread_over_the_workers_and_let_go(dask_client: Client):
    parts = each(kit.pieces, kit.items(12), 6, client=dask_client, label="spread")
    with closing(shuffle(parts, kit.labelled, 6)) as kept:
        where = dask_client.who_has(kept.elements)
        scatter_shared = sorted(holders[0] for holders in where.values())
        counts = sorted(scatter_shared.count(address) for address in set(scatter_shared))
        assert counts in ([3, 3], [2, 4])  # one that is idle takes one from a worker that is late
        assert kept.metrics.bytes_moved >= 12 * 6 * 7 * 8


def test_progress_counts_the_parts(dask_client: Client):
    for client in (None, dask_client):
        seen: list[int] = []
        parts = each(kit.pieces, kit.items(9), 2, client=client)
        shuffle(parts, kit.labelled, 2, done=seen.append).close()
        assert seen == list(range(1, 10))


@pytest.mark.parametrize("where", ["serial", "workers"])
class TestFailures:
    @pytest.fixture
    def client(self, where: str, dask_client: Client) -> Client | None:
        return dask_client if where == "workers" else None

    def test_a_part_that_fails_stops_the_run(self, client):
        with pytest.raises(DataError, match="item 3: three is not"):
            shuffle(each(kit.pieces_but_three, kit.items(9), 2, client=client), kit.labelled, 2)

    def test_or_is_left_out_and_counted_once(self, client):
        parts = each(kit.pieces_but_three, kit.items(9), 2, client=client, on_error="keep")
        with closing(shuffle(parts, kit.labelled, 2)) as kept:
            assert [failure.where for failure in kept.metrics.failures] == ["item 3"]
            assert [len(value) for value in kept] == [1 + 8 * 7] * 2

    def test_everything_failed(self, client):
        parts = each(kit.pieces_but_three, [kit.Item(3)], 2, client=client, on_error="keep")
        with closing(shuffle(parts, kit.labelled, 2)) as kept:
            assert [*kept] == [None, None]
            assert len(kept.metrics.failures) == 1

    def test_pieces_that_cannot_be_joined(self, client):
        with pytest.raises(PartitionError, match="merging results failed .ZeroDivisionError"):
            shuffle(each(kit.pieces, kit.items(4), 3, client=client), kit.joins_badly, 3)


def test_a_worker_that_dies_in_the_exchange_changes_nothing(tmp_path: Path):
    with LocalCluster(n_workers=2, **OPTIONS) as cluster, Client(cluster) as client:
        marker = str(tmp_path / "died")
        parts = each(kit.dies_in_pieces, kit.items(9), marker, 4, client=client)
        with closing(shuffle(parts, kit.labelled, 4)) as kept:
            assert Path(marker).exists()
            assert same(kept, by_definition(9, 4))
        wait_for_replacements(client)


@pytest.mark.parametrize("on_error", ["keep", "raise"])
def test_a_part_that_takes_every_worker_down_is_a_failure_like_others(on_error: str):
    """The parts beside it, whose workers died with it, are computed all the same."""
    seen: list[int] = []
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, **OPTIONS) as cluster,
        Client(cluster) as client,
    ):
        parts = each(kit.dies_in_pieces_at_three, kit.items(6), 2, client=client, on_error=on_error)
        if on_error == "raise":
            with pytest.raises(PartitionError, match="item 3: every worker that tried it died"):
                shuffle(parts, kit.labelled, 2)
            wait_for_replacements(client)
            return
        with closing(shuffle(parts, kit.labelled, 2, done=seen.append)) as kept:
            [failure] = kept.metrics.failures
            without = [kit.Item(n) for n in range(6) if n != 3]
            assert same(kept, list(shuffle(each(kit.pieces, without, 2), kit.labelled, 2)))
        wait_for_replacements(client)
    assert failure.where == "item 3"
    assert "every worker that tried it died" in failure.error
    assert seen == sorted({*seen})


def test_values_of_a_killed_worker_are_made_again():
    with LocalCluster(n_workers=2, **OPTIONS) as cluster, Client(cluster) as client:
        parts = each(kit.pieces, kit.items(9), 4, client=client)
        with closing(shuffle(parts, kit.labelled, 4)) as kept:
            before, _ = merged(each(kit.scaled, kit.items(4), kept, 2.0, client=client), kit.add)
            pids = client.run(os.getpid)
            os.kill(next(iter(pids.values())), signal.SIGKILL)
            after, _ = merged(each(kit.scaled, kit.items(4), kept, 2.0, client=client), kit.add)
            assert before.tobytes() == after.tobytes()
            assert same(kept, by_definition(9, 4))
        wait_for_replacements(client)


class Census(SchedulerPlugin):
    """The most tasks that a scheduler and a client in this process held at once."""

    def __init__(self, client: Client) -> None:
        self.client, self.scheduler = client, client.cluster.scheduler
        self.tasks, self.futures = 0, 0

    def transition(self, *_args: object, **_kwargs: object) -> None:
        self.tasks = max(self.tasks, len(self.scheduler.tasks))
        self.futures = max(self.futures, len(self.client.futures))


def test_neither_scheduler_nor_client_holds_all_pieces_at_once(monkeypatch):
    items, count = 500, 32
    monkeypatch.setattr(shuffle_dask, "BUNDLES", 1024)
    with (
        LocalCluster(n_workers=4, processes=False, **OPTIONS) as cluster,
        Client(cluster) as client,
    ):
        census = Census(client)
        cluster.scheduler.add_plugin(census)
        parts = each(kit.pieces, kit.items(items), count, client=client)
        with closing(shuffle(parts, kit.labelled, count)) as kept:
            assert same(kept, by_definition(items, count))
            assert len(kept.metrics.failures) == 0
    most = items + 2 * shuffle_dask.BUNDLES + 4 * count
    assert count < census.tasks < most < items * count / 5
    assert count < census.futures < most


@pytest.mark.parametrize("bundles", [4, 20, 80])
def test_pieces_that_travel_together_make_the_same_values(
    dask_client: Client, monkeypatch: pytest.MonkeyPatch, bundles: int
):
    """One that failed is among them, and few parts are under way at once."""
    monkeypatch.setattr(shuffle_dask, "BUNDLES", bundles)
    monkeypatch.setattr(window, "OUTSTANDING", 8)
    values = []
    for client in (None, dask_client):
        parts = each(kit.pieces_but_three, kit.items(40), 4, client=client, on_error="keep")
        with closing(shuffle(parts, kit.labelled, 4)) as kept:
            assert [failure.where for failure in kept.metrics.failures] == ["item 3"]
            values.append([*kept])
    assert same(*values)


def test_pieces_that_travel_together_survive_the_death_of_a_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(shuffle_dask, "BUNDLES", 8)
    with LocalCluster(n_workers=2, **OPTIONS) as cluster, Client(cluster) as client:
        marker = str(tmp_path / "died")
        parts = each(kit.dies_in_pieces, kit.items(30), marker, 4, client=client)
        with closing(shuffle(parts, kit.labelled, 4)) as kept:
            assert Path(marker).exists()
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            assert same(kept, by_definition(30, 4))
        wait_for_replacements(client)
