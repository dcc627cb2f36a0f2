"""How long planning takes: files counted by the spec, files known from before, files to open.

Times are CPU seconds of this process, in which all of it happens, the smallest
of some repeats; seconds on the wall, which depend on who else is at work, stand
beside them.  The files of the second plan are listed and identified as any file,
but only one holds events: the findings of the others are made from its, so that
10,000 need not be opened.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import report
from spectrum_workflows import load_spec
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.io import rootfile
from spectrum_workflows.hep.plan import cache
from spectrum_workflows.hep.plan.files import InputFile
from spectrum_workflows.hep.plan.inspection import inspect
from spectrum_workflows.hep.select.workload import load_workload
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.synthetic import write_sample

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "data" / "hep" / "NanoAODv5_sample.root"
BARS = {"counted": 10.0, "second_plan": 2.0}


def least(measured: Callable[[], Any], repeats: int = 3) -> tuple[float, float]:
    """CPU seconds and seconds on the wall, the smallest of some repeats."""
    found = []
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        measured()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(found)


def counted(spec: HepSpec, files: int) -> tuple[float, float]:
    """Plan files that are not even there: the spec says how many events they have."""
    names = [f"store/{k}.root" for k in range(files)]
    spec = spec.changed(samples={"ttbar": {"files": names, "events": [1_000_000] * files}})
    return least(lambda: DOMAIN.plan(spec, "root"))


def second_plan(spec: HepSpec, files: int, folder: Path) -> tuple[float, float]:
    """Plan files that an earlier plan has looked into."""
    write_sample(str(folder / "0.root"), "ttbar", events=400, seed=1, cluster_events=50)
    names, nbytes = [f"{k}.root" for k in range(files)], (folder / "0.root").stat().st_size
    for name in names[1:]:
        (folder / name).touch()
        os.truncate(folder / name, nbytes)
    spec = spec.changed(samples={"ttbar": {"files": names}})
    listed = [
        InputFile("ttbar", f"{folder}/{name}", spec.tree, typed=not k)
        for k, name in enumerate(names)
    ]
    question = cache.Question(spec.name, load_workload(spec).requested, spec.partition.max_events)
    [(_, first)] = inspect(listed[0], question.requested, question.max_events)
    infos = {
        file: replace(first, url=file.url, uuid=f"{k}", form=first.form if file.typed else "")
        for k, file in enumerate(listed)
    }
    known = str(folder / "known")
    cache.save(known, question, cache.identities(listed), infos)
    rootfile.close_all()
    return least(lambda: DOMAIN.plan(spec, str(folder), known=known))


def opening(spec: HepSpec) -> dict[str, float]:
    """A real NanoAOD file of 1,479 branches: the first plan, and partitions after it."""
    spec = spec.changed(samples={"ttbar": {"files": [str(REAL)]}}, partition={"max_events": 59})
    started = time.process_time()
    plan = DOMAIN.plan(spec, "")
    planned = time.process_time() - started
    again = time.process_time()
    DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    each = (time.process_time() - again) / len(plan.partitions)
    return {"first_plan_cpu": round(planned, 3), "partition_cpu": round(each, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--files", type=int, default=10_000)
    chosen = parser.parse_args()
    spec = load_spec(ROOT / "tests" / "reference" / "hep_ttbar.toml")
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "counted": counted(spec, chosen.files),
            "second_plan": second_plan(spec, chosen.files, Path(folder)),
        }
    more = {"real_file_seconds": opening(spec)} if REAL.exists() else {}
    cpu = {name: seconds for name, (seconds, _) in found.items()}
    more["wall"] = {name: round(seconds, 3) for name, (_, seconds) in found.items()}
    told = report.finished(cpu, BARS, at_most=True, files=chosen.files, **more)
    report.show(told, as_json=chosen.json)
    sys.exit(0 if told["holds"] else 1)


if __name__ == "__main__":
    main()
