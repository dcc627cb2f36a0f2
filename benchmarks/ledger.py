"""What keeping a ledger costs, and how long it takes to list one in a store.

Overhead: runs of both sciences at the serial place, each in a process of its own, in turn with a
ledger that keeps from the first second and without one; CPU time of all threads from spec to
result, the least of some runs of each, so that other work on the machine counts little.  A run
takes about a minute of CPU time.

Listing: entries in a real S3 store (rclone) of a run over 10,000 partitions, of which 8,744 are
done; wall time (and CPU time, of this process) to list and verify all of them, as `spectrum ledger
list` does, and to take them up as a run does that goes on.  Once in the state that a run leaves
which does its partitions in order, and once in the worst, in which no two can be joined further:
every eighth subtree is missing.

    python benchmarks/ledger.py [--pairs 3] [--only overhead|listing] [--json]
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
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "services"))

import datastore  # noqa: E402
import rclone  # noqa: E402

from noop import Item  # noqa: E402
from report import finished, show  # noqa: E402
from spectrum_workflows import load_site, load_spec, make_data, run, storage  # noqa: E402
from spectrum_workflows.engine.ledger import (  # noqa: E402
    Codec,
    Ledger,
    Node,
    Subtrees,
    Written,
    packed,
)
from spectrum_workflows.ledgers import questions  # noqa: E402
from spectrum_workflows.resuming import FOLDER, KNOWN  # noqa: E402
from spectrum_workflows.sites import Place  # noqa: E402

PARTITIONS, DONE, FAN_IN, BINS = 10_000, 8_744, 8, 60
SECONDS = "seconds, 10,000 partitions in S3: "
STATES = ("in order", "worst")
BARS = {
    "overhead of hep": 0.03,
    "overhead of radio": 0.03,
    **{f"{SECONDS}{what}, {state}": 5.0 for what in ("listed", "taken up") for state in STATES},
}
SIZES = {"hep": ("hep/ttbar", 400_000), "radio": ("radio/vla_sim", 3_000_000)}
CHANGES: Mapping[str, dict[str, Any]] = {
    "hep": {"partition": {"max_events": 20_000}, "fit": None},
    "radio": {"image": {"npix": 1024, "cell_arcsec": 1.25}},
}
BINNED: Codec[Any] = Codec(lambda value, _: Written({"counts": value}), lambda w, _: w.arrays)


def overhead(science: str, pairs: int, work: Path, seconds: float) -> tuple[float, dict[str, Any]]:
    """CPU seconds with a ledger over those without, less one: the least of some runs of each."""
    name, size = SIZES[science]
    size = int(size * seconds / 60.0)
    spec = load_spec(name).changed(**CHANGES[science])
    data = work / f"{science}-{size}"
    make_data(spec, Place(load_site("serial"), str(data), str(data)), size=size)
    spent: dict[bool, list[float]] = {True: [], False: []}
    digests, objects = set(), 0
    for n in range(pairs):
        for kept in (n % 2 == 0, n % 2 == 1):
            told = _in_a_process(science, data, kept=kept)
            digests.add(told["digest"])
            objects = max(objects, told["objects"])
            spent[kept].append(told["cpu"])
    assert len(digests) == 1, "digests differ"
    assert objects, "nothing was kept"
    least = {kept: min(own) for kept, own in spent.items()}
    told = {"with": spent[True], "without": spent[False]}
    shown = {f"CPU s {key}": [round(cpu, 2) for cpu in own] for key, own in told.items()}
    return least[True] / least[False] - 1.0, shown | {"objects at the end": objects}


def _in_a_process(science: str, data: Path, *, kept: bool) -> dict[str, Any]:
    """What `one` says of a run, in a process of its own."""
    with tempfile.TemporaryDirectory() as results:
        words = ("--one", science, str(data), results, "kept" if kept else "none")
        command = [sys.executable, __file__, *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one(science: str, data: str, results: str, keeping: str) -> dict[str, Any]:
    """CPU time of one run, of all threads and of processes that it starts; and what it left."""
    spec = load_spec(SIZES[science][0]).changed(**CHANGES[science])
    changes = {"ledger.enabled": keeping == "kept", "ledger.after": 0.0}
    place = Place(load_site("serial", changes=changes), data, results)
    begun = sum(os.times()[:4])
    outcome = run(spec, place, watch=False)
    cpu = sum(os.times()[:4]) - begun
    objects = sum(one.entries for one in questions(place))
    return {"cpu": cpu, "digest": outcome.digest, "objects": objects}


def listing() -> tuple[dict[str, float], dict[str, Any]]:
    """Seconds to list and to take up entries in a store, and how many there are."""
    seconds: dict[str, float] = {}
    told: dict[str, Any] = {}
    with datastore.running(rclone) as store:
        for state, nodes in zip(STATES, (_in_order(), _worst()), strict=True):
            place = Place(store.site(), store.data, storage.join(store.upload, state[:2]))
            took = _listed(place, nodes)
            seconds |= {f"{SECONDS}{what}, {state}": wall for what, (wall, _) in took.items()}
            cpu = {what: round(spent, 2) for what, (_, spent) in took.items()}
            told[state] = {"objects": len(nodes), "CPU s": cpu}
    return seconds, told


def _listed(place: Place, nodes: list[Node]) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds to list the entries of some nodes, and to take them up."""
    folder = storage.join(place.results, f"{KNOWN}/{FOLDER}/{'0' * 32}")
    about = {"workflow": "none", "name": "noop", "partitions": PARTITIONS}
    items = tuple(Item(n) for n in range(PARTITIONS))
    with storage.using(place.stores):
        for node in nodes:
            _write(folder, node, about)
        [one], listed = _timed(lambda: questions(place))
        tree = Subtrees(Ledger(folder, {"": "1"}, about=about), "select", items, FAN_IN, BINNED)
        _, taken = _timed(tree.load)
        tree.close()
    assert (one.entries, one.damaged, len(tree.parts)) == (len(nodes), (), len(nodes))
    assert tree.resumed == one.finished == DONE
    return {"listed": listed, "taken up": taken}


