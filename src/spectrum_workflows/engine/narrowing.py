"""The smallest part of a failed partition that fails by itself, found by halving.

What kills its worker must not kill another: the trials run in a process of their own on a
worker, or here where there is none.  Nothing that they compute is used: what a partial result
lacks are whole partitions, whatever part of them is at fault.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cloudpickle

from spectrum_workflows import storage
from spectrum_workflows.domain import Partition
from spectrum_workflows.engine.federation import is_federation
from spectrum_workflows.engine.parts import source_of
from spectrum_workflows.engine.persisted import Persisted

if TYPE_CHECKING:
    from distributed import Client

TRIES = 64
"""Parts that are tried, at most: twice the number of halvings of four thousand million entries."""
WITHIN = 120.0
"""Seconds that one search may take; then the smallest part so far is what is said."""
SOON = 20.0
"""The same where an error waits to be shown, and workers may be busy with what nobody wants."""

PASSES, FAILS, UNKNOWN, READY = b"p", b"f", b"u", b"r"

Trial = Callable[[Any], bytes]
"""``trial(part)``: whether a part fails by itself; `UNKNOWN` where a store is at fault."""

_PROGRAM = """
import os, sys
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
limit = int(sys.argv[1])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
import spectrum_workflows
from spectrum_workflows.engine.narrowing import answer_from
answer_from(sys.stdin.buffer, answers)
"""
"""What the other process runs: an answer of one byte for every part; prints go nowhere."""


def narrowed(
    fn: Callable[..., Any],
    item: Partition,
    shared: tuple[Any, ...],
    *,
    client: Client | None,
    within: float = WITHIN,
) -> str:
    """What part of a failed partition fails by itself, in words; empty where that is not known.

    Parameters
    ----------
    fn : callable
        ``fn(item, *shared)``, which failed.
    item : Partition
        One that has ``halves()``; of another nothing is known.
    shared : tuple
        Of `Persisted` values nothing is known.
    client : distributed.Client, optional
        On one of whose workers it is tried.
    within : float
        Seconds that it may take.
    """
    if not hasattr(item, "halves") or any(isinstance(value, Persisted) for value in shared):
        return ""
    stores = storage.current_stores().reading(source_of(item))
    try:
        if is_federation(client):
            client = client.single((item,)).client
        if client is None:
            end = time.monotonic() + within
            smallest = search(
                item,
                lambda part: tried(fn, stores, shared, part) if time.monotonic() < end else UNKNOWN,
            )
        else:
            smallest = _on_a_worker(client, cloudpickle.dumps((fn, stores, shared)), item, within)
    except Exception:  # it is a remark on a failure, which is told without it
        return ""
    return f"this part of it fails by itself: {smallest.where}" if smallest is not None else ""


def search(item: Any, trial: Trial) -> Any:
    """The smallest part that a trial finds failing, or nothing.

    Where neither half of a part fails by itself, the part is the smallest; the first half is
    taken where both do.  Where the beginning, the middle and the end fail alike, the cause is in
    no part: a file that was exchanged, a column that it lacks.
    """
    smallest = _first_failing(item, trial)
    if smallest is None or smallest != _at_an_end(item, 0):
        return smallest
    _, second = item.halves()
    others = (_at_an_end(second, 0), _at_an_end(second, 1))
    return None if all(trial(part) == FAILS for part in others) else smallest


def _at_an_end(part: Any, side: int) -> Any:
    """The smallest part at the beginning (0) or at the end (1)."""
    for _ in range(TRIES):
        if not (halves := part.halves()):
            break
        part = halves[side]
    return part


def _first_failing(item: Any, trial: Trial) -> Any:
    smallest, tries = None, 0
    while (halves := (smallest or item).halves()) and tries < TRIES:
        for half in halves:
            tries += 1
            answer = trial(half)
            if answer == UNKNOWN:
                return smallest
            if answer == FAILS:
                smallest = half
                break
        else:
            break
    return smallest


def tried(
    fn: Callable[..., Any], stores: storage.Stores, shared: tuple[Any, ...], part: Any
) -> bytes:
    """Whether a part fails in this process."""
    try:
        with storage.using(stores), storage.writing_nothing():
            fn(part, *shared)
    except MemoryError:
        return FAILS
    except OSError:
        return UNKNOWN
    except Exception:
        return FAILS
    return PASSES


def answer_from(source: Any, answers: Any) -> None:
    """Try what comes from a stream, part after part, in the process that may die of it."""
    fn, stores, shared = pickle.load(source)  # noqa: S301  (from the process that started this one)
    answers.write(READY)
    answers.flush()
    while True:
        try:
            part = pickle.load(source)  # noqa: S301
        except EOFError:
            return
        answers.write(tried(fn, stores, shared, part))
        answers.flush()


def _on_a_worker(client: Client, call: bytes, item: Partition, within: float) -> Any:
    import dask

    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "16 GiB"}):
        future = client.submit(searched_elsewhere, call, item, within, pure=False, priority=100)
    try:
        return future.result(timeout=1.25 * within)
    finally:
        with suppress(Exception):
            client.cancel([future], force=True)


def searched_elsewhere(call: bytes, item: Partition, within: float = WITHIN) -> Any:
    """The smallest failing part, tried in processes that this one starts one after the other."""
    others = _Processes(call, _memory_limit())
    timer = threading.Timer(within, others.end)
    timer.daemon = True
    timer.start()
    try:
        return search(item, others.try_part)
    finally:
        timer.cancel()
        others.end()


def _memory_limit() -> int:
    """Bytes that this worker may use; 0 where there is no limit, or this is no worker."""
    from distributed import get_worker

    try:
        return int(get_worker().memory_manager.memory_limit or 0)
    except (ValueError, AttributeError):
        return 0


@dataclass
class _Processes:
    """Another process that tries parts, and is begun again when it has died of one.

    Attributes
    ----------
    call : bytes
        Function, stores and shared values.
    limit : int
        Bytes of memory that it may have; 0 for any number.
    """

    call: bytes
    limit: int
    _child: subprocess.Popen[bytes] | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    def try_part(self, part: Any) -> bytes:
        """Whether a part fails, or kills the process that tries it."""
        if self._ended.is_set():
            return UNKNOWN
        if self._child is None and not self._begin():
            return UNKNOWN
        answer = self._asked(cloudpickle.dumps(part))
        if not answer:
            self._close()
        return UNKNOWN if self._ended.is_set() else answer or FAILS

    def end(self) -> None:
        """Try nothing any more."""
        self._ended.set()
        self._close()

    def _begin(self) -> bool:
        self._child = subprocess.Popen(  # noqa: S603  (this Python, our program)
            [sys.executable, "-c", _PROGRAM, str(self.limit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self._ended.is_set():  # meanwhile
            self._close()
        return self._asked(self.call) == READY

    def _asked(self, question: bytes) -> bytes:
        """The answer to what is written; nothing where the process has died."""
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            return b""
        try:
            child.stdin.write(question)
            child.stdin.flush()
            return child.stdout.read(1)
        except (OSError, ValueError):  # ValueError: it was closed meanwhile
            return b""

    def _close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()
