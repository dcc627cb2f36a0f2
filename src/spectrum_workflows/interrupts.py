"""Ctrl-C and a notebook's Stop: who sees them, and when."""

from __future__ import annotations

import gc
import logging
import math
import signal
import sys
import threading
import time
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType, TracebackType

DEAF_FUNCTIONS = {"_gc_callback", "__del__"}
DEAF_MODULES = {
    "weakref",
    "_weakrefset",
    "importlib._bootstrap",
    "_frozen_importlib",
    "llvmlite.binding.executionengine",
}
SOON = 0.05
"""Seconds after which an interrupt that would not have been heard is given again."""
PATIENCE = 5.0
"""Seconds for which it is given again."""
REMINDED = 0.5
"""Seconds after which an error that something has swallowed is raised again."""


def is_deaf(frame: FrameType | None) -> bool:
    """Whether Python is where it only notes an exception, or where one does lasting harm.

    It is noted within the collector, wherever an object goes that is weakly referred to, and in
    what compiled code calls back.  Where a function is on no line, IPython cannot show it.
    Within an import some libraries take every exception for a sign that an optional module is
    not there and go on without it; others stay behind half imported.
    """
    while frame is not None:
        if frame.f_code.co_name in DEAF_FUNCTIONS:
            return True
        if frame.f_globals.get("__name__") in DEAF_MODULES or frame.f_lineno is None:
            return True
        frame = frame.f_back
    return False


@dataclass(frozen=True)
class _Postponed:
    """When an interrupt was put off first and last, in seconds of the monotonic clock."""

    first: float
    last: float


_postponed = _Postponed(-math.inf, -math.inf)


def postpone_if_deaf(frame: FrameType | None) -> bool:
    """Give an interrupt again in a moment where Python would only note it.

    What does not return from there within `PATIENCE` is interrupted all the same.
    """
    global _postponed  # noqa: PLW0603
    if not is_deaf(frame):
        return False
    now = time.monotonic()
    goes_on = now - _postponed.last < 20 * SOON  # else it is another interrupt
    first = _postponed.first if goes_on else now
    if now - first > PATIENCE:
        return False
    _postponed = _Postponed(first, now)
    _interrupt_soon()
    return True


def _interrupt_soon() -> None:
    """Interrupt the main thread again, in whatever it waits for by then."""
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        threading.Timer(SOON, signal.pthread_kill, (main, signal.SIGINT)).start()
    else:  # Windows
        threading.Timer(SOON, interrupt_main).start()


class Insisting:
    """An exception of a handler of Ctrl-C, which is raised until it arrives.

    Some libraries take whatever is raised in them for their own and go on; then nothing is left
    of it after a moment, and the signal is given again.

    Parameters
    ----------
    error : BaseException
        What the handler raises.
    """

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._over = threading.Event()
        self._reminded = threading.Event()
        self._begun = False

    def begin(self) -> bool:
        """Give the signal again and again until `end`; whether this is the first time."""
        first, self._begun = not self._begun, True
        if first and hasattr(signal, "pthread_kill"):  # not on Windows
            threading.Thread(target=self._remind, name="insisting", daemon=True).start()
        return first

    def end(self) -> None:
        """Let it rest: it has arrived."""
        self._over.set()

    def is_answered(self) -> bool:
        """Whether the signal that is being handled was given here, and the error is on its way."""
        reminded = self._reminded.is_set()
        self._reminded.clear()
        return reminded and is_being_handled(self._error)

    def _remind(self) -> None:
        main = threading.main_thread().ident
        while main is not None and not self._over.wait(REMINDED):
            self._reminded.set()
            signal.pthread_kill(main, signal.SIGINT)


def is_being_handled(error: BaseException) -> bool:
    """Whether an error is what is handled here, in a ``finally`` or the like, or its cause."""
    current = sys.exc_info()[1]
    while current is not None:
        if current is error:
            return True
        current = current.__context__
    return False


@contextmanager
def hearing_interrupts() -> Iterator[None]:
    """Let no Ctrl-C in this block be lost: where Python would only note it, it comes a bit later.

    Elsewhere than in the main thread nothing is changed: Python interrupts that one only.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def hear(number: int, frame: FrameType | None) -> None:
        if not postpone_if_deaf(frame):
            before(number, frame)

    signal.signal(signal.SIGINT, hear)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is hear:
            signal.signal(signal.SIGINT, before)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Threads begun here, and processes begun by them, never see Ctrl-C.

    The terminal, and a notebook's Stop, sends it to a whole group of
    processes; it is meant for the one in which the person waits.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it unblocks the signal in whichever thread starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def interrupted_later() -> Iterator[None]:
    """Ctrl-C in this block counts at its end, so that no half of it is done; a second one at once.

    Elsewhere than in the main thread nothing is changed: Python interrupts that one only.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            before(number, frame)
        pressed = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            before(signal.SIGINT, None)


@contextmanager
def letting_go() -> Iterator[None]:
    """Let a computation that is stopped here let go of what it held on the workers.

    A notebook keeps the traceback of the last error, and with it the local names of every
    function that was left: futures, and so their tasks.
    """
    try:
        yield
    except KeyboardInterrupt as stopped:
        error: BaseException | None = stopped
        seen: list[BaseException] = []
        while error is not None and error not in seen:
            _clear(error.__traceback__)
            seen.append(error)
            error = error.__context__
        gc.collect()  # what holds itself would stay on the workers until the collector runs
        raise


def _clear(trace: TracebackType | None) -> None:
    """Let go of the local names of functions that were left, also of those cut out of a traceback.

    Dask shows users a shorter one; the others are still behind those that it shows.
    """
    while trace is not None:
        frame: FrameType | None = trace.tb_frame
        while frame is not None:
            try:
                frame.clear()
            except RuntimeError:  # it has not been left
                break
            frame = frame.f_back
        trace = trace.tb_next


def hide_stray_cancellations() -> None:
    """Keep one traceback of Dask's from the screen: of its ``sync``, met by Stop too early.

    It cancels a request that has not been begun, whose name is not bound yet; the interrupt
    itself arrives where it should.
    """
    logging.getLogger("tornado.application").addFilter(_is_meant)


def _is_meant(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    stray = isinstance(error, NameError) and error.name == "future"
    return not (stray and "sync.<locals>.cancel" in record.getMessage())
