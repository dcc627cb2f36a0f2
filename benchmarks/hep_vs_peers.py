"""CPU time per event of the AGC ttbar selection: ours, coffea's and ROOT's.

Side by side in one run, interleaved, on one bootstrapped file of 200,000
events (see bootstrap_hep.py); medians of CPU time, one thread each, file
opened anew every time, compilation outside.  Equal yields are asserted.

    python benchmarks/hep_vs_peers.py [--source NANOAOD] [--root-python PYTHON] [--json]

Peers come with `pip install coffea root`; those that are absent are named.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import awkward as ak  # noqa: E402
import hist  # noqa: E402
import numpy as np  # noqa: E402
import uproot  # noqa: E402

from bootstrap_hep import bootstrap, generated  # noqa: E402
from report import machine  # noqa: E402
from spectrum_workflows import load_spec  # noqa: E402
from spectrum_workflows.hep import DOMAIN, rootfile  # noqa: E402

HERE = Path(__file__).resolve().parent
REAL = HERE.parents[1] / "shared" / "data" / "hep" / "NanoAODv5_sample.root"
SPEC = load_spec(HERE.parent / "tests" / "reference" / "hep_ttbar.toml")
BARS = {"coffea": 1.5}
CHUNK = 100_000

Bins = Mapping[str, list[float]]


@dataclass
class Timed:
    """CPU seconds of every repetition (and apart from it), and the last histograms."""

    seconds: list[float] = field(default_factory=list)
    apart: list[float] = field(default_factory=list)
    bins: Bins = field(default_factory=dict)

    def add(self, seconds: float, bins: Bins) -> None:
        """Note one repetition."""
        self.seconds.append(seconds)
        self.bins = bins


def ours(path: str) -> Bins:
    """Plan and run the reference spec, from a closed file to merged histograms."""
    rootfile.close_all()
    spec = SPEC.changed(samples={"ttbar": {"files": [path]}}, normalisation="none")
    plan = DOMAIN.plan(spec, "")
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=print_nothing)
    arrays = DOMAIN.arrays(result)
    return {r: arrays[f"ttbar/{r}/values"].tolist() for r in ("4j1b", "4j2b")}


def print_nothing(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def reading(path: str) -> Bins:
    """Only read the columns of the spec, with plain uproot in chunks."""
    with uproot.open(path) as file:
        tree = file["Events"]
        for start in range(0, tree.num_entries, CHUNK):
            tree.arrays(SPEC.columns, entry_start=start, entry_stop=start + CHUNK)
    return {}


def coffea(path: str) -> Bins:
    """The AGC nominal selection with coffea's NanoEvents, in chunks of 100,000 events."""
    from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

    NanoAODSchema.warn_missing_crossrefs = False
    axis = hist.axis.Regular(25, 50, 550)
    filled = {region: hist.Hist(axis, hist.storage.Weight()) for region in ("4j1b", "4j2b")}
    with uproot.open(path) as file:
        n = file["Events"].num_entries
    for start in range(0, n, CHUNK):
        events = NanoEventsFactory.from_root(
            {path: "Events"},
            entry_start=start,
            entry_stop=min(start + CHUNK, n),
            schemaclass=NanoAODSchema,
        ).events()
        ht, mass = agc_nominal(events)
        filled["4j1b"].fill(ht)
        filled["4j2b"].fill(mass)
    return {region: h.values(flow=True).tolist() for region, h in filled.items()}


def agc_nominal(events: ak.Array) -> tuple[Any, Any]:
    """Observables of 4j1b and 4j2b, as iris-hep/analysis-grand-challenge computes them."""
    e, mu, jet = events.Electron, events.Muon, events.Jet
    e = e[(e.pt > 30) & (abs(e.eta) < 2.1) & (e.cutBased == 4) & (e.sip3d < 4)]
    mu = mu[
        (mu.pt > 30)
        & (abs(mu.eta) < 2.1)
        & mu.tightId
        & (mu.sip3d < 4)
        & (mu.pfRelIso04_all < 0.15)
    ]
    jet = jet[(jet.pt > 30) & (abs(jet.eta) < 2.4) & (jet.jetId == 6)]
    jet = jet[(ak.num(e) + ak.num(mu) == 1) & (ak.num(jet) >= 4)]
    tags = ak.sum(jet.btagCSVV2 > 0.5, axis=1)
    trijet = ak.combinations(jet[tags >= 2], 3, fields=["j1", "j2", "j3"])
    trijet["p4"] = trijet.j1 + trijet.j2 + trijet.j3
    best = np.maximum(trijet.j1.btagCSVV2, np.maximum(trijet.j2.btagCSVV2, trijet.j3.btagCSVV2))
    trijet = trijet[best > 0.5]
    mass = trijet["p4"][ak.argmax(trijet.p4.pt, axis=1, keepdims=True)].mass
    return ak.sum(jet[tags == 1].pt, axis=-1), ak.flatten(mass)


