"""What keeping a ledger costs, and how long it takes to list one in a store.

Overhead: runs of both sciences at the serial place, each in a process of its own, in turn with a
ledger that keeps from the first second and without one; CPU time of all threads from spec to
result, the least of some runs of each, so that other work on the machine counts little (wall time
is shown beside it).  A run takes about a minute of CPU time, and that of HEP has partitions a
quarter as long as usual.  And, as such a difference is of the size of what other work does to it:
the CPU time of the ledger's own work alone, in whichever thread, over the rest of its run.

Listing: entries in a real S3 store (rclone) of a run over 10,000 partitions, of which 8,744 are
done; wall time (and CPU time, of this process) to list and verify all of them, as `spectrum ledger
list` does, and to take them up as a run does that goes on.  Once in the state that a run leaves
which does its partitions in order, and once in the worst, in which no two can be joined further:
every eighth subtree is missing.

    python benchmarks/ledger.py [--pairs 3] [--only overhead|listing] [--json]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "services"))

import datastore  # noqa: E402
import rclone  # noqa: E402

from noop import Item  # noqa: E402
from report import finished, show  # noqa: E402
from spectrum_workflows import front, load_site, load_spec, make_data, run, storage  # noqa: E402
from spectrum_workflows.engine.checkpoints import Checkpoints  # noqa: E402
from spectrum_workflows.engine.ledger import (  # noqa: E402
    Codec,
    Ledger,
    Node,
    Subtrees,
    Written,
    packed,
)
from spectrum_workflows.hep.synthetic import write_sample  # noqa: E402
from spectrum_workflows.ledgers import questions  # noqa: E402
from spectrum_workflows.resuming import FOLDER, KNOWN  # noqa: E402
from spectrum_workflows.sites import Place  # noqa: E402

PARTITIONS, DONE, FAN_IN, BINS = 10_000, 8_744, 8, 60
SECONDS = "seconds, 10,000 partitions in S3: "
STATES = ("in order", "worst")
BARS = {
    "overhead of hep": 0.03,
    "overhead of radio": 0.03,
    "own work of hep": 0.03,
    "own work of radio": 0.03,
    **{f"{SECONDS}{what}, {state}": 5.0 for what in ("listed", "taken up") for state in STATES},
}
VISIBILITIES, FILES, EVENTS = 3_000_000, 16, 400_000
REPEATS = 15
"""Times that every event is selected for each variation of its kinematics."""
WORK: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (front, ("ledger_of",)),
    (Subtrees, ("load", "offer", "_keep", "close")),
    (Checkpoints, ("recall", "keep", "_write", "close")),
)
"""Functions in which a ledger does all of its work."""
BINNED: Codec[Any] = Codec(lambda value, _: Written({"counts": value}), lambda w, _: w.arrays)


@dataclass(frozen=True)
class Cost:
    """Of one run.

    Attributes
    ----------
    cpu, wall : float
        Seconds; CPU of all threads, and of processes that it starts.
    own : float
        CPU seconds of the ledger's own work.
    digest : str
    objects : int
        Entries that it left.
    """

    cpu: float
    wall: float
    own: float
    digest: str
    objects: int


def overhead(
    science: str, pairs: int, work: Path, seconds: float
) -> tuple[dict[str, float], dict[str, Any]]:
    """How much more CPU time a run with a ledger takes than one without, in two ways."""
    share = seconds / 60.0
    SCIENCES[science](work, share)  # makes the data
    runs: dict[bool, list[Cost]] = {True: [], False: []}
    for n in range(pairs):
        for kept in (n % 2 == 0, n % 2 == 1):
            runs[kept].append(_in_a_process(science, work, share, kept=kept))
    assert len({cost.digest for costs in runs.values() for cost in costs}) == 1, "digests differ"
    assert all(cost.objects for cost in runs[True]), "nothing was kept"
    assert not any(cost.objects or cost.own > 0.01 for cost in runs[False])
    least = {kept: min(cost.cpu for cost in costs) for kept, costs in runs.items()}
    ratios = {
        f"overhead of {science}": least[True] / least[False] - 1.0,
        f"own work of {science}": min(c.own / (c.cpu - c.own) for c in runs[True]),
    }
    told: dict[str, Any] = {"objects at the end": runs[True][0].objects}
    for kept, costs in runs.items():
        for quantity in ("cpu", "wall", "own") if kept else ("cpu", "wall"):
            name = f"{quantity} s {'with' if kept else 'without'}"
            told[name] = [round(getattr(cost, quantity), 2) for cost in costs]
    return ratios, told


def hep(folder: Path, share: float) -> Any:
    """The ttbar selection with its variations, on the files of `scaling`."""
    files = [f"ttbar_{n}.root" for n in range(max(1, round(FILES * share)))]
    for n, name in enumerate(files):
        if not (folder / name).exists():
            write_sample(str(folder / name), "ttbar", events=EVENTS, seed=n)
    shipped = load_spec("hep/ttbar").changed(
        select=f"{ROOT / 'benchmarks/repeated_ttbar.py'}:select",
        cuts={"repeats": REPEATS},
        partition={"max_events": EVENTS // 8},
        fit=None,
    )
    sample = shipped.samples["ttbar"].model_copy(update={"files": tuple(files), "generator": None})
    return shipped.model_copy(update={"samples": {"ttbar": sample}})


def radio(folder: Path, share: float) -> Any:
    """A CLEAN in several major cycles."""
    size = int(VISIBILITIES * share)
    spec = load_spec("radio/vla_sim").changed(
        data_set=f"ledger_{size}", image={"npix": 1024, "cell_arcsec": 1.25}
    )
    if not (folder / f"ledger_{size}.ms").exists():
        make_data(spec, Place(load_site("serial"), str(folder), str(folder)), size=size)
    return spec


SCIENCES: Mapping[str, Callable[[Path, float], Any]] = {"hep": hep, "radio": radio}


def _in_a_process(science: str, work: Path, share: float, *, kept: bool) -> Cost:
    """What `one` says of a run, in a process of its own."""
    with tempfile.TemporaryDirectory() as results:
        words = ("--one", science, str(work), str(share), results, "kept" if kept else "none")
        command = [sys.executable, __file__, *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def one(science: str, work: str, share: str, results: str, keeping: str) -> Cost:
    """One run."""
    spec, stopwatch = SCIENCES[science](Path(work), float(share)), Stopwatch()
    for owner, names in WORK:
        for name in names:
            setattr(owner, name, stopwatch.timing(getattr(owner, name)))
    changes = {"ledger.enabled": keeping == "kept", "ledger.after": 0.0}
    place = Place(load_site("serial", changes=changes), work, results)
    begun, cpu = time.perf_counter(), sum(os.times()[:4])
    outcome = run(spec, place, watch=False)
    wall, cpu = time.perf_counter() - begun, sum(os.times()[:4]) - cpu
    objects = sum(one.entries for one in questions(place))
    return Cost(cpu, wall, stopwatch.seconds, outcome.digest, objects)


class Stopwatch(threading.local):
    """Adds up the CPU time of functions, each in its thread, and not twice where one calls another.

    Attributes
    ----------
    seconds : float
        Of all threads.
    """

    _all: ClassVar[list[float]] = []
    inside = False

    @property
    def seconds(self) -> float:
        return sum(self._all)

    def timing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            if self.inside:
                return function(*arguments, **options)
            self.inside, begun = True, time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                self._all.append(time.thread_time() - begun)
                self.inside = False

        return timed


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
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asdict(one(*options.one))))
        return
    ratios: dict[str, float] = {}
    more: dict[str, Any] = {}
    if options.only != "overhead":
        ratios, more = listing()
    if options.only != "listing":
        for science in SCIENCES:
            of_it, more[science] = overhead(
                science, options.pairs, Path(options.work), options.seconds
            )
            ratios |= of_it
    bars = {name: bar for name, bar in BARS.items() if name in ratios}
    told = finished(ratios, bars, at_most=True, benchmark="ledger", **more)
    show(told, as_json=options.json)
    sys.exit(0 if told["holds"] else 1)


if __name__ == "__main__":
    main()
