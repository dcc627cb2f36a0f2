"""Dask's event loops begin whatever else goes on in this process."""

import gc
import threading
import weakref
from types import SimpleNamespace

import distributed.utils
import pytest
from distributed.utils import LoopRunner

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch import jobs
from spectrum_workflows.sites.beginning import begin, without_collecting


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Threads of event loops that do not run before Dask has given them up, as many as it holds."""
    times: list[int] = []
    wait, thread = threading.Event.wait, distributed.utils._CollectErrorThread
    waits = [0.1]

    def begun(*, target, **options):
        waits[0] = 0.1 if (idle := times.pop()) else 60.0
        return thread(target=(lambda: None) if idle else target, **options)

    monkeypatch.setattr(distributed.utils, "_CollectErrorThread", begun)
    monkeypatch.setattr(
        threading.Event, "wait", lambda self, timeout=None: wait(self, timeout and waits[0])
    )
    return times


def begun_loop() -> bool:
    runner = LoopRunner()
    runner.start()
    try:
        return runner.is_started()
    finally:
        runner.stop()


def test_a_loop_that_did_not_begin_is_begun_once_more(late: list[int]) -> None:
    late += [0, 1]
    assert begin(begun_loop)


def test_a_loop_that_does_not_begin_is_an_error_with_its_remedy(late: list[int]) -> None:
    late += [1, 1]
    with pytest.raises(SiteError, match="did not begin within its ten seconds, 2 times"):
        begin(begun_loop)


def test_a_scheduler_of_jobs_is_begun_once_more(
    late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What explains the error is looked through."""

    class Cluster:
        def __init__(self, **_: object) -> None:
            assert begun_loop()

    system = SimpleNamespace(
        name="any", section="any", cluster="Cluster", adapted=lambda options, _: options
    )
    monkeypatch.setattr(jobs, "_jobqueue", lambda _: SimpleNamespace(Cluster=Cluster))
    late += [0, 1]
    begin(lambda: jobs.scheduler_of_jobs(system, "name", {}, "/x"))
    assert late == []


def test_other_assertions_are_passed_on() -> None:
    calls = []

    def start() -> None:
        calls.append(1)
        raise AssertionError("other")

    with pytest.raises(AssertionError, match="other"):
        begin(start)
    assert calls == [1]


class Unclosed:
    """What ends its loop when it is deleted, and is deleted by the garbage collector."""

    def __init__(self) -> None:
        self.circle = self
        self.runner = LoopRunner()
        self.runner.start()

    def __del__(self) -> None:
        self.runner.stop()


@pytest.mark.timeout(60)
def test_what_the_collector_would_delete_does_not_hold_a_loop_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would run in the new thread, before that has said that it runs."""
    factory = distributed.utils.get_loop_factory

    def collected():
        if gc.isenabled():
            gc.collect()
        return factory()

    with without_collecting():
        deleted = weakref.ref(Unclosed())
        monkeypatch.setattr(distributed.utils, "get_loop_factory", collected)
        assert begun_loop()
        assert deleted() is not None
    gc.collect()
    assert deleted() is None


def test_blocks_of_two_threads_end_in_any_order() -> None:
    first, second = without_collecting(), without_collecting()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_the_collector_is_as_it_was() -> None:
    with without_collecting():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with without_collecting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
