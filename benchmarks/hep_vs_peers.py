"""CPU time per event of the AGC ttbar analysis: ours, coffea's and ROOT's.

Nominal, and with all seven kinds of systematic variation; coffea as the AGC's own
processor does it, and leaner, with the nominal selection for all weights.  Side by side in one
run, interleaved, on files bootstrapped from a real NanoAOD file (see
bootstrap_hep.py); CPU time (threads included), one process each, files opened
anew every time, compilation outside.  A ratio is the median of those within each
repetition, because a shared machine is not as fast in one minute as in the next.
Equal histograms are asserted.

    python benchmarks/hep_vs_peers.py [--all] [--source NANOAOD] [--root-python PYTHON] [--json]

``--all`` adds a file of 2,000,000 events to that of 200,000.  Peers come with
`uv pip install --group bench`; those that are absent are named.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import numpy as np  # noqa: E402
import uproot  # noqa: E402

from bootstrap_hep import bootstrap, generated  # noqa: E402
from report import finished  # noqa: E402
from report import show as show_report  # noqa: E402
from spectrum_workflows import load_spec  # noqa: E402
from spectrum_workflows.hep import DOMAIN, rootfile  # noqa: E402

HERE = Path(__file__).resolve().parent
REAL = HERE.parents[1] / "shared" / "data" / "hep" / "NanoAODv5_sample.root"
SPEC = load_spec(HERE.parent / "workflows" / "hep" / "ttbar.toml")
NOMINAL = tuple(c for c in SPEC.columns if c not in ("run", "luminosityBlock", "event"))
BARS = {
    "coffea / ours": 2.5,
    "rdataframe / ours": 2.5,
    "reading / ours": 0.85,
    "coffea / ours, varied": 8.0,
    "rdataframe / ours, varied": 3.5,
    "1.3 ours / ours, varied": 1.0,
    "1 GB / peak memory": 1.0,
}
CHUNK = 100_000
SIZES = (200_000, 2_000_000)

Bins = Mapping[str, list[float]]


@dataclass
class Timed:
    """CPU seconds of every repetition, and the last histograms."""

    seconds: list[float] = field(default_factory=list)
    bins: Bins = field(default_factory=dict)

    def add(self, seconds: float, bins: Bins) -> None:
        """Note one repetition."""
        self.seconds.append(seconds)
        self.bins = bins

    @property
    def least(self) -> float:
        """The repetition that others on the machine disturbed least."""
        return min(self.seconds)


def spec_of(path: str, *, varied: bool) -> Any:
    """The shipped analysis on one file, which stands for W + jets (all variations) or not."""
    like = SPEC.samples["wjets"]
    variations = like.variations if varied else ()
    sample = like.model_copy(update={"files": (path,), "variations": variations})
    changes: dict[str, Any] = {"samples": {"x": sample}, "fit": None, "normalisation": "none"}
    if not varied:
        changes |= {"columns": NOMINAL, "variations": (), "corrections": ""}
    partition = SPEC.partition.model_copy(update={"max_events": SIZES[0]})
    return SPEC.model_copy(update=changes | {"partition": partition})


def ours(path: str, *, varied: bool) -> Bins:
    """Plan and run the shipped spec, from a closed file to merged histograms."""
    rootfile.close_all()
    spec = spec_of(path, varied=varied)
    plan = DOMAIN.plan(spec, "")
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=print_nothing)
    assert not result.missing
    arrays = DOMAIN.arrays(result)
    return {name: arrays[f"x/{name}/values"].tolist() for name, _ in spec.templates_of("x")}


def print_nothing(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def reading(path: str, *, varied: bool) -> Bins:  # noqa: ARG001
    """Only read the columns of the nominal selection, with plain uproot in chunks."""
    with uproot.open(path) as file:
        tree = file["Events"]
        for start in range(0, tree.num_entries, CHUNK):
            tree.arrays(NOMINAL, entry_start=start, entry_stop=start + CHUNK)
    return {}


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

    def once(self, *, varied: bool) -> dict[str, Any]:
        """One repetition: histograms, and CPU seconds of and around its event loop."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("varied\n" if varied else "nominal\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


Measured = dict[tuple[str, bool], Timed]


