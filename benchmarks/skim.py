"""A second question from the skim of the first: CPU time and bytes, and edits of a spec at random.

Two million top pairs like real ones, two leptons (`skim_select.py`), in one process.  The same spec
is run from its files and from the skim, in turn, and the spec without the table ``[skim]``; CPU
time is that of this thread, the median of three.  Then cuts, bins, conditions, columns and
partitions are edited at random on one file of few events: digests with skims and without are equal.

    python benchmarks/skim.py [--edits 200] [--json]
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from nanoaod_like import write
from report import finished, show
from skim_select import COLUMNS, NAMES
from spectrum_workflows import load_site, run
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.sites import Place

HERE = Path(__file__).resolve().parent
BAR = 8.0
FILES, EVENTS, PARTITION, REPEATS = 4, 500_000, 500_000, 3
FEW, SMALL = 4_000, 1_000


def spec(files: list[str], partition: int, *, least: float = 15.0, **changes: Any) -> HepSpec:
    """Two leptons; the conditions leave room below the cuts."""
    electron = {"minimum": {"pt": least, "cutBased": 4}, "maximum": {"|eta|": 2.5}}
    muon = {"minimum": {"pt": least, "tightId": 1}, "maximum": {"|eta|": 2.5}}
    items = {"Electron": electron, "Muon": muon}
    table: dict[str, Any] = {
        "workflow": "hep",
        "name": "dilepton",
        "select": f"{HERE / 'skim_select.py'}:select",
        "columns": COLUMNS,
        "normalisation": "none",
        "partition": {"max_events": partition},
        "samples": {"top": {"files": files}},
        "histograms": {name: {"bins": 50, "start": 0.0, "stop": 300.0} for name in NAMES},
        "skim": {"require": {"leptons": {"at_least": 2, "items": items}}},
    }
    return HepSpec.model_validate({k: v for k, v in (table | changes).items() if v is not None})


def place(folder: Path, results: str, *, kept: bool = True) -> Place:
    """Where nothing but skims is kept."""
    changes = {"ledger.after": 1e9, "ledger.enabled": kept}
    return Place(load_site("serial", changes=changes), str(folder), results)


def made(folder: Path, number: int, events: int) -> list[str]:
    """Files of events, which are written once."""
    names = [f"top_{n}_{events}.root" for n in range(number)]
    for n, name in enumerate(names):
        if not (folder / name).exists():
            part = folder / f"{name}.part"
            write(str(part), events=events, seed=n + 1, cluster=min(events, 100_000))
            part.rename(folder / name)
    return names


def cost(asked: HepSpec, there: Place, **options: Any) -> tuple[float, int, str]:
    """CPU seconds and bytes of a run, and its digest."""
    outcome = run(asked, there, watch=False, **options)
    return outcome.cpu_seconds, outcome.metrics.bytes_read, str(outcome.digest)


def compared(folder: Path, results: str) -> tuple[dict[str, float], dict[str, Any]]:
    """One spec from its files, from the skim, and without a skim."""
    files, there = made(folder, FILES, EVENTS), place(folder, results)
    asked, plain = spec(files, PARTITION), spec(files, PARTITION, skim=None)
    ways: dict[str, Any] = {
        "files": lambda: cost(asked, there, resume=False),
        "skim": lambda: cost(asked, there),
        "without": lambda: cost(plain, there),
    }
    for way in ways.values():
        way()  # compiled, and the skim is there
    rows = [{name: way() for name, way in ways.items()} for _ in range(REPEATS)]
    assert len({digest for row in rows for *_, digest in row.values()}) == 1, "digests differ"
    cpu = {name: statistics.median(row[name][0] for row in rows) for name in ways}
    read = {name: rows[0][name][1] for name in ways}
    ratios = {
        "CPU, files over skim": cpu["files"] / cpu["skim"],
        "bytes, files over skim": read["files"] / read["skim"],
        "CPU, no skim at all over skim": cpu["without"] / cpu["skim"],
    }
    return ratios, {"CPU s": {k: round(v, 2) for k, v in cpu.items()}, "bytes": read}


def edits(folder: Path, results: str, number: int) -> dict[str, int]:
    """Digests of edits at random, with skims and without; how many were served by one."""
    files, rng = made(folder, 1, FEW), random.Random(1)
    there, nowhere = place(folder, results), place(folder, results, kept=False)
    cost(spec(files, SMALL), there)
    served = 0
    for _ in range(number):
        least = rng.choice([15.0, 15.0, 16.0, 18.0, 14.0])
        cuts = {"lepton_pt": rng.uniform(least, 40.0), "lepton_eta": rng.uniform(1.0, 2.5)}
        cuts |= {"jet_pt": rng.uniform(20.0, 60.0), "tag": rng.random()}
        axis = {"bins": rng.randint(1, 99), "start": 0.0, "stop": rng.uniform(10.0, 500.0)}
        histograms = dict.fromkeys(rng.sample(NAMES, rng.randint(1, len(NAMES))), axis)
        more = rng.choice([(), (), (), ("event",), ("MET_sumEt",)])
        partition = rng.choice([SMALL] * 5 + [2 * SMALL])
        changes = {"cuts": cuts, "histograms": histograms, "columns": (*COLUMNS, *more)}
        asked = spec(files, partition, least=least, **changes)
        outcome = run(asked, there, watch=False)
        assert outcome.digest == run(asked, nowhere, watch=False).digest, asked
        served += bool(outcome.summary.get("events_of_skims"))
    return {"edits with equal digests": number, "of them from a skim": served}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-benchmarks"))
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    folder = Path(options.work).resolve() / "skim"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as results:
        ratios, more = compared(folder, results)
        more |= edits(folder, results, options.edits)
    bars = {"CPU, files over skim": BAR, "bytes, files over skim": BAR}
    found = finished(ratios, bars, benchmark="skim", events=FILES * EVENTS, **more)
    show(found, as_json=options.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
