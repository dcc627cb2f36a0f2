"""Peak memory of imaging, from 1e7 to 1e8 visibilities, of one and of four spectral windows.

The simulated VLA-B observation of ``radio_vs_wsclean.py``, of 8 channels in one window or of four
windows of 8 channels each, is imaged in a process of its own: a dirty image of 2048² pixels with
natural weights at accuracy 1e-4, from opening the set to the image in memory.  The process keeps
freed memory as workers do, and computes all partitions.  Its peak should grow by no more than a
tenth from 1e7 to 1e8 visibilities.

    python benchmarks/radio_memory.py [--windows N ...] [--json] [--work DIR]

The sets take 3 GB each at 1e8 visibilities.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from radio_vs_wsclean import CASES, FIELD, FLATNESS, Case, spec_of
from report import finished, show
from spectrum_workflows.engine.allocation import keep_freed_memory
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.spec import RadioSpec
from wsclean import run_process

VISIBILITIES = (10**7, 10**8)
WINDOWS = (1, 4)
NPIX, WIDTH_HZ, LOWEST_HZ = 2048, 16e6, 1.4e9


def spec_for(visibilities: int, windows: int) -> RadioSpec:
    """A dirty image; one window is the set of ``radio_vs_wsclean.py``."""
    spec = spec_of(Case(visibilities, NPIX, channels=CASES[0].channels))
    if windows == 1:
        return spec
    each = [
        {"frequency_hz": LOWEST_HZ + n * WIDTH_HZ, "channel_width_hz": WIDTH_HZ / CASES[0].channels}
        for n in range(windows)
    ]
    name = f"vla_b_{visibilities}_{windows}w"
    return spec.changed(data_set=name, spectral_window="all", synthetic={"windows": each})


def image_once(visibilities: int, windows: int, work: str) -> None:
    """The measured process; it says how many partitions it computed."""
    keep_freed_memory()
    spec = spec_for(visibilities, windows)
    plan = DOMAIN.plan(spec, work)
    DOMAIN.run(spec, plan)
    Path("told.json").write_text(json.dumps({"partitions": len(plan.partitions)}))


def measure(visibilities: int, windows: int, work: Path) -> dict[str, float]:
    spec = spec_for(visibilities, windows)
    if not Path(DOMAIN.inputs(spec, str(work))[0]).exists():
        print(f"simulating {visibilities:,} visibilities ...", file=sys.stderr)
        DOMAIN.make(spec.changed(image={"npix": FIELD}), str(work))
    arguments = [str(visibilities), str(windows), str(work)]
    with tempfile.TemporaryDirectory(dir=work) as folder:
        command = [sys.executable, str(Path(__file__).resolve()), "--child", *arguments]
        cpu, peak = run_process(command, Path(folder))
        told = json.loads(Path(folder, "told.json").read_text())
    return {"peak_bytes": peak, "cpu_seconds": round(cpu, 2), **told}


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        image_once(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--windows", type=int, nargs="+", default=WINDOWS, help="of each set")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-benchmarks"))
    options = parser.parse_args()
    if min(options.windows) < 1:
        parser.error("a set has one window at least")
    work = Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    ratios, bars, found = {}, {}, {}
    for windows in options.windows:
        few, many = (measure(n, windows, work) for n in VISIBILITIES)
        of = f"{windows} window{'s' * (windows > 1)}"
        ratios[of] = many["peak_bytes"] / few["peak_bytes"]
        bars[of] = FLATNESS
        found |= {f"{of}, 1e7": few, f"{of}, 1e8": many}
    show(finished(ratios, bars, at_most=True, processes=found), as_json=options.json)


if __name__ == "__main__":
    main()
