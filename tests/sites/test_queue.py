"""What to do about jobs: a pure decision, so that every case can be had without a batch system."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.sites.batch.queue import LIVE, Job, QueueEntry, steps
from spectrum_workflows.sites.batch.slurm.commands import seconds

COUNT = 3


def job(name: str, state: str = "RUNNING", *, left: float = 3000, connected: bool = True, **more):
    return Job(name, QueueEntry(state, left, limit=3600), connected, **more)


def decided(*jobs: Job, count: int = COUNT, retiring: tuple[str, ...] = ()):
    return steps(jobs, count=count, renew_before=300, retiring=retiring)


def test_an_empty_pool_is_filled() -> None:
    assert decided().submit == COUNT


def test_a_full_pool_is_left_alone() -> None:
    assert decided(*(job(n) for n in "abc")) == steps([], count=0, renew_before=0, retiring=())


@pytest.mark.parametrize("state", ["", "CANCELLED", "FAILED", "TIMEOUT", "COMPLETING"])
def test_a_dead_job_is_replaced(state: str) -> None:
    found = decided(job("a"), job("b"), job("c", state, connected=False))
    assert (found.submit, found.drop, found.retire) == (1, ("c",), ())


def test_a_waiting_job_is_awaited() -> None:
    found = decided(job("a"), job("b"), job("c", "PENDING", connected=False))
    assert (found.submit, found.drop) == (0, ())


def test_an_old_job_gets_its_successor_first() -> None:
    old = [job("a"), job("b"), job("c", left=250)]
    assert decided(*old) == steps(old, count=COUNT, renew_before=300, retiring=())
    assert (decided(*old).submit, decided(*old).retire) == (1, ())
    waiting = job("d", "PENDING", connected=False, left=3600)
    assert decided(*old, waiting).submit == 0
    assert decided(*old, waiting).retire == ()
    assert decided(*old, job("d")).retire == ("c",)


def test_an_old_job_without_successor_is_retired_before_its_end() -> None:
    assert decided(job("a"), job("b"), job("c", left=201)).retire == ()
    assert decided(job("a"), job("b"), job("c", left=199)).retire == ("c",)


def test_a_retired_worker_finishes_its_tasks_while_there_is_time() -> None:
    others = (job("a"), job("b"), job("d"))
    assert decided(*others, job("c", left=150, busy=True), retiring=("c",)).release == ()
    assert decided(*others, job("c", left=150), retiring=("c",)).release == ("c",)
    assert decided(*others, job("c", left=99, busy=True), retiring=("c",)).release == ("c",)


def test_a_smaller_pool_gives_back_waiting_jobs_first() -> None:
    jobs = [job("a"), job("b", "PENDING", connected=False), job("c")]
    found = decided(*jobs, count=2)
    assert (found.submit, found.release) == (0, ("b",))
    assert decided(job("a"), job("b"), count=1).retire == ("b",)


def test_a_short_limit_is_renewed_in_its_last_third() -> None:
    young = Job("a", QueueEntry("RUNNING", left=41, limit=60), connected=True)
    old = Job("a", QueueEntry("RUNNING", left=19, limit=60), connected=True)
    assert steps([young], count=1, renew_before=300, retiring=()).submit == 0
    assert steps([old], count=1, renew_before=300, retiring=()).submit == 1


JOBS = st.lists(
    st.builds(
        Job,
        name=st.uuids().map(str),
        entry=st.builds(
            QueueEntry,
            state=st.sampled_from([*sorted(LIVE), "", "FAILED", "CANCELLED"]),
            left=st.floats(-10, 4000),
            limit=st.sampled_from([60.0, 3600.0, math.inf]),
        ),
        connected=st.booleans(),
        busy=st.booleans(),
    ),
    max_size=12,
)


@given(jobs=JOBS, count=st.integers(0, 8), data=st.data())
def test_steps_make_sense_together(jobs: list[Job], count: int, data) -> None:
    names = [j.name for j in jobs]
    retiring = tuple(data.draw(st.sets(st.sampled_from(names))) if names else ())
    found = steps(jobs, count=count, renew_before=300, retiring=retiring)
    assert not {*found.drop} & {*found.release}
    assert not {*found.drop} & {*found.retire}
    assert not {*found.retire} & {*retiring}
    assert {*found.release} <= {*retiring, *found.retire}
    by_name = {j.name: j for j in jobs}
    assert all(not by_name[n].alive for n in found.drop)
    staying = [
        j
        for j in jobs
        if j.alive and j.name not in {*retiring, *found.retire} and j.near_end(300) > 1
    ]
    assert len(staying) + found.submit == count


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0:05", 5),
        ("1:00", 60),
        ("1:00:00", 3600),
        ("2-03:04:05", 183845),
        ("UNLIMITED", math.inf),
        ("INVALID", math.inf),
        ("NOT_SET", math.inf),
    ],
)
def test_durations_of_squeue(text: str, value: float) -> None:
    assert seconds(text) == value
