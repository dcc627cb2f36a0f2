"""Dask's clients and clusters begin and end under one lock, which nothing else may want then."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import TypeVar

from spectrum_workflows.errors import SiteError

Started = TypeVar("Started")

ATTEMPTS = 2


@contextmanager
def without_collecting() -> Iterator[None]:
    """Let the garbage collector rest in this block, in all threads.

    Clients and clusters that it deletes end themselves, for which they want the lock of all of
    Dask's event loops; who begins or ends one holds it, and waits for a thread in which the
    collector may just be running.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
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
            except AssertionError as error:
                if not _is_late(error):
                    raise
                late = error
    raise SiteError(
        f"an event loop of Dask did not begin within its ten seconds, {ATTEMPTS} times",
        remedy="try again when this machine is less busy",
    ) from late


def _is_late(error: AssertionError) -> bool:
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return frames[-1].f_code.co_name == "_start_unlocked"
