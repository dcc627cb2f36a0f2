"""A trial reading of a set by casacore, in a process whose death is an error and no more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.msv2.files import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 300.0
"""How long a walk may take: it reads a bounded number of rows."""

CASACORE = "casacore.tables"

WALK = Path(__file__).with_name("walk.py")

OF_DAMAGE = ("SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP")
"""How processes die of what they read."""


@dataclass(frozen=True)
class Ending:
    """How a walk ended.

    Attributes
    ----------
    code : int or None
        Of the process: negative, the signal that it died of; ``None`` if it did not end in time.
    where : str
        What it touched last.
    """

    code: int | None
    where: str


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
    ending = _ending(path)
    remedy = "copy the set again, whole; if it ends so again, it is damaged at its source"
    if ending.code is None:
        message = f"casacore does not get through it in {SECONDS:.0f} s (at {ending.where})"
        raise DataError(message, url, remedy)
    if ending.code >= 0:
        return
    name = _name(-ending.code)
    if name in OF_DAMAGE:
        raise DataError(f"casacore dies of it ({name} at {ending.where})", url, remedy)
    message = f"reading it was stopped ({name} at {ending.where})"
    raise DataError(message, url, "look at its memory")


def _ending(path: str) -> Ending:
    if may_fork():
        with suppress(OSError):
            return walk_in_copy(path)
    return walk_in_python(path)


def may_fork() -> bool:
    """Whether a copy of this process can walk: a new Python takes longer to start than that.

    Not where another thread may hold a lock for ever in the copy, nor where casacore is loaded
    and may have files open that the copy would share; nor where processes may have no children,
    or are not told how these end.
    """
    if CASACORE in sys.modules or multiprocessing.current_process().daemon:
        return False
    try:
        threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:  # not Linux
        return False
    return threads == 1 and signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL


def walk_in_copy(path: str) -> Ending:
    """Walk in a copy of this process; raises OSError where there is no memory for one."""
    from spectrum_workflows.radio.read.msv2.walk import walk  # and casacore: once for both

    with mmap(-1, 4096) as place:
        process = multiprocessing.get_context("fork").Process(
            target=_walk, args=(partial(walk, path), place), daemon=True
        )
        process.start()
        try:
            process.join(SECONDS)
            code = process.exitcode
        finally:
            process.kill()
            process.join()
            process.close()
        where = place.readline().decode(errors="replace").strip("\0\n")
        return Ending(code, _latest(where))


def _walk(walk: Callable[[Callable[[str], None]], None], place: mmap) -> None:
    """What the copy does: it says as little, and ends at signals, as a new Python would."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)

    def say(where: str) -> None:
        place.seek(0)
        place.write(where.encode()[: len(place) - 1] + b"\n")

    walk(say)


def walk_in_python(path: str) -> Ending:
    """Walk in a new Python."""
    command = [sys.executable, "-P", str(WALK), path]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        return Ending(None, _latest(error.stdout))
    return Ending(done.returncode, _latest(done.stdout))


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
