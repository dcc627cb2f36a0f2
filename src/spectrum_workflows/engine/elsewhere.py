"""Two calls in two processes, beside what else is computed, to see if they agree."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import cloudpickle

from spectrum_workflows.engine.federation import is_federation

if TYPE_CHECKING:
    from distributed import Client

R = TypeVar("R")

PATIENCE = 60.0
"""Seconds that are waited for an answer when all else is done."""

_PROGRAM = """
import os, sys
out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
os.nice(10) if hasattr(os, "nice") else None
import cloudpickle
out.write(cloudpickle.dumps(cloudpickle.load(sys.stdin.buffer)()))
out.close()
"""
"""What the other process runs; whatever the function prints goes nowhere."""


@contextmanager
def in_two(
    first: Callable[[], R], second: Callable[[], R], *, client: Client | None
) -> Iterator[Callable[[], tuple[R, R] | None]]:
    """Begin two calls in two processes; nothing else waits for them.

    Parameters
    ----------
    first, second : callable
        Without arguments; both can be pickled, and so can what they return.
    client : distributed.Client, optional
        Two of its workers are taken, or this process and its one worker; without
        it, this process and one that is started for it.

    Yields
    ------
    callable
        Gives both results, or ``None`` where they could not be had.
    """
    if is_federation(client):
        client = client.single(()).client
    if client is None:
        with _process(second) as theirs:
            mine = _quiet(first)
            yield lambda: _both(mine, theirs())
        return
    addresses = sorted(client.nthreads())
    if not addresses:
        yield lambda: None
        return
    alone = len(addresses) == 1
    places = [(first, addresses[0])] + ([] if alone else [(second, addresses[-1])])
    futures = [
        client.submit(_called, cloudpickle.dumps(call), workers=[place], pure=False, priority=100)
        for call, place in places
    ]
    here = _quiet(second) if alone else None
    try:
        yield lambda: _both(_answer(futures[0]), here if alone else _answer(futures[-1]))
    finally:
        with suppress(Exception):
            client.cancel(futures, force=True)


def _called(text: bytes) -> Any:
    return cloudpickle.loads(text)()


def _both(first: R | None, second: R | None) -> tuple[R, R] | None:
    return None if first is None or second is None else (first, second)


def _quiet(call: Callable[[], R]) -> R | None:
    """The result in this process; errors are for others to report."""
    try:
        return call()
    except Exception:
        return None


def _answer(future: Any) -> Any:
    try:
        return future.result(timeout=PATIENCE)
    except Exception:
        return None


@contextmanager
def _process(call: Callable[[], R]) -> Iterator[Callable[[], R | None]]:
    """A call in a process of its own, whose input and output lie in files without a name."""
    if not sys.executable:
        yield lambda: None
        return
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as taken:
        given.write(cloudpickle.dumps(call))
        given.seek(0)
        child = subprocess.Popen(  # noqa: S603  (this Python, our program)
            [sys.executable, "-c", _PROGRAM],
            stdin=given,
            stdout=taken,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": "random"},
        )
        try:
            yield lambda: _taken(child, taken)
        finally:
            child.kill()
            child.wait()


def _taken(child: subprocess.Popen[bytes], taken: Any) -> Any:
    try:
        child.wait(PATIENCE)
        taken.seek(0)
        return pickle.load(taken)  # noqa: S301  (our own process wrote it)
    except Exception:
        return None
