"""Dask's clients and clusters begin and end under one lock, which nothing else may want then."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import TypeVar

from spectrum_workflows.errors import SiteError

Started = TypeVar("Started")

ATTEMPTS = 2


_lock = threading.Lock()
_resting: list[bool] = []
"""For every block that is open: whether the collector was at work when it began."""


@contextmanager
def without_collecting() -> Iterator[None]:
    """Let the garbage collector rest in this block, in all threads.

    Clients and clusters that it deletes end themselves, for which they want the lock of all of
    Dask's event loops; who begins or ends one holds it, and waits for a thread in which the
    collector may just be running.  It is at work again when the last of several blocks has ended.
    """
    with _lock:
        _resting.append(gc.isenabled())
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            before = _resting.pop()
            if _resting:
                _resting[0] |= before
            elif before:
                gc.enable()


def begin(start: Callable[[], Started]) -> Started:
    """Call what begins an event loop; once more if Dask gave that up after its ten seconds.

    Raises
    ------
    SiteError
        It did so again.
    """
    with without_collecting():
        for _ in range(ATTEMPTS):
            try:
                return start()
            except (AssertionError, SiteError) as error:
                if not _is_late(error):
                    raise
                late = error
    raise SiteError(
        f"an event loop of Dask did not begin within its ten seconds, {ATTEMPTS} times",
        remedy="try again when this machine is less busy",
    ) from late


def _is_late(error: BaseException) -> bool:
    """Whether an error, or the one that it explains, is that of a loop that did not begin."""
    cause = error.__cause__ if isinstance(error, SiteError) else error
    if not isinstance(cause, AssertionError):
        return False
    frames = [frame for frame, _ in walk_tb(cause.__traceback__)]
    return bool(frames) and frames[-1].f_code.co_name == "_start_unlocked"
