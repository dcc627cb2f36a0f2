"""WSClean and our own imaging as processes of their own: CPU time, peak memory, images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
LAUNCHER = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))
"""


def run_process(command: list[str], folder: Path) -> tuple[float, int]:
    """CPU seconds and peak resident bytes of a child process.

    A small process in between starts it: a child inherits the peak memory of
    the process it was forked from.  Freed memory is dealt with as the program
    itself chooses.
    """
    environment = {**os.environ, **ONE_THREAD}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its byte code
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    ended = subprocess.run(launcher, cwd=folder, env=environment, capture_output=True, check=True)
    code, cpu, peak = json.loads(ended.stdout)
    if code:
        raise SystemExit(f"{command[0]} failed:\n{ended.stderr.decode()[-2000:]}")
    return cpu, peak


def command_of(url: str, npix: int, cell_arcsec: float, *options: str) -> list[str]:
    """A WSClean run with natural weights and one thread; the images are ``peer-*.fits``."""
    side = str(npix)
    return [
        *("wsclean", "-name", "peer", "-size", side, side, "-scale", f"{cell_arcsec}asec"),
        *("-weight", "natural", "-pol", "I", "-j", "1", "-no-update-model-required"),
        *options,
        url,
    ]


def w_gridder(epsilon: float) -> tuple[str, ...]:
    """Its w-gridder at an accuracy, without the shortcut that is wrong at the image's edge."""
    return ("-use-wgridder", "-wgridder-accuracy", f"{epsilon:g}", "-no-small-inversion")
