"""Jet energy corrections and their uncertainties: our kernels against correctionlib, per jet.

The file is CMS's own of 2022 (jet_jerc.json.gz of Summer22, public): the compound correction of
simulation, and all its uncertainty sources.  Both evaluate the same jets one after the other in
one process on one core, each as often; the best of the rounds counts, and every value is compared.

    python benchmarks/hep_systematics.py [--file FILE] [--jets 100000] [--rounds 3] [--json]
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from report import finished, show
from spectrum_workflows import hep
from spectrum_workflows.hep.corrections.evaluation import CorrectionKernels, ulps_apart

FILE = Path(__file__).resolve().parents[2] / "shared/data/hep/jet_jerc_Summer22_V3.json.gz"
BARS = {"compound correction": 2.0, "all sources": 10.0}
SLICE = 10_000
"""Jets at once, as a partition's events are seen: what is read and written stays in cache."""


def jets(n: int) -> dict[str, NDArray[np.float64]]:
    """Jets with a falling spectrum, by the names of the file's inputs."""
    rng = np.random.default_rng(1)
    return {
        "JetPt": 15 + rng.exponential(45, n),
        "JetEta": np.clip(rng.normal(0, 2, n), -5.1, 5.1),
        "JetA": rng.normal(0.5, 0.02, n),
        "Rho": rng.normal(30, 8, n),
    }


def sources_of(corrections: CorrectionKernels) -> list[str]:
    """Uncertainties: corrections of pt and eta that are bins of bins."""
    found = []
    for name in corrections.names:
        table = corrections.tables[name]
        shape = getattr(table, "structure", None)
        if shape is not None and len(shape.axes) == 41 and len(table.parameters) > 1_000:
            found.append(name)
    return found


def timed(evaluate: Callable[[slice], Any], n: int, rounds: int) -> float:
    """CPU nanoseconds per jet, of the best round."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for start in range(0, n, SLICE):
            evaluate(slice(start, start + SLICE))
        best = min(best, time.process_time() - started)
    return best / n * 1e9


def compare(file: Path, n: int, rounds: int) -> dict[str, Any]:
    """Costs, ratios, and the greatest difference of any value."""
    started = time.process_time()
    checked = hep.read_corrections(file)
    loading = time.process_time() - started
    plain = hep.read_corrections(file, check=0)
    library = checked.library
    columns = jets(n)
    compound = next(name for name in library.compound if "_MC_" in name)
    sources = sources_of(plain)
    stacked = [columns[i.name] for i in plain.inputs(compound)]
    two = [columns[i.name] for i in plain.inputs(sources[0])]

    def of(arrays: list[NDArray[np.float64]], part: slice) -> list[NDArray[np.float64]]:
        return [a[part] for a in arrays]

    ways: dict[str, Callable[[slice], Any]] = {
        "compound, ours": lambda p: plain.evaluate(compound, *of(stacked, p)),
        "compound, correctionlib": lambda p: library.compound[compound].evaluate(*of(stacked, p)),
        "sources, ours": lambda p: plain.evaluate_all(sources, *of(two, p)),
        "sources, ours with self-check": lambda p: checked.evaluate_all(sources, *of(two, p)),
        "sources, correctionlib": lambda p: [library[s].evaluate(*of(two, p)) for s in sources],
    }
    for way in ways.values():
        way(slice(0, 10))  # compiled, and loaded
    cost = {name: timed(way, n, rounds) for name, way in ways.items()}
    ours, theirs = plain.evaluate_all(sources, *two), library.compound[compound].evaluate(*stacked)
    apart = [ulps_apart(ours[:, k], library[s].evaluate(*two)) for k, s in enumerate(sources)]
    apart.append(ulps_apart(plain.evaluate(compound, *stacked), theirs))
    check = cost["sources, ours with self-check"] - cost["sources, ours"]
    ratios = {
        "compound correction": cost["compound, correctionlib"] / cost["compound, ours"],
        "all sources": cost["sources, correctionlib"] / cost["sources, ours with self-check"],
    }
    return {
        "ratios": ratios,
        "CPU ns per jet": {name: round(value, 1) for name, value in cost.items()},
        "CPU ns per jet and source": {
            name: round(cost[f"sources, {name}"] / len(sources), 2)
            for name in ("ours", "correctionlib")
        },
        "self-check, CPU ns per jet": round(check, 1),
        "sources": len(sources),
        "greatest difference, ulp": float(np.max(apart)),
        "CPU s to read and compile": round(loading, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=FILE, help="a jet_jerc.json.gz of Summer22")
    parser.add_argument("--jets", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.file.exists():
        sys.exit(f"{args.file}: there is no such file; name one with --file")
    more = compare(args.file, args.jets, args.rounds)
    ratios = more.pop("ratios")
    found = finished(ratios, BARS, benchmark="hep_systematics", jets=args.jets, **more)
    found["holds"] &= more["greatest difference, ulp"] <= 4
    show(found, as_json=args.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
