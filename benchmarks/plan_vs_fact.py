"""Plan against fact of the reference runs: CPU-hours, wall time, bytes read, bytes out.

Every run is a process of its own, as a user starts it, on the data that are shared for the
tests.  Before, all run once for kernels to be compiled; nothing is remembered of that.  The first
run of a question teaches what it takes; those after it are planned from the one before, and their
records have both.
All runs are one process, so the planned wall time is also held beside the CPU time that the run
took, which other load on the machine does not lengthen; how much longer the clock ran than the
processor says how much load there was.

    python benchmarks/plan_vs_fact.py SHARED_DATA --json           # beside other load
    python benchmarks/plan_vs_fact.py SHARED_DATA --quiet --json   # on a machine without: wall
                                                                   # time is held to the bar, too
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from report import finished, show

BAR = 0.2
"""Share of the fact by which the plan may be off."""
REFERENCE = Path(__file__).parents[1] / "tests" / "reference"
RUNS = {
    "hep_dimuon": "hep",
    "hep_ttbar": "hep",
    "hep_zero": "hep",
    "radio_dirty": "radio",
    "radio_clean_briggs": "radio",
    "radio_j1008": "radio",
}
REPEATS = 5
"""Runs after the first, each planned from those before; the one that is off by the median counts:
a run takes a second or two, and the same one may take a third more or less than the last."""
JUDGED = ("core_hours", "bytes_read", "bytes_out")
"""Quantities that the bar is held against; wall time is only shown where others use the machine."""
BY_CPU = "walltime over CPU time"


def spectrum(state: Path, *words: object) -> str:
    """One command, which remembers in a folder of its own."""
    command = [sys.executable, "-m", "spectrum_workflows", *map(str, words)]
    env = os.environ | {"XDG_STATE_HOME": str(state)}
    return subprocess.run(command, capture_output=True, check=True, text=True, env=env).stdout


def budget(text: str) -> dict[str, dict[str, Any]]:
    """The budget of a saved run, by quantity."""
    record = json.loads((Path(json.loads(text)["folder"]) / "record.json").read_text())
    return {one["quantity"]: one for one in record["budget"]}


def _apart(of: dict[str, dict[str, Any]]) -> float:
    """By how much CPU-hours were planned wrong."""
    return abs(of["core_hours"]["planned"] / of["core_hours"]["fact"] - 1)


def rows(shared: Path, folder: Path, names: list[str]) -> list[dict[str, Any]]:
    """Plan and fact of some reference runs."""
    out: list[dict[str, Any]] = []
    loads: dict[str, float] = {}
    for archive in (shared / "radio").glob("*.ms.tar.gz"):
        with tarfile.open(archive) as tar:
            tar.extractall(folder / "radio", filter="data")

    def run(name: str, state: str) -> dict[str, dict[str, Any]]:
        data = shared / "hep" if RUNS[name] == "hep" else folder / "radio"
        roots = ("--data", data, "--out", folder / "results", "--site", "serial", "--json")
        words = ("run", REFERENCE / f"{name}.toml", *roots, "--fresh")
        return budget(spectrum(folder / state, *words))

    for name in names:
        run(name, "compiling")
    for name in names:
        first, *again = (run(name, "state") for _ in range(1 + REPEATS))
        second = sorted(again, key=_apart)[REPEATS // 2]
        cpu = second["core_hours"]["fact"] * 3600
        by_cpu = {"planned": second["walltime"]["planned"], "fact": cpu}
        loads[name] = second["walltime"]["fact"] / cpu
        first[BY_CPU], second[BY_CPU] = first["walltime"], by_cpu
        for quantity, one in second.items():
            ratio = one["planned"] / one["fact"] if one["planned"] and one["fact"] else None
            out.append(
                {
                    "run": name,
                    "quantity": quantity,
                    "planned": one["planned"],
                    "fact": one["fact"],
                    "ratio": None if ratio is None else round(ratio, 3),
                    "first planned": first[quantity]["planned"],
                    "first at most": first[quantity]["at_most"],
                    "first fact": first[quantity]["fact"],
                    "clock over CPU": round(loads[name], 3),
                }
            )
    return out


def main() -> None:
    """Run all, and print by how much each plan is off its fact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quiet", action="store_true", help="nothing else uses the machine")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=[*RUNS], metavar="NAME")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = rows(arguments.shared, Path(folder), arguments.runs)
    off = {
        f"{row['run']} {row['quantity']}": abs(row["ratio"] - 1) if row["ratio"] else 1.0
        for row in table
        if row["quantity"] != "energy"
    }
    judged = (*JUDGED, "walltime") if arguments.quiet else JUDGED
    bars = {name: BAR for name in off if name.partition(" ")[2] in judged}
    load = max(row["clock over CPU"] for row in table)
    conditions = f"The clock ran at most {load:.2f} times as long as the processor."
    show(
        finished(off, bars, at_most=True, conditions=conditions, rows=table),
        as_json=arguments.json,
    )


if __name__ == "__main__":
    main()
