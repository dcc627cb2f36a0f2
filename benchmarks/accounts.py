"""What the accounts of a run cost: its processes are asked at its beginning and at its end.

Seconds, and CPU seconds of the session, over those of the 60-second workloads on the laptop's
workers; and what one reading of a process costs.

    python benchmarks/accounts.py --json
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

from report import finished, show
from spectrum_workflows import connect, load_site
from spectrum_workflows.accounting.here import reading_here
from spectrum_workflows.domain import Metrics
from spectrum_workflows.sites import Place, spending

WORKLOAD = 60.0
BAR = 0.001
REPEATS = 20


def accounted(place: Place) -> None:
    """What a run does for its accounts, without the run."""
    spent = spending.begin(place)
    spent.end(Metrics(cpu_seconds=1.0), cpu_seconds=1.0, seconds=1.0)


def median(action: Callable[[], object], clock: Callable[[], float]) -> float:
    """The middle of some repetitions, after one that loads what is needed."""
    action()
    took = []
    for _ in range(REPEATS):
        before = clock()
        action()
        took.append(clock() - before)
    return statistics.median(took)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(load_site("laptop"), data=folder, results=folder) as place,
    ):
        wall = median(lambda: accounted(place), time.perf_counter)
        cpu = median(lambda: accounted(place), time.process_time)
        workers = place.workers
    ratios = {"wall": wall / WORKLOAD, "cpu of the session": cpu / WORKLOAD}
    milliseconds = {
        "a run": round(wall * 1e3, 2),
        "a run, CPU": round(cpu * 1e3, 2),
        "a reading": round(median(reading_here, time.perf_counter) * 1e3, 3),
    }
    bars = dict.fromkeys(ratios, BAR)
    found = finished(ratios, bars, at_most=True, milliseconds=milliseconds, workers=workers)
    show(found, as_json=as_json)


if __name__ == "__main__":
    main()
