"""CPU time per event of the AGC ttbar analysis: ours, coffea's and ROOT's.

Nominal, and with all seven kinds of systematic variation; coffea as the AGC's own
processor does it, and leaner, with the nominal selection for all weights.  Side by side in one
run, interleaved, on local files bootstrapped from a real NanoAOD file or, where there is none,
from a generated one that is selected alike (see bootstrap_hep.py); clusters of 5,000 events and
of 100,000, of the same events.  CPU time (threads included), one process each, files opened anew
every time and in the system's memory for everybody, compilation outside: of RDataFrame, what the
event loop and opening the file take.  A ratio is the median of those within each repetition,
because a shared machine is not as fast in one minute as in the next.  Equal histograms are
asserted, but for a few in 100,000 at the edge of a bin.

    python benchmarks/hep_vs_peers.py [--all] [--source NANOAOD] [--root-python PYTHON] [--json]

``--all`` adds files of 2,000,000 events to those of 200,000.  Peers come with
`uv pip install --group bench`; those that are absent are named.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import numpy as np  # noqa: E402
import uproot  # noqa: E402

from bootstrap_hep import bootstrap, compression, generated  # noqa: E402
from report import finished  # noqa: E402
from report import show as show_report  # noqa: E402
from spectrum_workflows import load_spec  # noqa: E402
from spectrum_workflows.hep import DOMAIN  # noqa: E402
from spectrum_workflows.hep.io import rootfile  # noqa: E402

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
SIZES, CLUSTERS = (200_000, 2_000_000), (5_000, 100_000)
EDGE = 3e-5
"""Share of the selected events that may lie on the other side of an edge: of 200,000 none."""

PEERS = ("coffea", "coffea, lean", "rdataframe")

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


Measured = dict[tuple[str, bool], Timed]


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

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, str(HERE / "hep_rdataframe.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.about: dict[str, Any] = json.loads(line) if line else {}

    def once(self, path: str, *, varied: bool) -> tuple[float, Bins]:
        """One repetition: CPU seconds and histograms."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{'varied' if varied else 'nominal'} {path}\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found["seconds"], found["bins"]

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


Program = Callable[..., tuple[float, Bins]]


def timed(program: Callable[..., Bins]) -> Program:
    """The program, with the CPU seconds of this process that it takes."""

    def once(path: str, *, varied: bool) -> tuple[float, Bins]:
        started = time.process_time()
        bins = program(path, varied=varied)
        return time.process_time() - started, bins

    return once


def found_programs(root: RDataFrame) -> dict[str, Program]:
    """Ours and the peers that are there, by name."""
    programs = {"ours": timed(ours), "reading": timed(reading)}
    with suppress(ImportError):
        from hep_coffea import histograms

        programs["coffea"] = timed(histograms)
        programs["coffea, lean"] = timed(partial(histograms, lean=True))
    if root.about:
        programs["rdataframe"] = root.once
    return programs


def wanted(name: str, *, varied: bool) -> bool:
    """Nominal, both forms of coffea are the same; with variations, no more columns are read."""
    return (name, varied) not in (("coffea, lean", False), ("reading", True))


def measured(path: str, programs: Mapping[str, Program], *, repeats: int, slow: int) -> Measured:
    """Interleaved repetitions; coffea takes most of the time and spreads little: ``slow`` times."""
    found: Measured = {}
    for repetition in range(repeats):
        for varied in (False, True):
            for name, program in programs.items():
                if wanted(name, varied=varied) and (
                    repetition < slow or not name.startswith("coffea")
                ):
                    found.setdefault((name, varied), Timed()).add(*program(path, varied=varied))
    return found


def assert_equal(found: Measured) -> None:
    """All programs found the same histograms; coffea's own draw of the smearing apart.

    Cuts are on the file's own floats, the same for all; a mass is calculated, here
    in double and there in single precision, and may come to lie beyond the edge of a bin.
    """
    for varied in (False, True):
        mine = found["ours", varied].bins
        for name in PEERS:
            if (name, varied) not in found:
                continue
            theirs = found[name, varied].bins
            assert theirs.keys() == mine.keys(), (name, theirs.keys() ^ mine.keys())
            for title, bins in mine.items():
                if name.startswith("coffea") and "pt_res_up" in title:
                    continue
                below, expected = np.cumsum(theirs[title]), np.cumsum(bins)
                moved = EDGE * expected[-1]
                if "pt_res_up" not in title:  # whose cuts are on what is calculated, too
                    np.testing.assert_allclose(below[-1], expected[-1], rtol=1e-6, err_msg=title)
                np.testing.assert_allclose(below, expected, rtol=1e-6, atol=moved, err_msg=title)


