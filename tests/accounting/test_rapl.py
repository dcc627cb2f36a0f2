"""RAPL's counters, from folders laid out as Linux lays them out below /sys/class/powercap."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spectrum_workflows.accounting.rapl import Meter, domains, joules_between
from spectrum_workflows.accounting.readings import Reading, use_between
from spectrum_workflows.doctor.energy import of_counters

MOST = 262_143_328_850
"""Microjoules, as an Intel server shows for its packages."""

Make = Callable[..., None]


@pytest.fixture
def zone(tmp_path: Path) -> Make:
    """Writes one zone of a control type."""

    def make(folder: str, name: str, energy: int | None, most: int = MOST) -> None:
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "name").write_text(f"{name}\n")
        (path / "max_energy_range_uj").write_text(f"{most}\n")
        if energy is not None:
            (path / "energy_uj").write_text(f"{energy}\n")

    return make


@pytest.fixture
def server(zone: Make, tmp_path: Path) -> Path:
    """Two packages with memory, and everything that holds the same energy once more."""
    (tmp_path / "intel-rapl").mkdir()
    for n in (0, 1):
        zone(f"intel-rapl:{n}", f"package-{n}", 1_000_000 * (n + 1))
        for folder in (f"intel-rapl:{n}:0", f"intel-rapl:{n}/intel-rapl:{n}:0"):
            zone(folder, "core", 400_000)
        for folder in (f"intel-rapl:{n}:1", f"intel-rapl:{n}/intel-rapl:{n}:1"):
            zone(folder, "dram", 50_000, 65_712_999_613)
    zone("intel-rapl:2", "psys", 9_000_000)
    zone("intel-rapl-mmio:0", "package-0", 1_000_000)
    return tmp_path


def test_packages_and_their_memory_are_taken_once(server: Path) -> None:
    names = [domain.name for domain in domains(server)]
    assert names == ["package-0", "package-0/dram", "package-1", "package-1/dram"]


def test_a_meter_adds_up_what_the_domains_took_in_joules(server: Path, zone: Make) -> None:
    meter = Meter(domains(server))
    meter.start(every=3600.0)
    assert meter.look() == 0.0
    zone("intel-rapl:0", "package-0", 31_000_000)  # 30 J
    zone("intel-rapl:1/intel-rapl:1:1", "dram", 2_050_000, 65_712_999_613)  # 2 J
    assert meter.look() == pytest.approx(32.0, rel=1e-12)
    zone("intel-rapl:0", "package-0", 32_000_000)
    assert meter.look() == pytest.approx(33.0, rel=1e-12)
    meter.stop()


def test_a_counter_begins_anew(server: Path, zone: Make) -> None:
    meter = Meter(domains(server))
    zone("intel-rapl:0", "package-0", MOST - 1_000_000)
    meter.look()
    zone("intel-rapl:0", "package-0", 4_000_000)
    assert meter.look() == pytest.approx(5.0, rel=1e-9)
    assert joules_between(MOST - 1, 1, MOST) == pytest.approx(2e-6)


def test_a_meter_looks_by_itself(server: Path, zone: Make) -> None:
    meter = Meter(domains(server))
    meter.start(every=0.01)
    zone("intel-rapl:1", "package-1", 12_000_000)
    end = 0
    while meter.joules < 10.0 and end < 500:
        meter._ended.wait(0.01)
        end += 1
    meter.stop()
    assert meter.joules == pytest.approx(10.0)


def test_counters_that_only_root_may_read_are_none(server: Path) -> None:
    for n in (0, 1):
        (server / f"intel-rapl:{n}" / "energy_uj").unlink()
    assert [d.name for d in domains(server)] == ["package-0/dram", "package-1/dram"]


@pytest.mark.parametrize("text", ["", "many\n", "-5\n"])
def test_a_counter_that_holds_no_number_is_none(server: Path, text: str) -> None:
    (server / "intel-rapl:0" / "energy_uj").write_text(text)
    assert "package-0" not in [d.name for d in domains(server)]


def test_without_counters_nothing_is_measured(tmp_path: Path) -> None:
    assert domains(tmp_path / "powercap") == ()
    assert Meter(()).look() is None


RANK = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from spectrum_workflows.accounting.here import reading_here
folder = Path(sys.argv[1])
for line in sys.stdin:
    reading = asdict(reading_here(root=folder)) | {"processor": None}
    print(json.dumps(reading), flush=True)
    sum(range(int(line)))
"""


def test_four_real_processes_on_this_node_are_counted_once(server: Path, zone: Make) -> None:
    """Real processes, their real CPU time and this machine's clock; only the counters are made."""
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(server)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    def readings() -> list[Reading]:
        for rank in ranks:
            assert rank.stdin is not None
            rank.stdin.write("2000000\n")
            rank.stdin.flush()
        return [Reading(**json.loads(rank.stdout.readline())) for rank in ranks if rank.stdout]

    try:
        before = readings()
        zone("intel-rapl:0", "package-0", 91_000_000)  # 90 J
        after = readings()
    finally:
        for rank in ranks:
            rank.communicate(timeout=30)
    use = use_between(before, after)
    assert len({one.process for one in after}) == 4
    assert use.nodes == 1
    assert use.energy is not None
    assert use.energy.high == pytest.approx(90.0)
    assert 0 < use.energy.low <= use.energy.joules <= 90.0 * (1 + 1e-9)


def test_the_doctor_says_whether_energy_is_measured_and_work_starts_anyway(
    server: Path, tmp_path: Path
) -> None:
    measured = of_counters(server)
    assert measured.found.startswith("measured by RAPL: package-0, package-0/dram, package-1")
    for zone in server.rglob("energy_uj"):
        zone.unlink()
    assert "for root alone (ask the centre" in of_counters(server).found
    assert of_counters(tmp_path / "none").found == "modelled: the node shows no counter"
    assert measured.status == of_counters(tmp_path / "none").status == "fine"
