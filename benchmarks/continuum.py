"""The continuum in one table: both sciences over two sites with a store each, and one site killed.

A SLURM beside one S3 store and a Dask Gateway beside another compute together. HEP has one sample
at the centre and two in the cloud; the visibilities lie at both. Every run is compared with the
digest of one process; bytes that cross between sites are held against what was planned, or cannot
be avoided by this way of placing, and against placement by chance. Once, the centre's partition is
closed and its jobs are cancelled while it computes. The crate of every run is verified by one
process on data of its own. Ends with 1 where a bar is missed.
``make continuum`` starts it with the services of the tests, of which the first store is the
centre's and the second the cloud's; with ``--json`` it prints what ``docs/evidence`` keeps.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report import finished, show
from spectrum_workflows import check, connect, load_site, load_spec, run, save, storage
from spectrum_workflows.crates.verifying import Verification, verify
from spectrum_workflows.datasets import convert_data
from spectrum_workflows.examples import make_data
from spectrum_workflows.proof.places import DataStore, profile, read_stores
from spectrum_workflows.record import Outcome
from spectrum_workflows.sites import Place, Site
from spectrum_workflows.traffic import Traffic

HERE = ("ttbar.root",)
"""What lies at the centre; the other samples lie in the cloud, and the visibilities at both."""

MOST, LEAST = 1.1, 5.0
"""Bars: bytes that cross, over those planned; and bytes by chance over those that cross."""

PATIENCE = {"centre": 120, "cloud": 120, "doomed": 30}
"""Seconds without a worker after which a site is given up: few, of the centre that is killed."""

AFTER = 3
"""Partitions that are finished before the centre is killed."""


@dataclass(frozen=True)
class Row:
    """One run of the table."""

    name: str
    outcome: Outcome
    alone: str
    traffic: Traffic
    rules: int
    broken: int
    crate: Verification

    @property
    def same(self) -> bool:
        """Whether the digest is that of one process."""
        return self.outcome.digest == self.alone

    @property
    def policy(self) -> str:
        """Rules of the sites in words."""
        return f"{self.rules} rules of the sites, {self.broken} of them broken"

    @property
    def missed(self) -> list[str]:
        """Bars that were not met."""
        measured = self.traffic.crossing("measured")
        missed = [] if self.same else ["another digest than in one process"]
        if self.crate.verdict != "identical":
            missed.append(f"its crate: {self.crate}")
        if self.traffic.lost:
            return missed  # what it had not read moves, as it must
        if measured > MOST * max(self.traffic.unavoidable, self.traffic.crossing("planned")):
            missed.append(f"{measured:,} bytes crossed, more than {MOST} times what was planned")
        by_chance = self.traffic.crossing("by_chance")  # nothing, of what lies at both
        if by_chance and measured * LEAST > by_chance:
            missed.append(f"{measured:,} bytes crossed, more than 1/{LEAST:g} of chance")
        return missed

    @property
    def as_json(self) -> dict[str, Any]:
        accounts = self.outcome.accounts
        return {
            "run": self.name,
            "digest": self.outcome.digest,
            "same": self.same,
            "seconds": round(self.outcome.seconds, 1),
            "cpu_hours": self.outcome.cpu_seconds / 3600,
            "energy": accounts.line if accounts else "",
            "policy": self.policy,
            "rules": self.rules,
            "broken": self.broken,
            "crate": self.crate.verdict,
            **self.traffic.as_json,
            "missed": self.missed,
        }


def main() -> int:
    """Run everything, print the table, and say whether every bar is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--events", type=int, default=100_000, help="per sample")
    parser.add_argument("--visibilities", type=int, default=200_000)
    options = parser.parse_args()
    file = os.environ.get("SPECTRUM_STORES")
    if file is None:
        sys.exit("no services: start it with make continuum")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="continuum-") as folder:
        rows = list(_rows(Path(folder), read_stores(file), options))
    seconds = time.monotonic() - began
    result = evidence(rows, options, seconds)
    if options.json:
        show(result, as_json=True)
    else:
        _print(rows, seconds)
    return int(not result["holds"])