def over(theirs: Timed, ours: Timed) -> float:
    """CPU of one over that of the other, the median of all repetitions that both have."""
    pairs = zip(theirs.seconds, ours.seconds, strict=False)
    return statistics.median(a / b for a, b in pairs)


def ratios(found: Measured) -> dict[str, float]:
    """CPU of the others over ours."""
    out = {}
    for (name, varied), theirs in found.items():
        if name != "ours":
            title = f"{name} / ours" + (", varied" if varied else "")
            out[title] = over(theirs, found["ours", varied])
    out["1.3 ours / ours, varied"] = 1.3 * over(found["ours", False], found["ours", True])
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


def one_file(
    path: str, events: int, programs: Mapping[str, Program], args: argparse.Namespace
) -> tuple[dict[str, float], dict[str, Any]]:
    """Ratios on one file, and more of it."""
    small = events == SIZES[0]
    repeats, slow = (args.repeats, max(1, args.repeats // 3)) if small else (2, 1)
    found = measured(path, programs, repeats=repeats, slow=slow)
    assert_equal(found)
    memory = peak_memory(path)
    rates = {
        name + (", varied" if varied else ""): round(events / runs.least)
        for (name, varied), runs in found.items()
    }
    more = {
        "events per CPU second": rates,
        "compression": round(compression(path, NOMINAL), 2),
        "peak memory in GB": round(memory, 3),
        "yields": {n: round(sum(b)) for n, b in found["ours", False].bins.items()},
    }
    return ratios(found) | {"1 GB / peak memory": 1 / memory}, more


def warm_up(path: str, programs: Mapping[str, Program]) -> None:
    """What is compiled is compiled, and what is imported imported."""
    for varied in (False, True):
        for program in programs.values():
            program(path, varied=varied)


def compared(source: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured: all sizes and clusters."""
    root = RDataFrame(args.root_python)
    programs = found_programs(root)
    found: dict[str, float] = {}
    bars: dict[str, float] = {}
    files: dict[str, Any] = {}
    first = str(folder / "first.root")
    bootstrap(source, first, events=10_000)
    warm_up(first, programs)
    for events in SIZES if args.all else SIZES[:1]:
        for cluster in CLUSTERS:
            path = str(folder / "bootstrap.root")
            bootstrap(source, path, events=events, cluster=cluster)
            title = f"{events:,} in {cluster:,}"
            print(f"{title}: written, {compression(path, NOMINAL):.2f}", file=sys.stderr)
            own, files[title] = one_file(path, events, programs, args)
            found |= {f"{title}: {name}": ratio for name, ratio in own.items()}
            bars |= {f"{title}: {name}": bar for name, bar in BARS.items()}
        few, many = (files[f"{events:,} in {cluster:,}"] for cluster in CLUSTERS)
        assert few["yields"] == many["yields"], "the same events in other clusters"
    root.close()
    packed = compression(source, NOMINAL)
    more = {
        "benchmark": "hep_vs_peers",
        "source": Path(source).name,
        "compression of the source": round(packed, 2) if math.isfinite(packed) else None,
        "files": files,
        "absent": [name for name in PEERS if name not in programs],
        "root": root.about.get("version"),
    }
    return finished(found, bars, **more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="NanoAOD file to bootstrap from")
    parser.add_argument("--all", action="store_true", help="also files of 2,000,000 events")
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--root-python", default=sys.executable, help="a Python that has ROOT")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = args.source or (str(REAL) if REAL.exists() else generated(folder))
        whole = compared(source, Path(folder), args)
    show_report(whole, as_json=args.json)
    sys.exit(0 if whole["holds"] else 1)


if __name__ == "__main__":
    main()
