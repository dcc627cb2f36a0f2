"""Two hundred light workers of one scheduler, in this process: what they can be kept busy with.

Partitions that do nothing give the CPU time of a task, with few workers and with many: that of
session, scheduler and workers, which share one interpreter.  Partitions that only wait, for as long
as those of a real run took (of muon pairs, here, scaled to the mean length that is asked for),
give the share of the time in which workers could have had work that they have it: the time that
the same partitions take where a worker that is free has the next one at once, over the time
measured.

A worker is a thread here, and takes its part of the interpreter's time, so tasks are fewer a second
than through a scheduler that has a core to itself: the walls that are met come sooner than on a
cluster, in the same order.

    python benchmarks/many_workers.py [--workers 200] [--json]
"""

from __future__ import annotations

import argparse
import gc
import heapq
import logging
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client, LocalCluster

from noop import Item, add, nothing
from report import finished, show
from spectrum_workflows import load_site, load_spec, make_data, run
from spectrum_workflows.engine import each, merged
from spectrum_workflows.scaling import FAN_IN, RATE, TURNS
from spectrum_workflows.sites import Place

WORKERS, FEW = 200, 10
NOTHING = 1_500
"""Partitions that do nothing."""
WARM = 64
LENGTHS = (0.25, 1.0, 4.0)
"""Seconds: below, and above, what the scheduler needs for one task of every worker."""
CHEAPER = f"CPU time of a task with {FEW} workers over that with all"
BARS = {CHEAPER: 0.4, "share of time with work, 4 s each": 0.8}
LIGHT = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1h",
    "distributed.admin.system-monitor.interval": "1h",
    "distributed.worker.memory.monitor-interval": "1h",
    "distributed.scheduler.worker-ttl": None,
    "distributed.comm.timeouts.connect": "300s",
}
"""Nothing that each of many workers of one process would do for itself: with Dask's own settings
the ticks of two hundred event loops that are one take a third of a core."""


@dataclass(frozen=True)
class Waiting(Item):
    """A partition that waits."""

    seconds: float = 0.0


def wait(item: Waiting) -> int:
    """Wait as long as it takes."""
    time.sleep(item.seconds)
    return item.n


def recorded() -> list[float]:
    """Seconds of the partitions of a real run, over their mean."""
    site = load_site("serial", changes={"ledger.enabled": False})
    spec = load_spec("hep/dimuon").changed(partition={"max_events": 1_000})
    with tempfile.TemporaryDirectory() as folder:
        place = Place(site, folder, folder)
        make_data(spec, place, size=20_000)
        run(spec, place, watch=False)  # compiled
        spans = run(spec, place, watch=False).metrics.timeline
    mean = statistics.fmean(span.busy for span in spans)
    return [span.busy / mean for span in spans]


def at_best(lengths: Sequence[float], workers: int) -> float:
    """Seconds in which so many workers do all of them, where nobody waits for the next."""
    free = [0.0] * workers
    for length in lengths:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


@contextmanager
def resting_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def light(workers: int) -> Iterator[Client]:
    """So many workers, each of which has done something.

    Python's garbage collector rests meanwhile: it would look through what all of them have, in one
    process, over and over, and take half of the CPU time.
    """
    with (
        resting_collector(),
        dask.config.set(LIGHT),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(workers)
        reduced(client, [Item(n) for n in range(WARM)], nothing)
        yield client


def reduced(
    client: Client, items: Sequence[Item], function: Callable[[Any], int]
) -> tuple[float, float]:
    """Wall and CPU seconds of a reduction; the CPU time is that of all of this process."""
    begun, cpu = time.perf_counter(), time.process_time()
    value, _ = merged(each(function, items, client=client, label="many"), add)
    assert value == sum(item.n for item in items)
    return time.perf_counter() - begun, time.process_time() - cpu


def of_a_task(client: Client) -> float:
    """CPU milliseconds of one that does nothing; a merge is one, too."""
    _, cpu = reduced(client, [Item(n) for n in range(NOTHING)], nothing)
    return 1e3 * cpu / (NOTHING * (FAN_IN + 1) / FAN_IN)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    workers: int = options.workers
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", message="Creating scratch directories")
    shape = recorded()
    ratios, lasted = {}, {}
    with light(FEW) as client:
        with_few = of_a_task(client)
    with light(workers) as client:
        with_all = of_a_task(client)
        ratios[CHEAPER] = with_few / with_all
        for length in LENGTHS:
            lengths = [length * shape[n % len(shape)] for n in range(TURNS * workers)]
            items = [Waiting(n, seconds=seconds) for n, seconds in enumerate(lengths)]
            took, cpu = reduced(client, items, wait)
            best = at_best(lengths, workers)
            ratios[f"share of time with work, {length:g} s each"] = best / took
            seconds = {"wall s": took, "wall s at best": best, "CPU s": cpu}
            lasted[f"{length:g} s"] = {name: round(value, 2) for name, value in seconds.items()}
    told = {
        "workers": workers,
        "CPU_ms_of_a_task": {str(FEW): round(with_few, 2), str(workers): round(with_all, 2)},
        "seconds_each_on_paper": round(workers * (FAN_IN + 1) / FAN_IN / RATE, 2),
        "seconds_each_here": round(workers * (FAN_IN + 1) / FAN_IN * with_all / 1e3, 2),
        "longest_over_mean": round(max(shape), 2),
        "partitions": lasted,
    }
    show(finished(ratios, BARS, benchmark="many_workers", **told), as_json=options.json)
    sys.exit(0 if all(ratios[name] >= bar for name, bar in BARS.items()) else 1)


if __name__ == "__main__":
    main()
