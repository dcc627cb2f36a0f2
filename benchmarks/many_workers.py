"""Two hundred light workers of one scheduler, in this process: what they can be kept busy with.

Partitions that do nothing give the rate of tasks through scheduler and session.  Partitions that
only wait, for as long as those of a real run took (of muon pairs, here, each length scaled so that
their mean is the one asked for), give the share of the time in which workers have work, beside what
`spectrum_workflows.scaling` says on paper.

Session, scheduler and workers share one interpreter, so a rate is less than that of a scheduler
alone: the walls that are met come sooner than on a cluster, in the same order.

    python benchmarks/many_workers.py [--workers 200] [--json]
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client, LocalCluster

from noop import Item, add, nothing
from report import finished, show
from spectrum_workflows import load_site, load_spec, make_data, run
from spectrum_workflows.engine import each, merged
from spectrum_workflows.scaling import FAN_IN, RATE, TASK, TURNS
from spectrum_workflows.sites import Place

WORKERS, NOTHING = 200, 5_000
LENGTHS = (0.25, 1.0, 4.0)
"""Seconds: below, and above, what the scheduler needs for one task of every worker."""
LIGHT = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.worker.memory.monitor-interval": "60s",
    "distributed.scheduler.worker-ttl": None,
    "distributed.comm.timeouts.connect": "300s",
}
"""Nothing that each of many workers of one process would do for itself."""


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
        make_data(spec, place, size=40_000)
        run(spec, place, watch=False)  # compiled
        spans = run(spec, place, watch=False).metrics.timeline
    mean = statistics.fmean(span.busy for span in spans)
    return [span.busy / mean for span in spans]


def reduced(
    client: Client, items: Sequence[Item], function: Callable[[Any], int]
) -> tuple[float, float]:
    """Wall and CPU seconds of a reduction; the CPU time is that of all of this process."""
    begun, cpu = time.perf_counter(), time.process_time()
    value, _ = merged(each(function, items, client=client, label="many"), add)
    assert value == sum(item.n for item in items)
    return time.perf_counter() - begun, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    workers: int = options.workers
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    shape = recorded()
    ratios, busy = {}, {}
    with (
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
        reduced(client, [Item(n) for n in range(1_000)], nothing)
        wall, cpu = reduced(client, [Item(n) for n in range(NOTHING)], nothing)
        tasks = NOTHING * (FAN_IN + 1) / FAN_IN
        ratios["tasks per CPU second, over those on paper"] = tasks / cpu / RATE
        for length in LENGTHS:
            lengths = [length * shape[n % len(shape)] for n in range(TURNS * workers)]
            items = [Waiting(n, seconds=seconds) for n, seconds in enumerate(lengths)]
            took, spent = reduced(client, items, wait)
            share = sum(lengths) / workers / took
            ratios[f"share of time with work, {length:g} s each"] = share
            busy[f"{length:g} s"] = {"wall s": round(took, 2), "CPU s": round(spent, 2)}
    told = {
        "workers": workers,
        "tasks_per_second": round(tasks / wall, 1),
        "tasks_per_cpu_second": round(tasks / cpu, 1),
        "seconds_each_on_paper": round(workers * (FAN_IN + 1) / FAN_IN / RATE, 2),
        "bytes_of_a_task_on_paper": TASK,
        "longest_over_mean": round(max(shape), 2),
        "partitions": busy,
    }
    bars = {f"share of time with work, {LENGTHS[-1]:g} s each": 0.7}
    found = finished(ratios, bars, benchmark="many_workers", **told)
    show(found, as_json=options.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
