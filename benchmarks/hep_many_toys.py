"""What 10,000 toys of the ttbar analysis cost, and that no bit depends on who throws them.

The workspace of the shipped spec on generated samples, with all its parameters; each toy is fitted
by our own likelihood.  Thrown by one worker and by two, and the first by a loop in this process and
in tasks of another size.

    python benchmarks/hep_many_toys.py [--toys 10000] [--events 20000] [--json]
"""

import spectrum_workflows  # noqa: F401  (chooses the machine code of NumPy, which others import)

# isort: split
import argparse
import hashlib
import sys
import time
import warnings
from typing import Any

from distributed import Client, LocalCluster

from hep_toys import workspace
from report import finished, show
from spectrum_workflows.hep import goodness_of_fit, throw_toys
from spectrum_workflows.hep.fit.model import compiled
from spectrum_workflows.hep.types import Toys

BARS = {"CPU minutes of all": 5.0, "digests that differ": 0.0, "share of failed fits": 0.001}
FIRST = 500
"""Toys that are thrown by a loop, too."""


def digest(found: Toys, number: int) -> str:
    """Of the first values."""
    return hashlib.sha256(found.values[:number].tobytes()).hexdigest()


def thrown(described: Any, toys: int, workers: int) -> tuple[Toys, float]:
    """Toys of so many workers, and the seconds they took once it was compiled."""
    with (
        LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        throw_toys(described, toys=workers, client=client, at_once=1)
        started = time.perf_counter()
        found = throw_toys(described, toys=toys, client=client)
        return found, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toys", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=20_000, help="per sample")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
    described = workspace(args.events)
    model = compiled(described)
    throw_toys(described, toys=1)  # which compiles it
    loop = throw_toys(described, toys=FIRST, at_once=FIRST // 3)
    one, seconds_of_one = thrown(described, args.toys, 1)
    two, seconds_of_two = thrown(described, args.toys, 2)
    same = [digest(two, args.toys) == digest(one, args.toys)]
    same.append(digest(loop, FIRST) == digest(one, FIRST))
    ratios = {
        "CPU minutes of all": two.cpu_seconds * args.toys / 60,
        "CPU milliseconds of a toy": 1e3 * two.cpu_seconds,
        "digests that differ": float(same.count(False)),
        "share of failed fits": two.failed / args.toys,
        "seconds, one worker": seconds_of_one,
        "seconds, two workers": seconds_of_two,
    }
    more = {
        "benchmark": "hep_many_toys",
        "toys": args.toys,
        "events per sample": args.events,
        "parameters": len(model.names),
        "bins": len(model.data),
        "digest": digest(two, args.toys),
        "probability by toys": f"{two.p_value:.4f} ± {two.p_error:.4f}",
        "probability by the chi-square distribution": round(goodness_of_fit(described).p_value, 4),
    }
    found = finished(ratios, BARS, at_most=True, **more)
    show(found, as_json=args.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