def _timed(action: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    begun, cpu = time.perf_counter(), time.process_time()
    value = action()
    return value, (time.perf_counter() - begun, time.process_time() - cpu)


def _in_order() -> list[Node]:
    """What is left of the tree when so many partitions, from the first on, are done."""
    nodes, first, level = list[Node](), 0, 4
    while level:
        width = FAN_IN**level
        while first + width <= DONE:
            nodes.append(Node(level, first // width))
            first += width
        level -= 1
    return nodes


def _worst() -> list[Node]:
    """The lowest merges without every eighth: none of them can be joined."""
    return [Node(1, index) for index in range(PARTITIONS // FAN_IN) if index % FAN_IN]


def _write(folder: str, node: Node, about: Mapping[str, Any]) -> None:
    """An entry of sixty bins."""
    header = {
        **about,
        "stage": "select",
        "written": "2026-11-27T00:00:00+00:00",
        "node": [node.level, node.index, FAN_IN**node.level, FAN_IN],
        "sources": {"": "1"},
        "copies": [],
        "warnings": [],
    }
    counts = np.random.default_rng(node.index).random(BINS)
    content = packed(Written({"counts": counts}), header)
    storage.write_bytes(storage.join(folder, f"select.{node.level}.{node.index}.entry"), content)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU seconds of a run, about")
    parser.add_argument("--only", choices=("overhead", "listing"))
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-benchmarks"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(*options.one)))
        return
    ratios: dict[str, float] = {}
    more: dict[str, Any] = {}
    if options.only != "overhead":
        ratios, more = listing()
    if options.only != "listing":
        for science in SIZES:
            ratio, told = overhead(science, options.pairs, Path(options.work), options.seconds)
            ratios[f"overhead of {science}"], more[science] = ratio, told
    bars = {name: bar for name, bar in BARS.items() if name in ratios}
    told = finished(ratios, bars, at_most=True, benchmark="ledger", **more)
    show(told, as_json=options.json)
    sys.exit(0 if told["holds"] else 1)


if __name__ == "__main__":
    main()
