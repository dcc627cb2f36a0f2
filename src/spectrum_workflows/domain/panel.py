"""A panel of a figure: one named part of a result, and its title."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True)
class Panel(Generic[R]):
    """What a panel shows.

    Attributes
    ----------
    title : str
    result : object
        The science's own.
    name : str
        One of the names that the science shows of it.
    """

    title: str
    result: R
    name: str
