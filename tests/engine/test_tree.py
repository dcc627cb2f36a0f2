"""The same bits from a plain loop and from any number of workers."""

import importlib.util
import sys
import time
from pathlib import Path

import cloudpickle
import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spectrum_workflows.engine import each, failures, merged, tree_dask, window
from spectrum_workflows.errors import DataError, PartitionError

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

pytestmark = pytest.mark.xdist_group("engine tree")  # what they share is made once

cloudpickle.register_pickle_by_value(kit)

SLOW = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


def by_definition(count: int, fan_in: int) -> np.ndarray:
    """The tree written down once more, level by level."""
    level = [kit.waves(i) for i in kit.items(count)]
    while len(level) > 1:
        groups = [level[i : i + fan_in] for i in range(0, len(level), fan_in)]
        level = []
        for group in groups:
            total = group[0]
            for value in group[1:]:
                total = total + value
            level.append(total)
    return level[0]


@given(count=st.integers(1, 200), fan_in=st.integers(2, 9))
@settings(deadline=None, derandomize=True)
def test_serial_follows_the_tree(count: int, fan_in: int) -> None:
    value, _ = merged(each(kit.waves, kit.items(count)), kit.add, fan_in=fan_in)
    assert value.tobytes() == by_definition(count, fan_in).tobytes()


@given(count=st.integers(1, 150), fan_in=st.integers(2, 9))
@SLOW
def test_workers_give_the_same_bits(dask_client: Client, count: int, fan_in: int) -> None:
    value, _ = merged(each(kit.waves, kit.items(count), client=dask_client), kit.add, fan_in=fan_in)
    assert value.tobytes() == by_definition(count, fan_in).tobytes()


def test_order_matters_to_the_bits() -> None:
    """The property above would be empty if any order gave the same bits."""
    straight = np.add.reduce([kit.waves(i) for i in kit.items(100)])
    assert straight.tobytes() != by_definition(100, 8).tobytes()


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers(workers: int) -> None:
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "processes": False}
    with LocalCluster(n_workers=workers, **options) as cluster, Client(cluster) as client:
        value, _ = merged(each(kit.waves, kit.items(77), client=client), kit.add)
    assert value.tobytes() == by_definition(77, 8).tobytes()


def test_nothing_to_do(dask_client: Client) -> None:
    for client in (None, dask_client):
        value, metrics = merged(each(kit.waves, [], client=client), kit.add)
        assert value is None
        assert metrics.failures == ()


def test_shared_values_reach_every_task(dask_client: Client) -> None:
    parts = each(kit.waves, kit.items(20), 3.0)
    there = each(kit.waves, kit.items(20), 3.0, client=dask_client)
    assert merged(parts, kit.add)[0].tobytes() == merged(there, kit.add)[0].tobytes()


def test_one_pass_after_another_with_shared_values(dask_client: Client) -> None:
    """As in an iterative workflow: nothing of one pass may disturb the next."""
    for n in range(20):
        parts = each(kit.waves, kit.items(9), 1.0 + n, client=dask_client, label="pass")
        value, _ = merged(parts, kit.add)
        assert (
            value.tobytes() == merged(each(kit.waves, kit.items(9), 1.0 + n), kit.add)[0].tobytes()
        )


def test_serial_holds_one_node_per_level() -> None:
    alive, most = 0, 0

    class Value:
        def __init__(self) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    merged(each(lambda _: Value(), kit.items(512)), lambda *_: Value(), fan_in=8)
    assert most <= 3 + 3  # a node on each of three levels, and what one merge handles


def test_partitions_run_at_the_same_time(dask_client: Client, tmp_path: Path) -> None:
    """Each of two tasks waits until the other has begun, on another worker."""
    parts = each(kit.meets, kit.items(6), str(tmp_path), client=dask_client)
    assert merged(parts, bool.__and__)[0]


