"""The command line: parses, calls one public function, shows what came back."""

import atexit
import gc
import os
import signal
import sys
from types import FrameType

from spectrum_workflows.interrupts import Insisting, postpone_if_deaf

__all__ = ["main"]

ALLOCATIONS, ROUNDS = 50_000, 20
"""How seldom the garbage collector looks."""

FIRST = 1_500_000
"""Allocations before it looks for the first time: what a command imports is no garbage."""

BLAS_THREADS = "OPENBLAS_NUM_THREADS"
"""Runs use one, and the others would wait for work in a busy loop once NumPy is imported."""


def main() -> None:
    """Entry point of the ``spectrum`` command."""
    os.environ.setdefault(BLAS_THREADS, "1")
    gc.set_threshold(FIRST, ROUNDS, ROUNDS)
    if _look_more_often not in gc.callbacks:
        gc.callbacks.append(_look_more_often)
    atexit.register(gc.freeze)  # or Python looks for garbage several times while it ends
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, _interrupted)
        # Last of all: while Python takes itself down, Ctrl-C would end it without a word.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    from spectrum_workflows.cli import commands

    try:
        commands.main()
    finally:
        _insisting.end()
        if signal.getsignal(signal.SIGINT) is _interrupted:
            signal.signal(signal.SIGINT, _ending)


def _look_more_often(_phase: str, _info: dict[str, int]) -> None:
    if gc.get_threshold()[0] == FIRST:
        gc.set_threshold(ALLOCATIONS, ROUNDS, ROUNDS)


_end = SystemExit(130)
_insisting = Insisting(_end)


def _interrupted(_number: int, frame: FrameType | None) -> None:
    """End with one line on Ctrl-C; what is open is closed on the way."""
    if _insisting.is_answered() or postpone_if_deaf(frame):
        return
    if _insisting.begin():
        sys.stderr.write("spectrum: interrupted\n")
    raise _end


def _ending(_number: int, _frame: FrameType | None) -> None:
    """While a command that is done takes itself down, only a second Ctrl-C counts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
