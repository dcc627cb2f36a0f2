"""Parallel efficiency on SLURM: two workers against one, both sciences.

Efficiency is T1 / (2 T2), wall time of `run` with warm workers, the least of two
runs, one worker and two alternating.  Up to a minute of work each: ttbar
selection, a dirty image of 1e8 visibilities, and a whole CLEAN of 4096² pixels,
whose wall time on two workers is to be at most 0.6 of that on one.  Equal
digests are asserted, for CLEAN also of three local workers and of no cluster.
Start it with a SLURM, a real one or the tests' own:

    python tests/services/with_services.py slurm -- python benchmarks/scaling.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from radio_vs_wsclean import WARM_UP, Case, make_data, spec_of
from report import finished, show
from spectrum_workflows import connect, load_site, load_spec, run
from spectrum_workflows.hep.synthetic import write_sample

ROOT = Path(__file__).resolve().parents[1]
BARS = {"hep": 0.85, "radio": 0.85, "radio_clean": 1 / (2 * 0.6)}
REPEATS = 2
FILES, EVENTS = 16, 400_000  # every event is selected ten times: 64 million


NOTHING_KEPT: dict[str, Any] = {"ledger.enabled": False}
"""Every run computes everything."""


def hep(folder: Path) -> Any:
    """The ttbar selection on 6.4 million events, ten times over."""
    for n in range(FILES):
        path = folder / f"ttbar_{n}.root"
        if not path.exists():
            write_sample(str(path), "ttbar", events=EVENTS, seed=n)
    shipped = load_spec(ROOT / "workflows/hep/quickstart.toml")
    samples = shipped.model_dump()["samples"]["ttbar"]
    samples["files"] = [f"ttbar_{n}.root" for n in range(FILES)]
    samples.pop("generator", None)
    sample = type(shipped.samples["ttbar"]).model_validate(samples)
    shipped = shipped.changed(
        select=f"{ROOT / 'benchmarks/repeated_ttbar.py'}:select",
        partition={"max_events": EVENTS // 4},
    )
    return shipped.model_copy(update={"samples": {"ttbar": sample}})


def dirty(folder: Path) -> Any:
    """A dirty image of many visibilities, full w-term."""
    return _radio(folder, Case(10**8, 2048), 2 * 10**6)


def clean(folder: Path) -> Any:
    """Cotton-Schwab CLEAN of a large image, down to the noise."""
    return _radio(folder, Case(10**7, 4096, clean=True), 10**6)


def _radio(folder: Path, case: Case, chunk: int) -> Any:
    make_data((case,), folder)
    return spec_of(case).changed(partition={"max_visibilities": chunk})


def timed(spec: Any, folder: Path, workers: int) -> tuple[float, str]:
    """Wall seconds with warm workers in SLURM jobs, and the digest."""
    jobs = {"workers.count": workers, "cluster.memory": "3 GB"}
    site = load_site("slurm", changes=NOTHING_KEPT | jobs)
    with connect(site, data=str(folder)) as place:
        end = time.monotonic() + 120
        while place.workers < workers:
            if time.monotonic() > end:
                raise SystemExit(f"only {place.workers} of {workers} workers came")
            time.sleep(0.1)
        run(_short(spec), place)  # imports, compiled kernels
        started = time.perf_counter()
        outcome = run(spec, place)
        return time.perf_counter() - started, outcome.digest


def elsewhere(spec: Any, folder: Path, workers: int) -> str:
    """The digest on so many workers of this machine; 0 for a plain loop."""
    changes = NOTHING_KEPT | ({"workers.count": workers} if workers else {})
    site = load_site("laptop" if workers else "serial", changes=changes)
    with connect(site, data=str(folder)) as place:
        return str(run(spec, place).digest)


def _short(spec: Any) -> Any:
    """A fraction of the work that still keeps every worker busy for a moment."""
    if spec.workflow == "radio":
        return spec_of(replace(WARM_UP, clean=True)).changed(strips={"count": 4})
    sample = spec.samples["ttbar"]
    few = sample.model_copy(update={"files": sample.files[:4]})
    return spec.model_copy(update={"samples": {"ttbar": few}})


CASES = {"hep": hep, "radio": dirty, "radio_clean": clean}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-benchmarks"))
    parser.add_argument("--only", nargs="+", choices=[*BARS], default=[*BARS])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    folder = Path(options.work).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ratios, seconds = {}, {}
    for name in options.only:
        spec = CASES[name](folder)
        runs = [timed(spec, folder, workers) for workers in (1, 2) * REPEATS]
        one, two = (min(seconds for seconds, _ in runs[k::2]) for k in (0, 1))
        [digest] = {digest for _, digest in runs}
        if name == "radio_clean":
            assert digest == elsewhere(spec, folder, 3) == elsewhere(spec, folder, 0)
        ratios[f"{name}_efficiency"] = one / (2 * two)
        seconds[name] = {"one_worker": round(one, 1), "two_workers": round(two, 1)}
        print(name, seconds[name], file=sys.stderr, flush=True)
    bars = {f"{name}_efficiency": BARS[name] for name in options.only}
    found = finished(ratios, bars, seconds=seconds)
    show(found, as_json=options.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
