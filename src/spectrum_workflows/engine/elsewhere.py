"""Two calls in two processes, beside what else is computed, to see if they agree."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import cloudpickle

from spectrum_workflows.engine.federation import is_federation

if TYPE_CHECKING:
    from distributed import Client, Future

R = TypeVar("R")

PATIENCE = 60.0
"""Seconds that are waited for an answer when all else is done."""

BACK_WITHIN = 10.0
"""Seconds that are waited for another worker where the one that was asked has gone."""

LOOK = 0.5
"""Seconds after which it is looked whether the worker that was asked is still there."""

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
    taken: set[str] = set()
    asked: list[_Asked[R]] = [_Asked(client, cloudpickle.dumps(first), addresses[0], taken)]
    if not alone:
        asked.append(_Asked(client, cloudpickle.dumps(second), addresses[-1], taken))
    here = _quiet(second) if alone else None
    try:
        yield lambda: _both(asked[0].answer(), here if alone else asked[-1].answer())
    finally:
        with suppress(Exception):
            client.cancel([each.future for each in asked], force=True)


@dataclass
class _Asked(Generic[R]):
    """A call on one worker, and on another if that has gone before it has answered.

    ``taken`` are the workers that were asked for one of the two: none is asked twice.
    """

    client: Client
    call: bytes
    address: str
    taken: set[str]
    future: Future = field(init=False)

    def __post_init__(self) -> None:
        self._ask()

    def answer(self) -> R | None:
        """The result, or nothing if there was an error, no worker, or no answer in time."""
        end = time.monotonic() + PATIENCE
        try:
            while not self.future.done():
                if not self._waits(end):
                    return None
            return self.future.result()  # type: ignore[no-any-return]
        except Exception:
            return None

    def _waits(self, end: float) -> bool:
        """Wait for a moment; whether there is somebody left to wait for."""
        from distributed import wait

        with suppress(TimeoutError):
            wait(self.future, timeout=LOOK)
            return True
        now = time.monotonic()
        addresses = sorted(self.client.nthreads())
        if self.address in addresses:
            return now < end
        fresh = [address for address in addresses if address not in self.taken]
        if fresh:
            self.address = fresh[0]
            self._ask()
        return bool(fresh) or now < end - PATIENCE + BACK_WITHIN

    def _ask(self) -> None:
        self.taken.add(self.address)
        self.future = self.client.submit(
            _called, self.call, workers=[self.address], pure=False, priority=100
        )


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
