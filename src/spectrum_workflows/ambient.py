"""Values in force inside a block, for the code that runs there and for the threads it starts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")


class Ambient(Generic[T]):
    """One such value, with what holds outside all blocks.

    A context variable: asyncio and ``asyncio.to_thread`` hand it on.  A plain thread has
    a context of its own before Python 3.14; it sees the value of the open blocks of this
    process where there is no choice, as in a session or a worker of one thread.

    Parameters
    ----------
    name : str
        For people who debug.
    default : object
        What holds outside all blocks.
    """

    def __init__(self, name: str, default: T) -> None:
        self._default = default
        self._context: ContextVar[T] = ContextVar(name)
        self._open: dict[int, list[T]] = {}
        self._lock = threading.Lock()

    @property
    def value(self) -> T:
        """The value in force here."""
        try:
            return self._context.get()
        except LookupError:
            with self._lock:
                innermost = [values[-1] for values in self._open.values()]
            same = innermost and all(value == innermost[0] for value in innermost)
            return innermost[0] if same else self._default

    @contextmanager
    def set(self, value: T) -> Iterator[None]:
        """Let a value be in force inside the block."""
        token, thread = self._context.set(value), threading.get_ident()
        with self._lock:
            self._open.setdefault(thread, []).append(value)
        try:
            yield
        finally:
            self._context.reset(token)
            with self._lock:
                self._open[thread].pop()
                if not self._open[thread]:
                    del self._open[thread]
