"""Functions of NumPy arrays that numba compiles when they are first called."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import cache, wraps
from types import FunctionType
from typing import Any, TypeVar, cast

_alone = ContextVar("compiles_alone", default=False)
"""Whether this thread compiles one of ours."""

_loaders: list[Callable[[], None]] = []
"""Numba's function that loads its extensions."""

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Kernel], Kernel]:
    """A decorator as numba's ``njit(cache=True)``, which imports numba at the first call.

    For functions that take and give NumPy arrays, numbers and tuples of them, and may call
    others of their kind by their names.  What other libraries teach numba is not loaded for them.

    Parameters
    ----------
    **options
        Of ``numba.njit``.

    Examples
    --------
    >>> import numpy as np
    >>> @compiled(cache=False)
    ... def total(values):
    ...     return values.sum()
    >>> print(total(np.ones(3)))
    3.0
    """

    def decorate(function: Kernel) -> Kernel:
        made: list[Any] = []

        @cache
        def dispatcher() -> Any:
            from numba import njit
            from numba.core.compiler_lock import global_compiler_lock

            with (
                global_compiler_lock
            ):  # or threads that call it first at once would each compile it
                if not made:
                    kernel = njit(**{"cache": True} | options)(_with_compiled_names(function))
                    made.append(_without_extensions(kernel))
            return made[0]

        @wraps(function)
        def call(*args: Any) -> Any:
            return dispatcher()(*args)

        call.dispatcher = dispatcher  # type: ignore[attr-defined]
        return cast("Kernel", call)

    return decorate


def _with_compiled_names(function: Any) -> Any:
    """The same function, with numba's dispatchers in place of the other functions it names."""
    scope = function.__globals__
    others = {
        name: scope[name].dispatcher()
        for name in function.__code__.co_names
        if hasattr(scope.get(name), "dispatcher")
    }
    return (
        FunctionType(function.__code__, scope | others, function.__name__) if others else function
    )


def _without_extensions(dispatcher: Any) -> Any:
    """The same dispatcher, which compiles without loading what awkward and others teach numba.

    That takes a CPU second, for types that do not occur here, and numba has no public way to
    leave it out.  Whoever compiles something else, in another thread or later, has it loaded.
    """
    from numba.core import entrypoints

    compile_for = getattr(dispatcher, "_compile_for_args", None)
    load = getattr(entrypoints, "init_all", None)
    if compile_for is None or load is None:
        return dispatcher  # NUMBA_DISABLE_JIT, or another numba
    if load is not _load_extensions:
        _loaders[:] = [load]
        entrypoints.init_all = _load_extensions

    def compile_alone(*args: Any, **named: Any) -> Any:
        before = _alone.set(True)
        try:
            return compile_for(*args, **named)
        finally:
            _alone.reset(before)

    dispatcher._compile_for_args = compile_alone
    return dispatcher


def _load_extensions() -> None:
    """In the place of numba's own, which it calls, but not for what is compiled here."""
    if not _alone.get():
        _loaders[0]()
