"""A trained model in memory, as the library that computes it gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Compute = Callable[[Sequence[NDArray[Any]]], NDArray[Any]]
"""From one array for each tensor, rows first, to the output of as many rows."""


@dataclass(frozen=True)
class Tensor:
    """An input of a model.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype
    shape : tuple of int or None
        Of one row; None where it may be anything.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("any" if size is None else str(size) for size in ("rows", *self.shape))
        return f"{self.name} ({sizes})"


@dataclass(frozen=True)
class Loaded:
    """A model that computes a fixed number of rows at a time.

    Attributes
    ----------
    tensors : tuple of Tensor
    compute : callable
    rows : int
        How many rows it is given at a time.
    features : tuple of str
        Names of the columns of its one tensor, if it knows them.
    """

    tensors: tuple[Tensor, ...]
    compute: Compute = field(repr=False)
    rows: int
    features: tuple[str, ...] = ()
