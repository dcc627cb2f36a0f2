"""Parallel efficiency on SLURM: two workers against one, both sciences, about 60 s of work.

Efficiency is T1 / (2 T2), wall time of `run` with warm workers; equal digests
are asserted.  Start it with a SLURM, a real one or the tests' own:

    python tests/services/with_services.py slurm -- python benchmarks/scaling.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from report import finished, show
from spectrum_workflows import connect, load_site, load_spec, run
from spectrum_workflows.hep.synthetic import write_sample
from spectrum_workflows.radio import DOMAIN as RADIO

ROOT = Path(__file__).resolve().parents[1]
BAR = 0.85
FILES, EVENTS = 16, 400_000  # every event is selected ten times: 64 million
VISIBILITIES, NPIX = 10**7, 2048


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


def radio(folder: Path) -> Any:
    """A dirty image, full w-term, in 24 slabs."""
    shipped = load_spec(ROOT / "workflows/radio/vla_sim.toml")
    spec = shipped.changed(
        name="scaling",
        data_set="scaling",
        image={"npix": NPIX, "cell_arcsec": 1.0, "epsilon": 1e-4},
        weighting={"scheme": "natural"},
        partition={"max_visibilities": VISIBILITIES // 24},
        synthetic={"visibilities": VISIBILITIES},
        self_check=False,
    )
    spec = spec.model_copy(update={"clean": None})
    if not Path(RADIO.inputs(spec, str(folder))[0]).exists():
        RADIO.make(spec, str(folder))
    return spec


def timed(spec: Any, folder: Path, workers: int) -> tuple[float, str]:
    """Wall seconds of the second run, and its digest."""
    site = load_site("slurm", changes={"workers.count": workers, "cluster.memory": "3 GB"})
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


def _short(spec: Any) -> Any:
    """A fraction of the work that still keeps every worker busy for a moment."""
    if spec.workflow == "radio":
        return spec.changed(image={"npix": 256})
    sample = spec.samples["ttbar"]
    few = sample.model_copy(update={"files": sample.files[:4]})
    return spec.model_copy(update={"samples": {"ttbar": few}})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-benchmarks"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    folder = Path(options.work).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ratios, seconds = {}, {}
    for name, spec in (("hep", hep(folder)), ("radio", radio(folder))):
        (one, digest), (two, same) = (timed(spec, folder, workers) for workers in (1, 2))
        assert digest == same, name
        ratios[f"{name}_efficiency"] = one / (2 * two)
        seconds[name] = {"one_worker": round(one, 1), "two_workers": round(two, 1)}
    bars = dict.fromkeys(ratios, BAR)
    found = finished(ratios, bars, seconds=seconds)
    show(found, as_json=options.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
