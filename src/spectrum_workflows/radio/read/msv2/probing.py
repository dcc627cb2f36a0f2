"""A trial reading of a set by casacore, in a process whose death is an error and no more."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.msv2.files import stamp

SECONDS = 300.0
"""How long a walk may take: it reads a bounded number of rows."""

WALK = Path(__file__).with_name("walk.py")

OF_DAMAGE = ("SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP")
"""How processes die of what they read."""


def probe(url: str) -> None:
    """Walk through a Measurement Set in a process of its own, once for every state of it.

    Raises
    ------
    DataError
        That process died, or did not come to an end.
    """
    if storage.exists(f"{url}/table.dat"):
        _walked(url, stamp(url))


@lru_cache(maxsize=64)
def _walked(url: str, state: str) -> None:  # noqa: ARG001 - a part of the cache's key
    path = str(storage.local_path(url))
    command = [sys.executable, "-P", str(WALK), path]
    remedy = "copy the set again, whole; if it ends so again, it is damaged at its source"
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        where = _latest(error.stdout)
        message = f"casacore does not get through it in {SECONDS:.0f} s (at {where})"
        raise DataError(message, url, remedy) from None
    if done.returncode >= 0:
        return
    name = _name(-done.returncode)
    where = _latest(done.stdout)
    if name in OF_DAMAGE:
        raise DataError(f"casacore dies of it ({name} at {where})", url, remedy)
    raise DataError(f"reading it was stopped ({name} at {where})", url, "look at its memory")


def _latest(output: str | bytes | None) -> str:
    """Where the walk was."""
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return text.strip().rpartition("\n")[2] or "its beginning"


def _name(number: int) -> str:
    """A signal in words."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
