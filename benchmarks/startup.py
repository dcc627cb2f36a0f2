"""CPU time of whole processes: small runs, imports and help, and WSClean's on the same data.

Everything is started anew: the interpreter, what it imports, reading, imaging, FITS, pictures and
the record of the run; processes that it starts in turn count too.  The radio run is a dirty image
of 1024² pixels of 1e6 visibilities with natural weights at accuracy 1e-4, which WSClean makes as in
``radio_vs_wsclean.py``: without PSF in both, and without the self-check, which is ours alone and
is made by default.  Each is started several times, in turn, and the least counts; a first
round, which is not counted, compiles and fills caches.

    python benchmarks/startup.py [--rounds N] [--json] [--work DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from radio_vs_wsclean import CASES, CELL_ARCSEC, make_data, spec_of
from report import finished, show
from wsclean import command_of, run_process, w_gridder

ROUNDS = 5
BARS = {
    "spectrum run (serial) / wsclean": 1.0,
    "import spectrum_workflows.radio, s": 0.7,
    "import spectrum_workflows.hep, s": 0.7,
    "spectrum --help, s": 0.25,
}
"""CPU seconds, or a ratio of them, at the most."""

SPEC = """workflow = "radio"
name = "startup"
data_set = "{data_set}"
self_check = false
[image]
npix = {npix}
cell_arcsec = {cell}
epsilon = {epsilon}
psf = false
"""


def commands(work: Path) -> dict[str, list[str]]:
    """The processes by name; what they read is made, or written, first."""
    case = CASES[0]
    make_data((case,), work)
    data_set = spec_of(case).data_set
    (work / "startup.toml").write_text(
        SPEC.format(data_set=data_set, npix=case.npix, cell=CELL_ARCSEC, epsilon=case.epsilon)
    )
    spectrum = [str(Path(sys.executable).with_name("spectrum"))]
    run = [*spectrum, "run", str(work / "startup.toml"), "--data", str(work), "--site"]
    peer = command_of(str(work / f"{data_set}.ms"), case.npix, CELL_ARCSEC)
    peer[-1:-1] = [*w_gridder(case.epsilon), "-niter", "0", "-no-dirty"]
    python = [sys.executable, "-c"]
    return {
        "wsclean": peer,
        "spectrum run (serial)": [*run, "serial"],
        "spectrum run (laptop)": [*run, "laptop"],
        "spectrum --help": [*spectrum, "--help"],
        "import spectrum_workflows.radio": [*python, "import spectrum_workflows.radio"],
        "import spectrum_workflows.hep": [*python, "import spectrum_workflows.hep"],
    }


def measure(work: Path, rounds: int) -> dict[str, float]:
    """The least CPU seconds of every process."""
    started = commands(work)
    least: dict[str, float] = {}
    for number in range(rounds + 1):
        for name, command in started.items():
            with tempfile.TemporaryDirectory(dir=work) as folder:
                out = ["--out", folder] if " run " in name else []
                cpu, _ = run_process([*command, *out], Path(folder))
            if number:
                least[name] = min(cpu, least.get(name, cpu))
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is started")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-benchmarks"))
    options = parser.parse_args()
    work = Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    least = measure(work, max(1, options.rounds))
    ratios = {
        f"{name} / wsclean": least[name] / least["wsclean"] for name in least if " run " in name
    } | {f"{name}, s": cpu for name, cpu in least.items() if " run " not in name}
    seconds = {name: round(cpu, 3) for name, cpu in least.items()}
    show(finished(ratios, BARS, at_most=True, cpu_seconds=seconds), as_json=options.json)


if __name__ == "__main__":
    main()
