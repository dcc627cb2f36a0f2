"""Products of a result, made one after the other: one that fails costs none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from spectrum_workflows.errors import OutputError

T = TypeVar("T")


def make_each(
    products: Iterable[tuple[str, Callable[[], T]]], *, verb: str
) -> Iterator[tuple[str, T]]:
    """Make what can be made.

    Parameters
    ----------
    products : iterable of (name, callable)
        Names, and what makes each.
    verb : str
        In the error: what could not be done.

    Yields
    ------
    (name, product)

    Raises
    ------
    OutputError
        At the end, if one of them could not be made: the others are there.
    """
    lost = []
    for name, make in products:
        try:
            product = make()
        except Exception as error:
            lost.append(f"{name} ({type(error).__name__}: {error})")
            continue
        yield name, product
    if lost:
        raise OutputError(f"could not be {verb}: {', '.join(lost)}")
