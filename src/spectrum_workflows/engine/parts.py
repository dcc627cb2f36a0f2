"""Computation of one partition, wherever it runs."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from spectrum_workflows import storage
from spectrum_workflows.domain import Failure, Metrics, OnError, Partition, Span
from spectrum_workflows.engine.failing import sabotaged
from spectrum_workflows.engine.failures import as_merge_error, as_spectrum_error, failure, may_pass
from spectrum_workflows.engine.memory import peak_memory
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.engine.sizes import nbytes
from spectrum_workflows.errors import OtherCodeError, SpectrumError

if TYPE_CHECKING:
    from distributed import Client

R = TypeVar("R")

ATTEMPTS = 3
"""Tries of a partition whose reading fails for a reason that may pass."""


@dataclass(frozen=True)
class Part(Generic[R]):
    """A value, or ``None`` where every partition under it failed, and its cost."""

    value: R | None
    metrics: Metrics


def source_of(item: Any) -> str:
    """Name of what must be opened to read an item: a file or a set; empty where it has none."""
    return str(getattr(item, "source", "") or getattr(item, "url", ""))


@dataclass(frozen=True)
class Parts(Generic[R]):
    """A computation over partitions that has not happened yet; made by `each`."""

    fn: Callable[..., R]
    items: tuple[Partition, ...]
    shared: tuple[Any, ...]
    client: Client | None
    label: str
    on_error: OnError


def each(
    fn: Callable[..., R],
    items: Sequence[Partition],
    *shared: Any,
    client: Client | None = None,
    label: str = "part",
    on_error: OnError = "raise",
) -> Parts[R]:
    """Describe ``fn(item, *shared)`` for every item; nothing is computed yet.

    Parameters
    ----------
    fn : callable
        A plain function; it may read through ``storage`` and touches nothing
        else of the outside world.
    items : sequence of Partition
        In the order in which their results will be merged.
    *shared
        Values that every call needs (a model image, a density grid); sent
        once per worker, not once per task, unless they are mere numbers.  Of a
        `Persisted` one, as many as there are items, every call gets the element
        with its own number.
    client : distributed.Client, optional
        Where to compute; ``None`` is a plain loop in this process.
    label : str
        How the tasks are called on the dashboard.
    on_error : {"raise", "keep"}
        Stop at the first partition that fails, or go on without it and list
        it in the metrics.
    """
    return Parts(sabotaged(fn), tuple(items), shared, client, label, on_error)


def compute(
    parts_fn: Callable[..., R],
    on_error: OnError,
    stores: storage.Stores,
    item: Partition,
    *shared: Any,
) -> Part[R]:
    """Compute one partition and account for it; runs on the worker."""
    values = [s.value if isinstance(s, Part) else s for s in shared]
    begun, clock = time.time(), time.monotonic()
    stores = stores.reading(source_of(item))
    with storage.using(stores), storage.metering() as counter, metered() as spent:
        attempt = 0
        while True:
            attempt += 1
            try:
                value: R | None = parts_fn(item, *values)
                failures: tuple[Failure, ...] = ()
                break
            except Exception as error:
                if attempt < ATTEMPTS and may_pass(error):
                    time.sleep(0.1 * 3**attempt)
                    continue
                if isinstance(error, OtherCodeError):
                    raise
                if on_error == "raise":
                    if isinstance(error, SpectrumError):
                        error.partition = item.where
                        raise
                    raise as_spectrum_error(error, item) from error
                value, failures = None, (failure(item, error, attempt),)
                break
    by_store = tuple(sorted(counter.by_store.items()))
    lasted = time.monotonic() - clock
    span = Span(
        here(),
        begun,
        begun + lasted,
        lasted,
        failed=len(failures),
        entries=0 if failures else item.size,
        bytes_read=counter.bytes_read,
    )
    read = Metrics(
        0.0,
        counter.bytes_read,
        failures,
        copies=tuple(counter.copies),
        stores=by_store,
        retries=attempt - 1,
        timeline=(span,),
        between=dict(counter.between),
        warnings=tuple(sorted(counter.remarks)),
        replicas=tuple(sorted(counter.replicas)),
        replaced=_replaced(source_of(item), counter),
    )
    return Part(value, spent() + read)


def _replaced(source: str, counter: storage.Counter) -> dict[str, int]:
    """One, of an input of which nothing but copies was read."""
    instead = {replica.planned for replica in counter.replicas} - counter.themselves
    return {source: 1} if source in instead else {}


def here() -> str:
    """Host, process and thread."""
    return f"{_host()} {os.getpid()}.{threading.get_native_id()}"


@lru_cache(maxsize=1)
def _host() -> str:
    return socket.gethostname()


def own_shared(parts: Parts[Any], number: int) -> list[Any]:
    """The shared values of one call: of a `Persisted` one, its own element."""
    return [s.elements[number] if isinstance(s, Persisted) else s for s in parts.shared]


@contextmanager
def metered() -> Iterator[Callable[[], Metrics]]:
    """CPU time of this thread since the block began, and the process's peak memory."""
    started = time.thread_time()
    yield lambda: Metrics(time.thread_time() - started, memory=peak_memory())


def fold(merge: Callable[[R, R], R], children: Sequence[Part[R]]) -> Part[R]:
    """Merge siblings from left to right, stepping over those that failed."""
    values = [c.value for c in children if c.value is not None]
    metrics = sum((c.metrics for c in children), Metrics())
    try:
        with metered() as spent:
            value = reduce(merge, values) if values else None
    except SpectrumError:
        raise  # as it is: an error that is its own cause has no end, and workers follow causes
    except Exception as error:
        raise as_merge_error(error) from error
    moved = Metrics(bytes_moved=nbytes(values[1:]) if len(values) > 1 else 0)
    return Part(value, metrics + spent() + moved)
