"""Task functions and shared values as they travel to the workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import cloudpickle
from dask.sizeof import sizeof
from threadpoolctl import threadpool_limits

from spectrum_workflows import storage
from spectrum_workflows.code_identity import Code, confirm
from spectrum_workflows.domain import Partition
from spectrum_workflows.engine.allocation import keep_freed_memory
from spectrum_workflows.engine.confirming import current_code
from spectrum_workflows.engine.parts import Part, Parts, compute, source_of
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.engine.sizes import nbytes

if TYPE_CHECKING:
    from distributed import Client, Future

sizeof.register(Part, lambda part: nbytes(part.value))  # or Dask takes it for a few bytes


def scatter(client: Client, value: Any, key: str) -> Future:
    """Send a value; it can be rebuilt when every worker that had it is gone."""
    return client.submit(cloudpickle.loads, cloudpickle.dumps(value), key=key)


def scatter_shared(client: Client, parts: Parts[Any], key: Callable[[int], str]) -> list[Any]:
    """Send each shared value once; `Persisted` ones are there, small ones go with the task.

    The first is the session's code, which a worker compares with its own.
    """
    return [
        value if isinstance(value, Persisted) or small(value) else scatter(client, value, key(n))
        for n, value in enumerate((current_code(), *parts.shared))
    ]


def small(value: Any) -> bool:
    """Whether a value may as well travel with every task: a number, nothing."""
    return value is None or isinstance(value, int | float)


def columns(shared: list[Any], numbers: list[int]) -> list[list[Any]]:
    """The shared values as arguments of ``client.map``: one list per value."""
    return [
        [s.elements[n] for n in numbers] if isinstance(s, Persisted) else [s] * len(numbers)
        for s in shared
    ]


@lru_cache(maxsize=32)
def loaded(by_value: bytes) -> Any:
    """The function that was pickled on the client, loaded once per worker process.

    Dask's own pickling prefers a reference to a module, which on a worker may
    be an older one than the user has just edited.  The native libraries that it
    imported get one thread, as in the session: a matrix product in two has other
    bits, and only Dask's nanny sees to that.
    """
    function = cloudpickle.loads(by_value)
    threadpool_limits(1)
    return function


@dataclass(frozen=True)
class _Elsewhere:
    """An item of which a copy is read, and which."""

    item: Partition
    nearer: tuple[tuple[str, str], ...]


def _compute(by_value: bytes, item: Any, code: Code | None, *shared: Any) -> Part[Any]:
    if code is not None:
        confirm(code)
    keep_freed_memory()
    fn, on_error, stores = loaded(by_value)
    if isinstance(item, _Elsewhere):
        stores, item = replace(stores, nearer=item.nearer), item.item
    return compute(fn, on_error, stores, item, *shared)


def task_of(parts: Parts[Any]) -> Callable[..., Part[Any]]:
    """The function that runs on a worker for one item, as `travelling` gives it."""
    stores = replace(storage.current_stores(), nearer=())
    return partial(_compute, cloudpickle.dumps((parts.fn, parts.on_error, stores)))


def travelling(items: Iterable[Partition]) -> list[Any]:
    """Items for `task_of`, each with the copy that is read in the place of its input."""
    nearer = dict(storage.current_stores().nearer)
    return [
        _Elsewhere(item, ((source, nearer[source]),))
        if (source := source_of(item)) in nearer
        else item
        for item in items
    ]