def evidence(rows: list[Row], options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """What docs/evidence keeps: ratios with their bars, and every run."""
    ratios: dict[str, float] = {
        "runs with another digest than in one process": sum(not row.same for row in rows),
        "crates that one process does not verify": sum(
            row.crate.verdict != "identical" for row in rows
        ),
        "rules that were broken": sum(row.broken for row in rows),
        "lost sites, more or fewer than the one that was killed": abs(
            sum(len(row.traffic.lost) for row in rows) - 1
        ),
    }
    bars: dict[str, float] = dict.fromkeys(ratios, 0.0)
    for row in (row for row in rows if not row.traffic.lost):
        measured = row.traffic.crossing("measured")
        least = max(row.traffic.unavoidable, row.traffic.crossing("planned"))
        name = f"{row.name}, bytes that crossed over those planned or unavoidable"
        ratios[name], bars[name] = measured / max(least, 1), MOST
        if by_chance := row.traffic.crossing("by_chance"):
            name = f"{row.name}, bytes that crossed over those by chance"
            ratios[name], bars[name] = measured / by_chance, 1 / LEAST
    return finished(
        ratios,
        bars,
        at_most=True,
        benchmark="continuum",
        conditions=f"{options.events:,} events per sample, {options.visibilities:,} visibilities.",
        seconds=round(seconds, 1),
        runs=[row.as_json for row in rows],
    )


def _rows(folder: Path, stores: list[DataStore], options: argparse.Namespace) -> Iterator[Row]:
    one = Place(load_site("serial"), str(folder / "one"), str(folder / "results"))
    hep, radio = _specs()
    make_data(hep, one, size=options.events)
    make_data(radio, one, size=options.visibilities)
    alone = {spec.name: run(spec, one, watch=False).digest for spec in (hep, radio)}
    both = _profiles(folder, stores)
    for spec in (hep, radio):
        with connect(load_site(both)) as place:
            yield _row(spec.workflow, spec, place, alone[spec.name], one.data)
    killed = load_site(folder / "killed.toml", changes={"ledger.enabled": False})
    with connect(killed) as place, _killer() as kill:
        yield _row("hep, centre killed", hep, place, alone[hep.name], one.data, watch=kill)


def _specs() -> tuple[Any, Any]:
    hep = load_spec("hep/quickstart").changed(partition={"max_events": 5000})
    radio = load_spec("radio/vla_sim").changed(
        image={"npix": 256}, partition={"max_visibilities": 10_000}
    )
    return hep, radio


def _profiles(folder: Path, stores: list[DataStore]) -> Path:
    """Data in both stores, and the profiles of the sites and of both together."""
    centre, cloud = stores
    made = folder / "one"
    convert_data(str(made / "vla_sim.ms"), str(made / "vla_sim.zarr"))
    for name, own in (("centre", centre), ("cloud", cloud)):
        with storage.using(Site(data="", results="", storage=own.options).stores):
            for path in sorted(path for path in made.rglob("*") if path.is_file()):
                below = path.relative_to(made)
                lies_here = (below.name in HERE) == (name == "centre")
                if below.parts[0] == "vla_sim.zarr" or (path.suffix == ".root" and lies_here):
                    storage.put_file(path, storage.join(own.upload, str(below)))
    results = str(folder / "results")
    for name, parent, own in (("centre", "slurm", centre), ("cloud", "cloud", cloud)):
        text = profile(parent, results, own)
        text += f"[workers]\ncount = 2\npatience = {PATIENCE[name]}\n"
        text += f"[policy]\nuser_code = false\nplaces = [{json.dumps(results)}]\n"
        (folder / f"{name}.toml").write_text(text)
    doomed = f'extends = "centre.toml"\n[workers]\npatience = {PATIENCE["doomed"]}\n'
    (folder / "doomed.toml").write_text(doomed)
    both = folder / "both.toml"
    sites = '[federation.sites]\ncentre = "centre.toml"\ncloud = "cloud.toml"\n'
    both.write_text(f"results = {json.dumps(results)}\n{sites}")
    again = sites.replace("centre.toml", "doomed.toml")
    (folder / "killed.toml").write_text(f"results = {json.dumps(results)}\n{again}")
    return both


def _row(name: str, spec: Any, place: Place, alone: str, data: str, **watching: Any) -> Row:
    seen = check(spec, place)
    policy = len(seen.rules), len(seen.violations)
    outcome = run(spec, place, **({"watch": False} | watching))
    crate = verify(save(outcome, place), site="serial", data=data)
    assert outcome.traffic is not None
    return Row(name, outcome, alone, outcome.traffic, *policy, crate)


@contextmanager
def _killer() -> Iterator[Callable[[Any], None]]:
    """A watcher that closes the centre and cancels its jobs when some partitions are finished."""
    begun = threading.Event()

    def close() -> None:
        _slurm("scontrol", "update", "PartitionName=debug", "State=DOWN")
        _slurm("scancel", f"--user={getpass.getuser()}")

    def watch(state: Any) -> None:
        if state.stage == "select" and state.done >= AFTER and not begun.is_set():
            begun.set()
            threading.Thread(target=close, daemon=True).start()

    try:
        yield watch
    finally:
        _slurm("scontrol", "update", "PartitionName=debug", "State=UP")


def _slurm(*command: str) -> None:
    subprocess.run(command, check=True, timeout=60)


def _print(rows: list[Row], seconds: float) -> None:
    """One table: a line for every run, and one for every pair of sites below it."""
    head = ("run", "digest", "as one process", "wall s", "CPU h", "energy")
    print("{:20} {:14} {:>14} {:>7} {:>8}  {}".format(*head))
    for row in rows:
        table, traffic = row.as_json, row.traffic
        same = "identical" if row.same else "DIFFERENT"
        print(
            f"{row.name:20} {row.outcome.digest[:12]:14} {same:>14} {table['seconds']:7.1f} "
            f"{table['cpu_hours']:8.4f}  {table['energy']}"
        )
        print(f"    {row.policy}; crate in one process: {row.crate.verdict}; {traffic.method}")
        for name, reason in traffic.lost.items():
            print(f"    {name} was lost: {reason}")
        print(f"    {'bytes':24} {'planned':>14} {'measured':>14} {'by chance':>14}")
        for flow in traffic.flows:
            pair = f"{flow.source} -> {flow.target}"
            numbers = f"{flow.planned:14,} {flow.measured:14,} {flow.by_chance:14,}"
            print(f"    {pair:24} {numbers}")
        crossing = [traffic.crossing(kind) for kind in ("planned", "measured", "by_chance")]
        numbers = " ".join(f"{number:14,}" for number in crossing)
        print(
            f"    {'that cross':24} {numbers}   unavoidable as it is cut: {traffic.unavoidable:,}"
        )
        for missed in row.missed:
            print(f"    MISSED: {missed}")
    verdict = "NOT ALL BARS MET" if any(row.missed for row in rows) else "every bar met"
    print(f"{seconds:.0f} s in all; {verdict}")


if __name__ == "__main__":
    sys.exit(main())
