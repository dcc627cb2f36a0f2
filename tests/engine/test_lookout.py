"""Nothing waits for ever: partitions that do not return, runs in which nothing moves."""

import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

from spectrum_workflows.engine import Limits, each, limited, merged, shuffle
from spectrum_workflows.engine.limits import LONG, MANY
from spectrum_workflows.engine.limits import SHORT as LEAST
from spectrum_workflows.errors import PartitionError, SiteError

SHORT = Limits(partition=2.0, stalled=60.0)  # a busy machine starts workers slowly


@pytest.fixture
def client() -> Iterator[Client]:
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    # Dask gives a worker up for good that is lost twice within this time, or slow to come back;
    # sites.local_pool would start it anew, and there is none here.
    patience = dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    with patience, LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
        yield client


def test_the_limit() -> None:
    assert Limits().of_a_partition(-1.0) == LONG
    assert Limits().of_a_partition(0.1) == LEAST
    assert Limits().of_a_partition(LONG) == MANY * LONG
    foreseen = Limits(forecast={"major cycle": 100.0, "image": 1.0})
    assert foreseen.expecting("major cycle 12").of_a_partition(-1.0) == MANY * 100.0
    assert foreseen.expecting("major cycle").of_a_partition(200.0) == MANY * 200.0
    assert foreseen.expecting("image").of_a_partition(0.1) == LEAST
    assert foreseen.expecting("image").of_a_partition(-1.0) == LONG
    assert Limits(5.0, forecast={"image": 100.0}).expecting("image").of_a_partition(1.0) == 5.0
    assert Limits(5.0).of_a_partition(LONG) == 5.0
    assert 0 < Limits(0.01).period < 1 < Limits().period


def test_a_partition_that_hangs_once_is_taken_elsewhere(client: Client, tmp_path: Path) -> None:
    marker = str(tmp_path / "hung")
    with limited(SHORT):
        value, metrics = merged(each(kit.hangs_once, kit.items(20), marker, client=client), kit.add)
    assert value.tobytes() == merged(each(kit.waves, kit.items(20)), kit.add)[0].tobytes()
    assert (metrics.failures, metrics.retries) == ((), 1)
    assert metrics.warnings == (
        "a partition took longer than its limit, once: taken from its worker",
    )


def test_a_partition_that_never_returns_is_named(client: Client) -> None:
    parts = each(kit.hangs_at_three, kit.items(20), 1000.0, client=client)
    begun = time.monotonic()
    with limited(SHORT), pytest.raises(PartitionError, match=r"item 3: it was not done within 2 s"):
        merged(parts, int.__add__)
    assert time.monotonic() - begun < 60


def test_a_partition_that_never_returns_is_kept_as_a_failure(client: Client) -> None:
    parts = each(kit.hangs_at_three, kit.items(20), 1000.0, client=client, on_error="keep")
    with limited(SHORT):
        value, metrics = merged(parts, int.__add__)
    [failure] = metrics.failures
    assert (value, failure.where, failure.attempts) == (19, "item 3", 2)
    assert "partition_timeout below [workers]" in failure.error


def test_a_shuffle_that_hangs(client: Client, tmp_path: Path) -> None:
    marker = str(tmp_path / "hung")
    with limited(SHORT):
        parts = each(kit.hangs_in_pieces, kit.items(8), marker, 3, client=client)
        with closing(shuffle(parts, kit.labelled, 3)) as found:
            values = list(found)
        serial = shuffle(each(kit.pieces, kit.items(8), 3), kit.labelled, 3)
        assert np.array_equal(values, list(serial))
        parts = each(kit.hangs_always_in_pieces, kit.items(8), 3, client=client)
        with pytest.raises(PartitionError, match="item 3: it was not done within 2 s"):
            shuffle(parts, kit.labelled, 3)
        parts = each(kit.hangs_always_in_pieces, kit.items(8), 3, client=client, on_error="keep")
        with closing(shuffle(parts, kit.labelled, 3)) as found:
            [failure] = found.metrics.failures
            without = [kit.Item(n) for n in range(8) if n != 3]
            serial = shuffle(each(kit.pieces, without, 3), kit.labelled, 3)
            assert np.array_equal(list(found), list(serial))
    assert (failure.where, failure.attempts) == ("item 3", 2)
    assert "partition_timeout below [workers]" in failure.error


def test_a_worker_that_nobody_replaces_is_not_waited_for() -> None:
    """One without a nanny is given up: the run goes on with the others at once."""
    with (
        LocalCluster(
            n_workers=3, processes=False, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
    ):
        parts = each(kit.hangs_at_three, kit.items(9), 9.0, client=client, on_error="keep")
        begun = time.monotonic()
        with limited(SHORT):
            value, metrics = merged(parts, int.__add__)
        seconds = time.monotonic() - begun
    assert (value, [failure.where for failure in metrics.failures]) == (8, ["item 3"])
    assert seconds < 50


@pytest.mark.parametrize("kind", ["merged", "shuffle"])
def test_all_workers_at_once(client: Client, kind: str) -> None:
    """Parts that wait for a shared value are near a worker, which may be gone for good."""
    model = np.ones(100_000)
    serial = merged(each(kit.slow_with, kit.items(30), model), kit.add)[0]
    pids, done = list(client.run(os.getpid).values()), []

    def kill(finished: int) -> None:
        done.append(finished)
        if finished == 8:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)

    with dask.config.set({"distributed.deploy.lost-worker-timeout": "300s"}):
        if kind == "merged":
            parts = each(kit.slow_with, kit.items(30), model, client=client)
            value, _ = merged(parts, kit.add, done=kill)
        else:
            parts = each(kit.slow_pieces_with, kit.items(30), model, 3, client=client)
            with closing(shuffle(parts, kit.summed, 3, done=kill)) as found:
                value = sum(found)
    assert np.allclose(value, serial if kind == "merged" else 3 * serial)
    assert max(done) == 30


def test_no_worker_comes_back(client: Client) -> None:
    def leave(finished: int) -> None:
        if finished == 2:
            client.cluster.scale(0)

    with limited(Limits(stalled=2)), pytest.raises(SiteError, match="no worker for 2 s"):
        merged(each(kit.pauses, kit.items(30), 20.0, client=client), int.__add__, done=leave)


def test_workers_that_pause_for_ever(tmp_path: Path) -> None:
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),  # they pause, and no more
        LocalCluster(n_workers=2, memory_limit="500 MB", **options) as cluster,
        Client(cluster) as client,
        limited(Limits(partition=60, stalled=3)),
        pytest.raises(SiteError, match=r"(\d) of \1 workers are paused .* more memory"),
    ):
        merged(each(kit.hoards, kit.items(40), 60 << 20, client=client), int.__add__)


def test_in_this_process_it_is_said() -> None:
    with limited(Limits(partition=0.5)), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert merged(each(kit.hangs_at_three, kit.items(5), 1.5), int.__add__)[0] == 5
    assert any("item 3: has taken" in str(warning.message) for warning in said)
