r"""Rates of real runs, and what they mean for published figures.

Runs are those of the command line, in one process, each saved with its record; what the records
say of their cost goes into the evidence, from which the sheets of use cases take their figures.
For the 200 Gb/s challenge of IRIS-HEP two files are bootstrapped from a real NanoAOD file (see
bootstrap_hep.py) with the columns that the challenge read, 28 % of the bytes of its events.  As
there, every column is unpacked, and read from an XRootD server.  The Analysis Grand Challenge,
imaging and gravitational waves run on their own generated data.

    python tests/services/with_services.py xrootd -- \
      python benchmarks/projection.py [--events N] [--source NANOAOD] [--folder FOLDER] [--json]

Without a server the files are local, which takes less CPU time.  With --folder data and results
stay there, and runs that it has are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bootstrap_hep import bootstrap
from projection_select import COLUMNS, FIELDS
from report import finished
from report import show as show_report
from spectrum_workflows import storage
from spectrum_workflows.projection.estimate import Estimate, estimate
from spectrum_workflows.projection.projecting import default_targets, load_targets
from spectrum_workflows.projection.rates import Measured, measured, rates
from spectrum_workflows.proof import read_stores

HERE = Path(__file__).resolve().parent
REAL = HERE.parents[1] / "shared" / "data" / "hep" / "NanoAODv5_sample.root"
THIRD = HERE.parent / "examples" / "gravitational_waves"
CLUSTER = 10_000
"""Events in a cluster: the rehearsal of a selection reads a few."""

BARS = {"published over cores for 200 Gb/s": 3.0, "cores for 200 Gb/s over published": 3.0}
KEPT = (
    *("schema", "workflow", "name", "digest", "partitions", "partial", "fraction"),
    *("seconds", "cpu_seconds", "bytes_read", "workers", "stages", "accounts"),
)
"""Of a record, what its rates and its sheet are made of."""

SPEC = """
workflow = "hep"
name = "{name}"
select = "{select}:select"
columns = {columns}
normalisation = "none"
[partition]
max_events = 100_000
[samples.challenge]
files = ["{name}.root"]
[histograms.numbers]
bins = 50
start = 0
stop = 2000
"""


def spectrum(*words: object, path: str = "") -> str:
    """Give what the command prints."""
    environment = dict(os.environ) | ({"PYTHONPATH": path} if path else {})
    command = [sys.executable, "-m", "spectrum_workflows", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def ran(spec: object, folder: Path, *, data: str = "", path: str = "") -> dict[str, Any]:
    """Run a spec and give its record, without what names this machine."""
    if not saved(spec, folder):
        data = data or str(folder / "data")
        roots = ("--data", data, "--out", folder / "results", "--site", "serial")
        spectrum("run", spec, *roots, "--fresh", "--json", path=path)
    record = json.loads(saved(spec, folder)[-1].read_text())
    plan = {key: record["plan"][key] for key in ("size", "bytes_to_read", "data_bytes")}
    return {key: record[key] for key in KEPT if key in record} | {"plan": plan}


def saved(spec: object, folder: Path) -> list[Path]:
    """Records of the runs of a spec that are in the folder."""
    return sorted((folder / "results").glob(f"{Path(str(spec)).stem}-2*/record.json"))


def challenge(folder: Path, source: str, events: int, data: str) -> Iterator[dict[str, Any]]:
    """Two files of the challenge's columns, each its own run, from a store if there is one."""
    keep = {group: {name: f"{group}_{name}" for name in names} for group, names in FIELDS.items()}
    (folder / "data").mkdir(exist_ok=True)
    shutil.copy(HERE / "projection_select.py", folder / "projection_select.py")
    for seed in (1, 2):
        name = f"challenge-{seed}"
        file = str(folder / "data" / f"{name}.root")
        if not saved(name, folder):
            bootstrap(source, file, events=events, cluster=CLUSTER, seed=seed, keep=keep)
            if data:
                storage.put_file(Path(file), storage.join(data, f"{name}.root"))
        spec = folder / f"{name}.toml"
        columns = json.dumps(list(COLUMNS))
        text = SPEC.format(name=name, select="projection_select.py", columns=columns)
        spec.write_text(text)
        yield ran(spec, folder, data=data)


def store() -> str:
    """Data root of the XRootD server that was started for this; nothing without one."""
    file = os.environ.get("SPECTRUM_STORES")
    return next((s.data for s in read_stores(file) if s.name == "xrootd"), "") if file else ""


def shipped(name: str, folder: Path) -> dict[str, Any]:
    """A shipped spec on its own generated data."""
    if not saved(name, folder):
        spectrum("data", "make", name, "--data", folder / "data")
    return ran(name, folder)


def third(folder: Path) -> dict[str, Any]:
    """The example of a third science, which is a package of its own."""
    path = folder / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(path)]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *offline, str(THIRD)], check=True)
    spec = path / "gravitational_waves" / "chirp.toml"
    spectrum("data", "make", spec, "--data", folder / "data", path=str(path))
    return ran(spec, folder, path=str(path))


def projected(records: Mapping[str, list[dict[str, Any]]]) -> list[Estimate]:
    """The estimates: the challenge by its own runs, everything else by the others."""
    targets = load_targets(str(default_targets()))
    by = {name: "radio" if t.workflow == "radio" else "agc" for name, t in targets.targets.items()}
    by["gbps200"] = "challenge"
    of = {group: rates(_runs(records[group])) for group in {*by.values()}}
    return [
        estimate(name, targets.targets[name], of[group], targets.assumptions)
        for name, group in by.items()
    ]


def _runs(records: list[dict[str, Any]]) -> list[Measured]:
    return [measured(record, record["name"]) for record in records]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=300_000, help="of each file of the challenge")
    parser.add_argument("--source", default=str(REAL), help="a NanoAOD file of simulated events")
    parser.add_argument("--folder", type=Path, help="where data and results stay")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spectrum-projection-") as name:
        folder = options.folder or Path(name)
        records = {
            "challenge": list(challenge(folder, options.source, options.events, store())),
            "agc": [shipped("hep/ttbar", folder), shipped("hep/quickstart", folder)],
            "radio": [shipped("radio/vla_sim", folder), shipped("radio/scaling", folder)],
            "third": [third(folder)],
        }
    [challenged] = [one for one in projected(records) if one.name == "gbps200"]
    ratio = {one.published.quantity: one.ratio for one in challenged.compared}
    published = {one.published.quantity: one.published for one in challenged.compared}
    alone = challenged.cores.value / published["cores"].amount().value
    ratios = {
        "cores for 200 Gb/s over published": ratio["cores"],
        "the same with our software": alone,
        "published over cores for 200 Gb/s": 1 / ratio["cores"],
        "rate of events at 200 Gb/s over published": ratio["item_rate"],
    }
    read_from = "XRootD, root:// on loopback" if store() else "local files"
    show_report(
        finished(
            ratios,
            BARS,
            at_most=True,
            benchmark="projection",
            challenge_read_from=read_from,
            records=records,
        ),
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
