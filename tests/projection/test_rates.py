"""Rates of records: what they are, their spread, and records that give none."""

from collections.abc import Callable
from typing import Any

import pytest

from spectrum_workflows.errors import DataError
from spectrum_workflows.projection.rates import measured, rates

Record = Callable[..., dict[str, Any]]


def test_rates_follow_from_the_record(record: Record) -> None:
    run = measured(record(), "x")
    assert run.items_per_core.to("kHz/core")[1] == pytest.approx(10.0)
    assert run.read_per_core.to("MB/s/core")[1] == pytest.approx(12.5)
    assert run.read_per_item.to("B/item")[1] == pytest.approx(1250.0)
    assert run.stored_per_item is not None
    assert run.stored_per_item.to("kB/event")[1] == pytest.approx(2.5)
    assert run.read_fraction is not None
    assert run.read_fraction.value == pytest.approx(0.5)
    assert (run.peak_memory, run.bytes_moved) == (500_000_000, 8_000_000)
    terabyte = rates([run]).cpu_per_terabyte
    assert terabyte is not None
    assert terabyte.to("CPU-h")[1] == pytest.approx(100 / 3600 * 1e12 / 2.5e9)


def test_several_runs_give_the_rate_of_all_and_the_range_of_each(record: Record) -> None:
    slow = record(cpu_seconds=300.0)
    both = rates([measured(record(), "a"), measured(slow, "b")])
    assert both.items_per_core.to("kHz/core") == pytest.approx((10 / 3, 5.0, 10.0))
    assert both.read_per_core.to("MB/s/core") == pytest.approx((12.5 / 3, 6.25, 12.5))
    assert both.read_per_item.to("B/item") == pytest.approx((1250.0, 1250.0, 1250.0))
    assert both.notes == ()


def test_the_part_that_failed_was_not_processed(record: Record) -> None:
    run = measured(record(fraction=0.5, partial=True), "x")
    assert run.items == 500_000
    assert run.data_bytes == 1_250_000_000


def test_what_makes_rates_doubtful_is_said(record: Record) -> None:
    notes = rates([measured(record(cpu_seconds=5.0), "x")]).notes
    assert "starting and compiling are a large part" in notes[0]
    assert "spread is not known" in notes[1]


def test_an_unknown_size_of_the_data_leaves_its_rates_out(record: Record) -> None:
    known = measured(record(), "a")
    unknown = measured(record(plan={"data_bytes": 0}), "b")
    both = rates([known, unknown])
    assert (both.read_fraction, both.stored_per_item, both.cpu_per_terabyte) == (None, None, None)
    assert both.items_per_core.value > 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"partitions_resumed": 3}, "lacks what an earlier run had finished; run it once more"),
        ({"passes_resumed": ["image"]}, "lacks what an earlier run had finished"),
        ({"cpu_seconds": 0}, "no rate follows from a run with cpu_seconds 0"),
        ({"bytes_read": 0}, "no rate follows from a run with bytes_read 0"),
        ({"fraction": 0.0}, "no rate follows from a run with items 0"),
        ({"cpu_seconds": -1.0}, "'cpu_seconds' is -1"),
        ({"cpu_seconds": float("nan")}, "'cpu_seconds' is nan"),
        ({"bytes_read": float("inf")}, "'bytes_read' is inf"),
        ({"bytes_read": "many"}, "'bytes_read' is missing or is no number"),
        ({"workers": True}, "'workers' is missing or is no number"),
        ({"plan": {"size": None}}, "'size' is missing or is no number"),
        ({"stages": [{"name": "x"}]}, "'stages' is not what it should be"),
        ({"stages": 3}, "'stages' is not what it should be"),
    ],
)
def test_a_record_that_gives_no_rates_is_refused(
    record: Record, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataError, match=problem) as refused:
        measured(record(**changes), "folder")
    assert str(refused.value).startswith("folder: ")


def test_a_record_without_a_plan_is_refused(record: Record) -> None:
    with pytest.raises(DataError, match="'plan' is missing"):
        measured(record() | {"plan": None}, "folder")


def test_energy_of_the_accounts_gives_the_power_per_core(record: Record) -> None:
    def accounts(kwh: float) -> dict[str, Any]:
        return {"energy": {"kwh": kwh, "low": kwh / 2, "high": 2 * kwh, "method": "modelled"}}

    first = measured(record(accounts=accounts(2e-4)), "a")  # 720 J in 100 s
    second = measured(record(accounts=accounts(4e-4)), "b")
    assert first.energy is not None
    assert first.energy.to("Wh") == pytest.approx((0.1, 0.2, 0.4))
    both = rates([first, second])
    assert both.power_per_core is not None
    assert both.power_per_core.to("W/core") == pytest.approx((3.6, 10.8, 28.8))
    assert both.power_method == "modelled"
    assert rates([first, measured(record(), "c")]).power_per_core is None
    without = measured(record(accounts=accounts(0.0)), "d")
    assert without.energy is None


@pytest.mark.parametrize(
    ("energy", "problem"),
    [
        ({"kwh": 1.0, "low": 2.0, "high": 3.0}, "'energy' is not a range"),
        ({"kwh": 1.0, "low": 1.0}, "'high' is missing"),
        ({"kwh": "much", "low": 1.0, "high": 1.0}, "'kwh' is missing or is no number"),
        (3, "'energy' is not what it should be"),
    ],
)
def test_energy_that_is_none_is_refused(record: Record, energy: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        measured(record(accounts={"energy": energy}), "folder")
