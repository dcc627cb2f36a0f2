"""What the engine costs: no-op partitions against bare `Client.map`, and memory.

Both on one LocalCluster of two workers, alternately; wall time of submitting,
computing and, for ours, merging.  Memory is the peak of the process that holds
client and scheduler, above what it had before.  Ends with the time from
`connect` to the first result on every site that can be reached; start it with
the real services for all of them:

    python tests/services/with_services.py slurm gateway -- python benchmarks/engine.py

The largest size takes minutes.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from operator import attrgetter

import psutil
from distributed import Client, wait

from noop import Item, add, nothing
from report import finished, show
from spectrum_workflows import SpectrumError, connect, load_site
from spectrum_workflows.engine import each, merged
from spectrum_workflows.radio.strips.types import Columns

SIZES = (1_000, 10_000, 100_000)
BAR = 1.5  # engine over bare map, at most
KILOBYTES = 1.0  # of memory per further partition, at most; a task that is kept takes several
SITES = ("serial", "laptop", "slurm", "cloud")


def measured(work: Callable[[], object]) -> tuple[float, int]:
    """Wall seconds, and the growth of this process's resident memory at its peak."""
    process, done = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def look() -> None:
        nonlocal peak
        while not done.wait(0.1):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    return seconds, peak - before


def engine(client: Client, items: list[Item]) -> None:
    value, _ = merged(each(nothing, items, client=client, label="bench"), add)
    assert value == sum(item.n for item in items)


def bare(client: Client, items: list[Item]) -> None:
    futures = client.map(nothing, items, pure=False)
    wait(futures)
    assert futures[-1].result() == items[-1].n


def first_task(name: str) -> float | str:
    """Seconds from `connect` to the first result, or why there is none.

    The partition is one of the package's own: elsewhere this folder cannot be imported.
    """
    started = time.perf_counter()
    try:
        with connect(load_site(name, changes={"workers.patience": 60})) as place:
            parts = each(attrgetter("stop"), [Columns(0, 7, 7)], client=place.client)
            assert merged(parts, max)[0] == 7
            return round(time.perf_counter() - started, 2)
    except SpectrumError as error:
        return str(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="leave larger sizes out")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    ratios: dict[str, float] = {}
    sizes = [size for size in SIZES if size <= options.largest]
    every = {size: [Item(n) for n in range(size)] for size in sizes}
    changes = {"workers.count": 2}
    with connect(load_site("laptop", changes=changes)) as place:
        engine(place.client, [Item(n) for n in range(500)])  # workers import what they need
        # All of ours first: memory that the bare map leaves behind would hide theirs.
        ours = {size: [measured(partial(engine, place.client, every[size]))] for size in sizes}
        growth = {size: taken[0][1] for size, taken in ours.items()}
        for size in sizes:
            theirs = [measured(partial(bare, place.client, every[size]))]
            for _ in range(2 if size <= 10_000 else 0):
                ours[size].append(measured(partial(engine, place.client, every[size])))
                theirs.append(measured(partial(bare, place.client, every[size])))
            least, bare_least = min(ours[size])[0], min(theirs)[0]
            print(f"{size:,}: {least:.1f} s, bare {bare_least:.1f} s", file=sys.stderr)
            ratios[f"wall_{size}"] = least / bare_least
            ratios[f"memory_{size}"] = growth[size] / max(theirs[0][1], 1)
    bars = {f"wall_{size}": BAR for size in sizes}
    if len(sizes) > 2:
        further = (growth[sizes[-1]] - growth[sizes[-2]]) / (sizes[-1] - sizes[-2])
        ratios["kilobytes_per_further_partition"] = further / 1000
        bars["kilobytes_per_further_partition"] = KILOBYTES
    found = finished(
        ratios,
        bars,
        at_most=True,
        peak_memory_growth_mb={size: round(m / 1e6, 1) for size, m in growth.items()},
        seconds_to_first_task={name: first_task(name) for name in SITES},
    )
    show(found, as_json=options.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