def test_progress_counts_to_the_end(dask_client: Client) -> None:
    for client in (None, dask_client):
        seen: list[int] = []
        merged(each(kit.waves, kit.items(30), client=client), kit.add, done=seen.append)
        assert seen == list(range(1, 31))


def test_shared_arrays_are_the_same_on_workers(dask_client: Client) -> None:
    scale = np.linspace(1, 2, 7)
    here, there = (
        merged(each(kit.waves, kit.items(20), scale, client=client), kit.add)[0]
        for client in (None, dask_client)
    )
    assert here.tobytes() == there.tobytes()


@pytest.mark.parametrize("where", ["serial", "workers"])
class TestFailures:
    @pytest.fixture
    def client(self, where: str, dask_client: Client) -> Client | None:
        return dask_client if where == "workers" else None

    def test_our_errors_arrive_as_they_are(self, client: Client | None) -> None:
        with pytest.raises(DataError, match="item 3: three is not .* leave it out"):
            merged(each(kit.fails_at_three, kit.items(10), client=client), int.__add__)

    def test_other_errors_name_their_partition(self, client: Client | None) -> None:
        with pytest.raises(PartitionError, match="item 3: ZeroDivisionError"):
            merged(each(kit.divides, kit.items(10), client=client), float.__add__)

    def test_keep_goes_on_and_says_so(self, client: Client | None) -> None:
        parts = each(kit.fails_at_three, kit.items(10), client=client, on_error="keep")
        value, metrics = merged(parts, int.__add__)
        assert value == 9
        [failure] = metrics.failures
        assert (failure.where, failure.size, failure.attempts) == ("item 3", 10, 1)
        assert "three is not a number" in failure.error

    def test_everything_failed(self, client: Client | None) -> None:
        only = [kit.Item(3), kit.Item(3)]
        parts = each(kit.fails_at_three, only, client=client, on_error="keep")
        value, metrics = merged(parts, int.__add__)
        assert value is None
        assert len(metrics.failures) == 2

    def test_what_may_pass_is_tried_again(self, client: Client | None, tmp_path: Path) -> None:
        parts = each(kit.flaky, kit.items(2), str(tmp_path), client=client)
        assert merged(parts, int.__add__)[0] == 2

    def test_a_store_that_was_away_is_tried_again(
        self, client: Client | None, tmp_path: Path
    ) -> None:
        """Storage has already waited for it; in the middle of a run that is not the last word."""
        parts = each(kit.store_is_away, kit.items(2), str(tmp_path), client=client)
        assert merged(parts, int.__add__)[0] == 2

    def test_a_failing_merge_is_raised(self, client: Client | None) -> None:
        with pytest.raises(PartitionError, match="merging results failed .ZeroDivisionError"):
            merged(each(kit.fails_at_three, kit.items(2), client=client), lambda a, b: 1 // (a - b))


@pytest.fixture
def own_client() -> Client:
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture
def unforgiving_client() -> Client:
    """Its scheduler blames a partition for the first worker that dies."""
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, **options) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_a_killed_worker_changes_nothing(own_client: Client, tmp_path: Path) -> None:
    parts = each(kit.dies_once, kit.items(20), str(tmp_path / "died"), client=own_client)
    value, metrics = merged(parts, kit.add)
    assert (tmp_path / "died").exists()
    assert value.tobytes() == by_definition(20, 8).tobytes()
    assert metrics.failures == ()


def test_only_the_partition_that_kills_is_lost(unforgiving_client: Client) -> None:
    """The scheduler blames whatever was on the worker; the engine finds out which it was."""
    parts = each(kit.dies_at_three, kit.items(20), client=unforgiving_client, on_error="keep")
    value, metrics = merged(parts, int.__add__)
    assert [f.where for f in metrics.failures] == ["item 3"]
    assert value == 19
    assert metrics.failures[0].attempts == 2
    assert "memory" in metrics.failures[0].error


