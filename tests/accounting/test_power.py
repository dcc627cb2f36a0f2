"""The power of a core by a processor's model."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from spectrum_workflows.accounting.power import (
    DEFAULT,
    Processor,
    mean_power,
    plain_name,
    power_of,
)
from spectrum_workflows.accounting.processors import design_powers, processor_here

GOLD = """processor\t: {n}
model name\t: Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz
physical id\t: {package}
siblings\t: 32
core id\t\t: {core}
cpu cores\t: 16
flags\t\t: fpu vme sse sse2{more}
"""


def proc(folder: Path, *, more: str = "") -> Path:
    """A node of two packages of 16 cores with two threads each, and 192 GB."""
    blocks = [GOLD.format(n=n, package=n // 16 % 2, core=n % 16, more=more) for n in range(64)]
    (folder / "cpuinfo").write_text("\n".join(blocks) + "\n")
    (folder / "meminfo").write_text("MemTotal:       187500000 kB\nMemFree:  1 kB\n")
    return folder


def test_a_node_is_described_as_linux_does(tmp_path: Path) -> None:
    node = processor_here(proc(tmp_path))
    assert (node.cores, node.node_cores) == (16, 32)
    assert node.memory == 192_000_000_000
    assert plain_name(node.name) == "intel xeon gold 6130"


def test_a_virtual_machine_does_not_know_the_cores_of_its_processor(tmp_path: Path) -> None:
    assert processor_here(proc(tmp_path, more=" hypervisor")).cores == 0


def test_a_model_that_tells_its_cores_is_known_in_a_virtual_machine_too(tmp_path: Path) -> None:
    text = "model name\t: AMD EPYC 7763 64-Core Processor\ncpu cores\t: 2\nflags\t: hypervisor\n"
    (tmp_path / "cpuinfo").write_text(text)
    assert processor_here(tmp_path).cores == 64


def test_nothing_is_known_where_linux_says_nothing(tmp_path: Path) -> None:
    node = processor_here(tmp_path)
    assert (node.name, node.cores, node.memory) == ("", 0, 0)
    assert power_of(node, {}) == DEFAULT


def test_watts_of_a_core_by_hand() -> None:
    node = Processor("Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz", 16, 32, 192_000_000_000)
    power = power_of(node, {"intel xeon gold 6130": 125.0})
    # 125 W over 16 cores, and 192 GB over 32 cores at 0.3725 W per GB
    assert power.watts == pytest.approx(125 / 16 + 6 * 0.3725)
    assert power.low == pytest.approx(125 / 32 + 6 * 5 / 64)
    assert power.high == pytest.approx(1.25 * 125 / 16 + 6 * 5 / 8)
    assert "7.81 W per core of Intel" in power.source


def test_a_model_that_no_table_has_is_the_default_and_says_so() -> None:
    power = power_of(Processor("Made of wood", 8, 8, 0), {"amd epyc 7763": 280.0})
    assert power == DEFAULT
    assert power.low < power.watts < power.high
    assert "7 W per core by default" in power.source


def test_kinds_of_nodes_are_weighted_by_their_cpu_time() -> None:
    kinds = [(Processor("a", 10, 10, 0), 300.0), (Processor("b", 10, 10, 0), 100.0)]
    power = mean_power(kinds, {"a": 40.0, "b": 80.0})
    assert power.watts == pytest.approx(5.0)
    assert mean_power([], {}) == DEFAULT


def test_codecarbons_table_is_read_without_its_code() -> None:
    if find_spec("codecarbon") is None:
        pytest.skip("the extra energy is not installed")
    table = design_powers()
    assert table["amd epyc 7763"] == 280.0
    assert table["intel xeon gold 6130"] == 125.0
    assert "codecarbon" not in sys.modules


TABLE = """Name,TDP
AMD EPYC 7763,280
AMD EPYC 7763P,281
AMD EPYC 7742,225
Intel Xeon Gold 6130,125
"Intel Core i7, Extreme",90
Intel Core i5 6130,
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package codecarbon that has this table and nothing else; the file of the table."""
    file = tmp_path / "codecarbon" / "data" / "hardware" / "cpu_power.csv"
    file.parent.mkdir(parents=True)
    (tmp_path / "codecarbon" / "__init__.py").touch()
    file.write_text(TABLE)
    monkeypatch.syspath_prepend(tmp_path)
    design_powers.cache_clear()
    yield file
    design_powers.cache_clear()


@pytest.mark.parametrize(
    ("models", "rows"),
    [
        ((), 5),
        (("AMD EPYC 7763 64-Core Processor",), 2),
        (("Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz", "AMD EPYC 7763 64-Core Processor"), 3),
        (("Intel(R) Xeon(R) Processor",), 2),
        (("Made of wood 9999",), 0),
        (("",), 5),
    ],
)
def test_of_the_table_only_rows_of_some_models_are_taken(package, models, rows) -> None:
    part, whole = design_powers(*models), design_powers()
    assert len(whole) == 5
    assert len(part) == rows
    assert part.items() <= whole.items()
    for model in models:
        assert part.get(plain_name(model)) == whole.get(plain_name(model))


def test_an_empty_table_has_no_powers(package: Path) -> None:
    package.write_text("")
    assert design_powers("AMD EPYC 7763 64-Core Processor") == design_powers() == {}
