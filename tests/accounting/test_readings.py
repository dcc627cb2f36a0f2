"""Energy of a run from readings of its processes: a node is counted once, whatever its ranks."""

from dataclasses import replace

import pytest

from spectrum_workflows.accounting import Intensity, Power
from spectrum_workflows.accounting.accounts import Terms, accounts_of, mean_terms
from spectrum_workflows.accounting.here import busy_seconds, reading_here
from spectrum_workflows.accounting.readings import Reading, Use, use_between, with_counters

TERMS = Terms(Power(10.0, 5.0, 20.0, "table"))


def rank(
    process: str,
    *,
    node: str = "n1",
    at: float = 0.0,
    cpu: float = 0.0,
    busy: float = 0.0,
    joules: float | None = 0.0,
    cores: int = 8,
) -> Reading:
    """A reading of one process on a node of eight cores."""
    return Reading(node, process, at, cpu, busy, cores, joules)


def ranks(count: int, *, at: float, cpu: float, busy: float, joules: float) -> list[Reading]:
    """Readings of some processes on one node, whose counters each began at another moment."""
    return [
        rank(f"p{n}", at=at, cpu=cpu, busy=busy, joules=joules + 1000 * n) for n in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_four_ranks_on_one_node_are_counted_once(count: int) -> None:
    before = ranks(count, at=100.0, cpu=5.0, busy=1000.0, joules=0.0)
    after = ranks(count, at=200.0, cpu=5.0 + 80.0 / count, busy=1080.0, joules=5000.0)
    use = use_between(before, after)
    assert use.nodes == 1
    assert use.cpu_seconds == pytest.approx(80.0)
    assert use.energy is not None
    assert use.energy.joules == pytest.approx(5000.0)  # all that was busy was the run's
    assert use.energy.low == pytest.approx(500.0)  # 80 of 8 cores × 100 s
    assert use.energy.high == pytest.approx(5000.0)


def test_a_node_that_others_use_too_is_shared_by_cpu_time() -> None:
    before = ranks(4, at=0.0, cpu=0.0, busy=0.0, joules=0.0)
    after = ranks(4, at=100.0, cpu=50.0, busy=800.0, joules=8000.0)
    energy = use_between(before, after).energy
    assert energy is not None
    assert energy.joules == pytest.approx(2000.0)
    assert (energy.low, energy.high) == pytest.approx((2000.0, 8000.0))


def test_two_nodes_are_two() -> None:
    before = [rank("a"), rank("b", node="n2")]
    after = [
        rank("a", at=10.0, cpu=10.0, busy=10.0, joules=100.0),
        rank("b", node="n2", at=10.0, cpu=10.0, busy=10.0, joules=300.0),
    ]
    use = use_between(before, after)
    assert use.nodes == 2
    assert use.energy is not None
    assert use.energy.joules == pytest.approx(400.0)


def test_what_no_counter_saw_is_modelled_and_nothing_twice() -> None:
    before = [rank("a"), rank("b", node="n2", joules=None)]
    after = [
        rank("a", at=10.0, cpu=10.0, busy=10.0, joules=150.0),
        rank("b", node="n2", at=10.0, cpu=6.0, busy=6.0, joules=None),
    ]
    accounts = accounts_of(use_between(before, after), TERMS, cpu_seconds=16.0, seconds=10.0)
    assert accounts.energy.joules == pytest.approx(150.0 + 6.0 * 10.0)
    assert accounts.energy.method == "partly measured"
    assert accounts.model_over_measured == pytest.approx(100.0 / 150.0)
    assert "model ÷ measured 0.67" in accounts.line


def test_without_counters_all_is_modelled_and_says_so() -> None:
    use = use_between([rank("a", joules=None)], [rank("a", at=9.0, cpu=9.0, joules=None)])
    accounts = accounts_of(use, TERMS, cpu_seconds=7.0, seconds=9.0)
    assert accounts.energy.joules == pytest.approx(70.0)
    assert (accounts.energy.method, accounts.model_over_measured) == ("modelled", None)
    assert "modelled: table" in accounts.line
    assert "÷" not in accounts.line


def test_a_worker_that_came_or_went_in_the_run() -> None:
    before = [rank("stays"), rank("goes")]
    after = [
        rank("stays", at=10.0, cpu=10.0, busy=30.0, joules=300.0),
        rank("comes", at=10.0, cpu=5.0, busy=30.0, joules=200.0),
    ]
    use = use_between(before, after)
    assert use.cpu_seconds == pytest.approx(15.0)
    assert use.energy is not None
    assert use.energy.joules == pytest.approx(150.0)


def test_a_run_too_short_for_the_counter_is_modelled() -> None:
    use = use_between([rank("a")], [rank("a", at=0.001, cpu=0.001, joules=0.0)])
    assert use.energy is None


def test_the_building_and_the_grid_come_last() -> None:
    terms = replace(TERMS, pue=1.5, intensity=Intensity(200.0, "grid", "2026"))
    before, after = [rank("a")], [rank("a", at=10.0, cpu=10.0, busy=10.0, joules=3.6e6)]
    accounts = accounts_of(use_between(before, after), terms, cpu_seconds=10.0, seconds=10.0)
    assert accounts.energy.kwh == pytest.approx(1.5)
    assert accounts.carbon is not None
    assert accounts.carbon.grams == pytest.approx(300.0)
    assert accounts.line.startswith("1.5 kWh")
    assert "300 g CO2e" in accounts.line


def test_a_batch_systems_counters_are_the_nodes_of_its_jobs() -> None:
    jobs = [replace(rank(f"p{n}", joules=None), job=str(n)) for n in range(4)]
    before = with_counters(jobs, {str(n): 100.0 * n for n in range(4)}, "SLURM")
    later = [replace(one, seconds=10.0, cpu_seconds=10.0, node_cpu_seconds=40.0) for one in jobs]
    after = with_counters(later, {str(n): 100.0 * n + 900.0 for n in range(4)}, "SLURM")
    use = use_between(before, after)
    assert use.jobs == ("0", "1", "2", "3")
    assert use.energy is not None
    assert use.energy.joules == pytest.approx(900.0)
    assert use.energy.source == "SLURM"


def test_a_job_on_several_nodes_does_not_say_which_took_what() -> None:
    job = [replace(rank(n, node=n, joules=None), job="7") for n in ("a", "b")]
    assert [one.joules for one in with_counters(job, {"7": 5.0}, "SLURM")] == [None, None]


def test_this_process_tells_of_itself() -> None:
    first, second = reading_here(), reading_here("12")
    assert (first.node, first.process) == (second.node, second.process)
    assert second.job == "12"
    assert 0 <= first.cpu_seconds <= second.cpu_seconds
    assert first.seconds <= second.seconds
    assert first.node_cpu_seconds > 0
    assert first.processor is not None
    assert first.processor.memory > 1e8


def test_idle_and_waiting_time_and_guests_are_not_busy() -> None:
    assert busy_seconds("cpu  100 10 50 900 20 5 5 30 70 7\ncpu0 1 2\n", 100) == 2.0
    assert busy_seconds("", 100) == 0.0


def site(watts: float, pue: float | None, grams: float | None, name: str) -> Terms:
    """What one of several sites says."""
    stated = None if grams is None else Intensity(grams, f"grid {name}", "2026")
    return Terms(Power(watts, watts / 2, watts * 2, "table"), pue, stated, name)


def test_the_energy_of_several_sites_is_the_sum_of_theirs() -> None:
    parts = [(site(10.0, 1.1, 50.0, "A"), 3600.0), (site(5.0, 1.5, 400.0, "B"), 7200.0)]
    together = accounts_of(Use(2), mean_terms(parts), cpu_seconds=10_800.0, seconds=1.0)
    alone = [accounts_of(Use(1), terms, cpu_seconds=s, seconds=1.0) for terms, s in parts]
    assert together.energy.joules == pytest.approx(sum(one.energy.joules for one in alone))
    assert together.carbon is not None
    grams = [one.carbon.grams for one in alone if one.carbon]
    assert together.carbon.grams == pytest.approx(sum(grams))
    # by hand: 10 Wh × 1.1 × 50 g/kWh, and 10 Wh × 1.5 × 400 g/kWh
    assert grams == pytest.approx([0.55, 6.0])
    assert together.carbon.intensity.source == "grid A; grid B"
    assert (together.energy.source, together.site) == ("table", "A; B")


def test_of_sites_that_do_not_all_state_it_there_is_no_carbon() -> None:
    parts = [(site(10.0, 1.1, 50.0, "A"), 1.0), (site(5.0, None, None, "B"), 1.0)]
    terms = mean_terms(parts)
    assert (terms.pue, terms.intensity, terms.power.watts) == (None, None, 7.5)
