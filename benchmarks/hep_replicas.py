"""What bootstrap replicas cost, and whether their covariance is the analytic one.

CPU time of the AGC ttbar analysis, nominal, from a closed file to merged histograms, with replicas
over without, on files bootstrapped from a real NanoAOD file or, where there is none, from a
generated one (see bootstrap_hep.py).  Without replicas the numbers of events are not read, either.
Each way runs in three processes of its own, in turn; of each the least CPU time (of user and
system) of all repetitions counts, compilation apart.  Covariances of all bins are compared with the
sum of squared weights, in units of their statistical error: no two bins share events.

    python benchmarks/hep_replicas.py [--source NANOAOD] [--json]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bootstrap_hep import bootstrap, generated
from hep_vs_peers import HERE, REAL, print_nothing, spec_of
from report import finished, show

# isort: split
import numpy as np

from spectrum_workflows.hep import DOMAIN, covariance
from spectrum_workflows.hep.io import rootfile
from spectrum_workflows.record import digest

EVENTS, CLUSTER = 200_000, 100_000
NUMBERS = (0, 100)
MANY = 1000
PROCESSES, REPETITIONS = 3, 6
CUTS = (7_000, 200_000)
"""Events per partition whose digests are compared."""

BARS = {
    "100 replicas / none": 1.5,
    "largest deviation of 100 replicas, standard deviations": 5.0,
    "digests that differ": 0.0,
}
"""Of 2,000 normal deviates one in 1,000 sets has one beyond 5."""


def spec_with(path: str, replicas: int, max_events: int = EVENTS) -> Any:
    """The nominal analysis of one file, with so many replicas."""
    spec = spec_of(path, varied=False).changed(partition={"max_events": max_events})
    return spec.changed(bootstrap={"replicas": replicas}) if replicas else spec


def result_of(spec: Any) -> Any:
    """Plan and run it, from a closed file to merged histograms."""
    rootfile.close_all()
    plan = DOMAIN.plan(spec, "")
    return DOMAIN.run(spec, plan, client=None, on_error="raise", report=print_nothing)[0]


def least_seconds(path: str, replicas: int) -> float:
    """Least CPU seconds of some repetitions in this process."""
    spec = spec_with(path, replicas)
    result_of(spec)  # which compiles and imports
    found = []
    for _ in range(REPETITIONS):
        started = time.process_time()
        result_of(spec)
        found.append(time.process_time() - started)
    return min(found)


def in_a_process(path: str, replicas: int) -> float:
    """The same in a process of its own."""
    script = "import sys, hep_replicas as h; print(h.least_seconds(sys.argv[1], int(sys.argv[2])))"
    command = [sys.executable, "-c", script, path, str(replicas)]
    done = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True)
    return float(done.stdout)


def deviations(result: Any) -> Any:
    """Covariances less the analytic ones, over their statistical errors, where bins are filled."""
    matrix = covariance(result)
    own = [result.histograms["x", name] for name in dict.fromkeys(matrix.histogram.values)]
    variances = np.concatenate([h.variances() for h in own])
    filled = variances >= 10  # events: of fewer the error of a variance is larger
    expected = np.diag(variances[filled])
    degrees = matrix.attrs["replicas"] - 1
    product = np.outer(variances[filled], variances[filled])
    errors = np.sqrt((product + expected**2) / degrees)
    away = (matrix.values[np.ix_(filled, filled)] - expected) / errors
    return away[np.triu_indices(len(away))]


def differing(path: str) -> int:
    """Digests of other partitions that are not the first."""
    first, *others = (digest(DOMAIN.arrays(result_of(spec_with(path, 100, n)))) for n in CUTS)
    return sum(other != first for other in others)


def measured(path: str) -> tuple[dict[str, float], dict[str, Any]]:
    """Ratios, and more about them."""
    seconds: dict[int, list[float]] = {number: [] for number in (*NUMBERS, MANY)}
    for _ in range(PROCESSES):
        for number in NUMBERS:
            seconds[number].append(in_a_process(path, number))
    seconds[MANY].append(in_a_process(path, MANY))
    least = {number: min(of) for number, of in seconds.items()}
    away = deviations(result_of(spec_with(path, 100)))
    ratios = {
        "100 replicas / none": least[100] / least[0],
        f"{MANY} replicas / none": least[MANY] / least[0],
        "largest deviation of 100 replicas, standard deviations": float(np.abs(away).max()),
        "root mean square of deviations": float(np.sqrt(np.mean(away**2))),
        "digests that differ": float(differing(path)),
    }
    more = {
        "CPU seconds": {str(number): round(of, 4) for number, of in least.items()},
        "of every process": {str(n): [round(s, 4) for s in of] for n, of in seconds.items()},
        "elements compared": len(away),
    }
    return ratios, more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="NanoAOD file to bootstrap from")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = args.source or (str(REAL) if REAL.exists() else generated(folder))
        path = str(Path(folder) / "events.root")
        bootstrap(source, path, events=EVENTS, cluster=CLUSTER)
        ratios, more = measured(path)
    about = {"benchmark": "hep_replicas", "events": EVENTS, "source": Path(source).name}
    found = finished(ratios, BARS, at_most=True, **about, **more)
    show(found, as_json=args.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
