"""A real run of the length that a test needs, and what the queue says meanwhile."""

import subprocess
from pathlib import Path

from spectrum_workflows import connect, load_site, load_spec, run
from spectrum_workflows.hep.synthetic import write_sample

ROOT = Path(__file__).parents[2]
PARTITIONS = 40


def make(folder: Path) -> None:
    """Write the two small files of the dimuon spec."""
    write_sample(str(folder / "dimuon.root"), "dimuon", events=4_000, seed=3)
    write_sample(str(folder / "zmumu.root"), "zmumu", events=4_000, seed=4)


def spec(seconds: float = 0.0):
    """The shipped dimuon spec in 40 partitions that take ``seconds`` each."""
    slow = Path(__file__).with_name("slow_dimuon.py")
    partition = {"max_events": 8_000 // PARTITIONS}
    shipped = load_spec(ROOT / "workflows/hep/dimuon.toml")
    return shipped.changed(select=f"{slow}:select", cuts={"seconds": seconds}, partition=partition)


def reference(folder: Path) -> str:
    """The digest of a plain loop."""
    return run(spec(), connect(load_site("serial"), data=str(folder))).digest


def queue(*states: str) -> list[str]:
    """Numbers of the jobs in these states, or of all that have not ended."""
    chosen = [f"--states={','.join(states)}"] if states else []
    command = ["squeue", "--noheader", "--format=%i", *chosen]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