class RDataFrame:
    """ROOT in its own process, asked for one repetition at a time."""

    def __init__(self, python: str, path: str) -> None:
        self.process = subprocess.Popen(
            [python, str(HERE / "hep_rdataframe.py"), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.about: dict[str, Any] = json.loads(line) if line else {}

    def once(self) -> dict[str, Any]:
        """One repetition: histograms, and CPU seconds of and around its event loop."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("again\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measured(path: str, *, repeats: int, root_python: str) -> tuple[dict[str, Timed], list[str]]:
    """Interleaved repetitions after one that warms up; and which peers are absent."""
    programs: dict[str, Callable[[str], Bins]] = {"ours": ours, "reading": reading}
    absent = []
    try:
        coffea(path)
        programs["coffea"] = coffea
    except ImportError:
        absent.append("coffea")
    for program in programs.values():
        program(path)
    root = RDataFrame(root_python, path)
    timed = {name: Timed() for name in programs}
    if root.about:
        timed["rdataframe"] = Timed()
    else:
        absent.append("rdataframe")
    for _ in range(repeats):
        for name, program in programs.items():
            started = time.process_time()
            bins = program(path)
            timed[name].add(time.process_time() - started, bins)
        if root.about:
            found = root.once()
            timed["rdataframe"].add(found["loop"], found["bins"])
            timed["rdataframe"].apart.append(found["around"])
    root.close()
    return timed, absent


def report(timed: dict[str, Timed], absent: list[str], *, events: int) -> dict[str, Any]:
    """Medians and ratios as JSON-ready values; asserts that all found the same."""
    for name, found in timed.items():
        if name != "reading":
            for region, bins in timed["ours"].bins.items():
                assert sum(found.bins[region]) == sum(bins), (name, region)
                np.testing.assert_allclose(found.bins[region], bins, rtol=1e-12, err_msg=name)
    seconds = {name: median(found.seconds) for name, found in timed.items()}
    ratios = {n: round(s / seconds["ours"], 2) for n, s in seconds.items() if n != "ours"}
    return {
        "benchmark": "hep_vs_peers",
        "events": events,
        "yields": {region: sum(bins) for region, bins in timed["ours"].bins.items()},
        "events_per_cpu_second": {name: round(events / s) for name, s in seconds.items()},
        "ratios": ratios,
        "compilation_apart": {n: round(median(t.apart), 3) for n, t in timed.items() if t.apart},
        "bars": BARS,
        "holds": all(ratios.get(name, 0.0) >= bar for name, bar in BARS.items()),
        "absent": absent,
        "machine": machine(),
        "date": date.today().isoformat(),
    }


def show(found: dict[str, Any]) -> None:
    print(f"AGC ttbar nominal, {found['events']:,} events; {found['machine']}; {found['date']}")
    print(f"yields, equal in all programs and bins: {found['yields']}\n")
    print(f"{'':24}{'events / CPU s':>16}{'CPU vs ours':>14}{'bar':>8}")
    for name, rate in found["events_per_cpu_second"].items():
        ratio = found["ratios"].get(name, 1.0)
        bar = found["bars"].get(name)
        print(f"{name:24}{rate:>16,}{ratio:>14.2f}{f'{bar:.1f}' if bar else '':>8}")
    for name, spent in found["compilation_apart"].items():
        print(f"{name}: {spent:.2f} CPU s of compilation and opening are not counted above")
    for name in found["absent"]:
        print(f"{name:24}{'not installed':>16}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="NanoAOD file to bootstrap from")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--root-python", default=sys.executable, help="a Python that has ROOT")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = args.source or (str(REAL) if REAL.exists() else generated(folder))
        path = str(Path(folder) / "bootstrap.root")
        bootstrap(source, path, events=args.events)
        timed, absent = measured(path, repeats=args.repeats, root_python=args.root_python)
    found = report(timed, absent, events=args.events) | {"source": Path(source).name}
    print(json.dumps(found, indent=1)) if args.json else show(found)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
