"""The planner against what happens: CPU time, bytes moved, memory; and 8192² on 2 GB workers.

The machine is calibrated first, as `spectrum calibrate` does.  Then images in
strips that the calibration has not seen, natural weights, with a CLEAN of a few
major cycles, are made on worker processes with a memory limit, and every stage
is compared with its forecast.  Ratios are measured over expected:

* CPU of all stages together, between 0.75 and 1.25;
* bytes moved between tasks, at most 1.2 in any stage;
* peak memory of the workers over their limit, at most 1 (a worker beyond 95 % of
  it would have been killed, and the run would have failed).

CPU and bytes are without the minor cycles, whose number of subtractions nobody
knows before: the forecast has one each.

    python benchmarks/radio_planner.py [--json] [--case NPIX:VISIBILITIES ...] [--work DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster
from threadpoolctl import threadpool_limits

from radio_vs_wsclean import WARM_UP, Case, make_data, spec_of
from report import finished, show
from spectrum_workflows.radio import DOMAIN

LIMIT, WORKERS = 2 * 10**9, 2
CASES = ("2048:1000000", "4096:1000000", "4096:10000000", "8192:10000000")
COUNTS = {2048: 6, 4096: "auto", 8192: "auto"}
CPU_BARS, BYTES_BAR = (0.75, 1.25), 1.2
CLEAN = {"threshold": 5e-4, "max_major": 4}


def spilled_bytes(dask_worker: Any) -> int:
    """Bytes that a worker has written to its disk so far."""
    return int(dask_worker.data.cumulative_metrics.get(("disk-write", "bytes"), 0))


def warm_up(work: Path, client: Client) -> None:
    """Imports and compiled kernels, on every worker."""
    spec = spec_of(WARM_UP).changed(
        image={"psf": True},
        clean={"max_major": 1},
        partition={"max_visibilities": 3000},
        strips={"count": 6},
    )
    DOMAIN.run(spec, DOMAIN.plan(spec, str(work)), client=client)


def image(npix: int, visibilities: int, work: Path, costs: dict[str, float]) -> dict[str, Any]:
    case = Case(visibilities, npix)
    make_data((case,), work)
    spec = spec_of(case).changed(
        image={"psf": True, "cell_arcsec": 1.2},
        clean=CLEAN,
        partition={"max_visibilities": 10**6},
        strips={"count": COUNTS.get(npix, "auto")},
    )
    plan = DOMAIN.plan(spec, str(work))
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(n_workers=WORKERS, memory_limit=LIMIT, **options) as cluster,
        Client(cluster) as client,
    ):
        warm_up(work, client)
        started = time.perf_counter()
        result, metrics = DOMAIN.run(spec, plan, client=client)
        seconds = round(time.perf_counter() - started, 1)
        spilled = client.run(spilled_bytes)
    foretold = {stage.name: stage for stage in (forecast.on(costs) for forecast in plan.stages)}
    expected = {s.name: foretold.get(s.name.rstrip(" 0123456789")) for s in metrics.stages}
    told = [stage for stage in metrics.stages if expected[stage.name]]
    sure = [stage for stage in told if not stage.name.startswith("minor")]
    cpu = sum(stage.cpu_seconds for stage in sure)
    return {
        "npix": npix,
        "visibilities": visibilities,
        "method": plan.method,
        "cpu": cpu / sum(expected[stage.name].cpu_seconds for stage in sure),
        "bytes": max(stage.bytes_moved / expected[stage.name].bytes_moved for stage in sure),
        "memory": max(stage.memory for stage in told) / LIMIT,
        "memory_expected": max(stage.memory for stage in foretold.values()) / LIMIT,
        "major_cycles": result.groups[0].major,
        "seconds": seconds,
        "spilled": sum(spilled.values()),
        "stages": [
            {"name": s.name, "measured": vars(s), "expected": vars(expected[s.name])} for s in told
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--case", nargs="+", default=CASES, metavar="NPIX:VISIBILITIES")
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-benchmarks"))
    options = parser.parse_args()
    work = Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    assert DOMAIN.calibrate is not None
    with threadpool_limits(1):
        costs = DOMAIN.calibrate()
    found = []
    for text in options.case:
        npix, visibilities = map(int, text.split(":"))
        found.append(image(npix, visibilities, work, costs))
        short = {k: v for k, v in found[-1].items() if k != "stages"}
        print(short, file=sys.stderr, flush=True)
    ratios, bars = {}, {}
    for case in found:
        name = f"{case['npix']} {case['visibilities']:.0e}"
        ratios |= {f"{name} cpu": case["cpu"], f"{name} expected/measured": 1 / case["cpu"]}
        ratios |= {f"{name} bytes": case["bytes"], f"{name} memory/limit": case["memory"]}
        bars |= {f"{name} cpu": CPU_BARS[1], f"{name} expected/measured": 1 / CPU_BARS[0]}
        bars |= {f"{name} bytes": BYTES_BAR, f"{name} memory/limit": 1.0}
    report = finished(ratios, bars, at_most=True, costs=costs, cases=found)
    report["holds"] = report["holds"] and not any(case["spilled"] for case in found)
    show(report, as_json=options.json)
    sys.exit(0 if report["holds"] else 1)


if __name__ == "__main__":
    main()