def test_as_many_deaths_as_the_scheduler_allows_change_nothing(
    unforgiving_client: Client, tmp_path: Path
) -> None:
    """It blames the partition, though the site may have taken the workers away."""
    died = str(tmp_path / "died")
    value, metrics = merged(
        each(kit.dies_once, kit.items(20), died, client=unforgiving_client), kit.add
    )
    assert (tmp_path / "died").exists()
    assert value.tobytes() == by_definition(20, 8).tobytes()
    assert metrics.failures == ()


def test_a_partition_that_kills_ends_the_run(unforgiving_client: Client) -> None:
    parts = each(kit.dies_at_three, kit.items(20), client=unforgiving_client)
    with pytest.raises(PartitionError, match="item 3: every worker that tried it died"):
        merged(parts, int.__add__)


def test_the_scheduler_holds_back_what_no_worker_is_free_for(dask_client: Client) -> None:
    """Partitions, merges and shared values are groups of their own to it."""

    def queued(dask_scheduler) -> int:
        return len(dask_scheduler.queued)

    most = 0

    def look(_: int) -> None:
        nonlocal most
        most = max(most, dask_client.run_on_scheduler(queued))

    merged(each(kit.pauses, kit.items(100), 1.0, client=dask_client), int.__add__, done=look)
    assert most > 50


def test_nothing_stays_on_the_scheduler(own_client: Client) -> None:
    merged(each(kit.waves, kit.items(50), 2.0, client=own_client), kit.add)
    with pytest.raises(DataError):
        merged(each(kit.fails_at_three, kit.items(50), client=own_client), int.__add__)
    deadline = time.monotonic() + 10
    while left := own_client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_the_scheduler_forgets_what_is_merged(
    own_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it remembers depends on what is under way, not on how much there has been."""
    monkeypatch.setattr(tree_dask, "HISTORY", 64)
    monkeypatch.setattr(window, "OUTSTANDING", 64)
    count, seen = 600, []

    def done(number: int) -> None:
        if number == count:
            seen.append(
                own_client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
            )

    parts = each(kit.waves, kit.items(count), client=own_client)
    value, _ = merged(parts, kit.add, done=done)
    assert value.tobytes() == by_definition(count, 8).tobytes()
    assert seen[0] < count / 2


def test_an_edited_kernel_gives_the_new_answer(dask_client: Client, tmp_path: Path) -> None:
    source = tmp_path / "my_kernel.py"

    def kernel(text: str):
        source.write_text(text)
        spec = importlib.util.spec_from_file_location("my_kernel", source)
        module = importlib.util.module_from_spec(spec)
        exec(compile(text, source, "exec"), module.__dict__)
        sys.modules["my_kernel"] = module
        cloudpickle.register_pickle_by_value(module)
        return module.answer

    try:
        old = kernel("def answer(item):\n    return 1\n")
        assert merged(each(old, kit.items(5), client=dask_client), int.__add__)[0] == 5
        new = kernel("def answer(item):\n    return 2\n")
        assert merged(each(new, kit.items(5), client=dask_client), int.__add__)[0] == 10
    finally:
        sys.modules.pop("my_kernel", None)


def test_fan_in_must_merge_something() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        merged(each(kit.waves, kit.items(3)), kit.add, fan_in=1)


def test_a_merge_that_refuses_ends_on_workers_too(dask_client):
    """An error that is its own cause is followed for ever by what sends it home."""
    with pytest.raises(DataError, match="twice"):
        merged(each(kit.waves, kit.items(2), client=dask_client), kit.refuses)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("one\ntwo", "RuntimeError: one"),
        ("\nlibrary.h: 718 (void f()):\n\nAssertion failure\ntoo many\n", "RuntimeError: too many"),
        ("", "RuntimeError: "),
    ],
)
def test_an_error_of_many_lines_is_shown_by_the_one_that_says_something(said, shown):
    assert failures.failure(kit.Item(1), RuntimeError(said), 1).error == shown
