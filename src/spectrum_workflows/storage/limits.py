"""A limit in seconds on every answer of a store, however it fails to come.

The libraries' own time-outs run between two bytes, and not while a server has
yet to say that it wants the bytes of a PUT: one that sends a byte now and then,
or accepts a connection and says nothing, would hold a run for ever.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any

from fsspec.asyn import AsyncFileSystem, sync

LISTING = 300.0
"""Seconds that listing or removing all below a folder may take besides."""

_LONG = {"du", "find", "ls", "rm"}


class LateError(OSError):
    """No answer, or not all of it, within the limit; not a TimeoutError, which fsspec unsays."""


class Limited:
    """A file system whose calls end within some seconds from now.

    Only those that talk to a store: of a file system that is not asynchronous
    every call is passed on as it is.

    Parameters
    ----------
    fs : AbstractFileSystem
    seconds : float
    slowest : float
        Bytes a second for which more is allowed.
    """

    def __init__(self, fs: Any, seconds: float, slowest: float) -> None:
        self._fs, self._seconds, self._slowest = fs, seconds, slowest
        self._end = time.monotonic() + seconds

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._fs, f"_{name}", None)
        if not isinstance(self._fs, AsyncFileSystem) or not inspect.iscoroutinefunction(call):
            return getattr(self._fs, name)
        if name in _LONG:
            self._allow(LISTING)
        return lambda *args, **kwargs: self._in_time(lambda: call(*args, **kwargs))

    def _allow(self, seconds: float) -> None:
        self._seconds, self._end = self._seconds + seconds, self._end + seconds

    def _in_time(self, begin: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        left = max(0.0, self._end - time.monotonic())
        return sync(self._fs.loop, _within, begin, left, self._seconds)


def allow(fs: Any, nbytes: int) -> Any:
    """The same file system, with time for this many bytes if it is a limited one."""
    if isinstance(fs, Limited):
        fs._allow(nbytes / fs._slowest)
    return fs


async def _within(
    begin: Callable[[], Coroutine[Any, Any, Any]], left: float, promised: float
) -> Any:
    """Await what ends in time; what does not is cancelled and not waited for."""
    task = asyncio.ensure_future(begin())
    try:
        await asyncio.wait({task}, timeout=left)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    task.add_done_callback(_let_go)
    task.cancel()
    raise LateError(f"no whole answer within {promised:.3g} s")


def _let_go(task: asyncio.Task[Any]) -> None:
    """Take note of how a cancelled call ended, or asyncio would complain that nobody did."""
    if not task.cancelled():
        task.exception()