def measured(path: str, *, repeats: int, root_python: str) -> tuple[Measured, list[str]]:
    """Interleaved repetitions after one that warms up; and which peers are absent."""
    programs: dict[str, Callable[..., Bins]] = {"ours": ours, "reading": reading}
    absent = []
    try:
        from hep_coffea import histograms

        programs["coffea"] = histograms
        programs["coffea, lean"] = partial(histograms, lean=True)
    except ImportError:
        absent.append("coffea")
    root = RDataFrame(root_python, path)
    if not root.about:
        absent.append("rdataframe")
    timed: Measured = {}
    for repetition in range(repeats + 1):
        for varied in (False, True):
            for name, program in programs.items():
                if not due(name, varied, repetition, repeats):
                    continue
                started = time.process_time()
                bins = program(path, varied=varied)
                if repetition:
                    spent = time.process_time() - started
                    timed.setdefault((name, varied), Timed()).add(spent, bins)
            if root.about:
                found = root.once(varied=varied)
                if repetition:
                    timed.setdefault(("rdataframe", varied), Timed()).add(
                        found["loop"] + found["around"], found["bins"]
                    )
    root.close()
    return timed, absent


def due(name: str, varied: bool, repetition: int, repeats: int) -> bool:
    """Coffea takes most of the time, and its spread is small; nominal, both forms are the same."""
    if not name.startswith("coffea"):
        return True
    return repetition <= max(2, repeats // 2) and (varied or name == "coffea")


def assert_equal(timed: Measured) -> None:
    """All programs found the same histograms; coffea's own draw of the smearing apart."""
    for varied in (False, True):
        mine = timed["ours", varied].bins
        for name in ("coffea", "coffea, lean", "rdataframe"):
            if (name, varied) not in timed:
                continue
            theirs = timed[name, varied].bins
            assert theirs.keys() == mine.keys(), (name, theirs.keys() ^ mine.keys())
            for title, bins in mine.items():
                if name.startswith("coffea") and "pt_res_up" in title:
                    continue
                np.testing.assert_allclose(theirs[title], bins, rtol=1e-6, err_msg=title)


def over(theirs: Timed, ours: Timed) -> float:
    """CPU of one over that of the other, the median of all repetitions that both have."""
    pairs = zip(theirs.seconds, ours.seconds, strict=False)
    return statistics.median(a / b for a, b in pairs)


def ratios(timed: Measured) -> dict[str, float]:
    """CPU of the others over ours."""
    out = {}
    for (name, varied), found in timed.items():
        if name not in ("ours", "reading") or (name, varied) == ("reading", False):
            title = f"{name} / ours" + (", varied" if varied else "")
            out[title] = over(found, timed["ours", varied])
    out["1.3 ours / ours, varied"] = 1.3 * over(timed["ours", False], timed["ours", True])
    return out


def peak_memory(path: str) -> float:
    """Largest memory in GB of a fresh process that runs all variations."""
    script = (
        "import sys, hep_vs_peers as h\n"
        "h.ours(sys.argv[1], varied=True)\n"
        "status = open('/proc/self/status').read()\n"
        "print(int(status.partition('VmHWM:')[2].split()[0]) / 1e6)\n"
    )
    command = [sys.executable, "-c", script, path]
    done = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True)
    return float(done.stdout)


def one_size(source: str, events: int, args: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Everything that is measured on one file."""
    path = str(Path(folder) / f"bootstrap_{events}.root")
    bootstrap(source, path, events=events)
    repeats = args.repeats if events <= SIZES[0] else max(3, args.repeats // 3)
    timed, absent = measured(path, repeats=repeats, root_python=args.root_python)
    assert_equal(timed)
    memory = peak_memory(path)
    rates = {
        name + (", varied" if varied else ""): round(events / found.least)
        for (name, varied), found in timed.items()
        if (name, varied) != ("reading", True)
    }
    yields = {n: sum(b) for n, b in timed["ours", False].bins.items()}
    found = ratios(timed) | {"1 GB / peak memory": 1 / memory}
    more = {"events": events, "yields": yields, "events per CPU second": rates, "absent": absent}
    return finished(found, BARS, **more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="NanoAOD file to bootstrap from")
    parser.add_argument("--all", action="store_true", help="also a file of 2,000,000 events")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--root-python", default=sys.executable, help="a Python that has ROOT")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = args.source or (str(REAL) if REAL.exists() else generated(folder))
        sizes = SIZES if args.all else SIZES[:1]
        runs = [one_size(source, events, args, folder) for events in sizes]
    whole = {
        "benchmark": "hep_vs_peers",
        "source": Path(source).name,
        "ratios": {f"{r['events']}: {n}": v for r in runs for n, v in r["ratios"].items()},
        "bars": {f"{r['events']}: {n}": v for r in runs for n, v in r["bars"].items()},
        "bars_are": "at least",
        "holds": all(r["holds"] for r in runs),
        "events per CPU second": {r["events"]: r["events per CPU second"] for r in runs},
        "yields": {r["events"]: r["yields"] for r in runs},
        "absent": runs[0]["absent"],
        "machine": runs[0]["machine"],
        "date": runs[0]["date"],
    }
    show_report(whole, as_json=args.json)
    sys.exit(0 if whole["holds"] else 1)


if __name__ == "__main__":
    main()
