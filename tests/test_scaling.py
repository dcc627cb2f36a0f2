"""What many workers need of a plan, on paper."""

from dataclasses import dataclass

import pytest

from spectrum_workflows.domain import Plan
from spectrum_workflows.engine import Run
from spectrum_workflows.scaling import FAN_IN, scale
from spectrum_workflows.stages import Stage


@dataclass(frozen=True)
class Piece:
    size: int
    where: str


def plan(count: int) -> Plan:
    return Plan(tuple(Piece(1000, str(n)) for n in range(count)), 10**9, 0)


def stage(tasks: int, seconds: float) -> tuple[Stage, ...]:
    return (Stage("first", 1, 0.1, 0, 0), Stage("read", tasks, tasks * seconds, 0, 0))


def test_the_fan_in_is_the_engines() -> None:
    assert Run.__dataclass_fields__["fan_in"].default == FAN_IN


def test_few_partitions_are_the_first_wall() -> None:
    few = scale(plan(100), stage(100, 60.0), 1000)
    assert (few.most, few.wall) == (25, "more would wait for partitions")
    need = few.needs[0]
    assert (need.needed, need.planned, need.holds) == ("at least 4,000", "100", False)
    assert "at most 25 entries" in need.remedy
    assert "WALL partitions" in str(few)


def test_short_tasks_are_the_first_wall() -> None:
    short = scale(plan(100_000), stage(100_000, 0.45), 1000)
    assert (short.most, short.wall) == (200, "the scheduler is too slow")
    length = short.needs[1]
    assert (length.holds, length.needed) == (False, "2.2 s of work each, or more")
    assert length.remedy == "partitions of at least 5,000 entries"
    assert scale(plan(100_000), stage(100_000, 2.3), 1000).needs[1].holds


@pytest.mark.parametrize(
    ("count", "merges"), [(1, "0 in 0"), (8, "1 in 1"), (64, "9 in 2"), (8**7, "299,593 in 7")]
)
def test_merges_of_the_tree(count: int, merges: str) -> None:
    assert scale(plan(count), (), 1).needs[3].planned == f"{merges} levels"


def test_what_is_not_known_is_no_wall() -> None:
    unknown = scale(plan(4000), (), 1000)
    assert unknown.needs[1].holds is None
    assert unknown.most == 1000
    assert [need.holds for need in unknown.needs] == [True, None, None, None, None, None]
    assert unknown.summary["needs"][4]["planned"] == "572 written, at most 528 at a time"
