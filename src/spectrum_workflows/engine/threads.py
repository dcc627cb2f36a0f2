"""One thread for native libraries: a matrix product in two has other bits."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def one_thread() -> AbstractContextManager[object]:
    """Let BLAS and OpenMP, as far as they are imported, compute in one thread in the block.

    Workers do so by themselves: this is for what a session computes.
    """
    limited: AbstractContextManager[object] = threadpool_limits(1)
    return limited
