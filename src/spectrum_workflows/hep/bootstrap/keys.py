"""Keys of events, which their random numbers follow from; and whether each has its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FEWEST = 256
"""Lowest keys of a sample that are kept: of files with the same numbers they come in pairs."""

MOST_EQUAL = 1
"""Pairs of equal keys among them that are let pass: some productions have a few."""


@dataclass(frozen=True)
class Resampling:
    """Events of a partition, and how many replicas they are filled into.

    Attributes
    ----------
    keys : ndarray of uint64, shape (n_events,)
    replicas : int
    histograms : tuple of str
        Those that have replicas.
    """

    keys: NDArray[np.uint64]
    replicas: int
    histograms: tuple[str, ...]


def event_keys(numbers: Mapping[str, ArrayLike], *, sample: str, seed: int) -> NDArray[np.uint64]:
    """Hash what names events.

    Parameters
    ----------
    numbers : mapping of str to array of int, shape (n_events,)
        ``run``, ``luminosityBlock`` and ``event``.
    sample : str
        Whose events they are: the same numbers of another sample are another event.
    seed : int

    Returns
    -------
    ndarray of uint64, shape (n_events,)

    Raises
    ------
    DataError
        They are not whole numbers, one per event.
    """
    from spectrum_workflows.hep.bootstrap import draws  # compiled kernels come with it

    run, block, event = (_whole(name, given) for name, given in numbers.items())
    if not len(run) == len(block) == len(event):
        raise DataError(f"{', '.join(numbers)} differ in length", remedy="give one per event")
    name = int.from_bytes(hashlib.sha256(f"bootstrap {sample}".encode()).digest()[:8])
    words = np.uint64(name), np.uint64(seed)
    keys: NDArray[np.uint64] = draws.hash_events(run, block, event, *words)
    return keys


def _whole(name: str, given: Any) -> NDArray[np.uint64]:
    array = np.asarray(given)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        kind = f"of type {array.dtype}" if array.ndim == 1 else f"of shape {array.shape}"
        message = f"{name} is {kind}, and [bootstrap] needs a whole number per event"
        raise DataError(message, remedy="name the column that holds it")
    return np.ascontiguousarray(array.astype(np.uint64))


def lowest_keys(keys: NDArray[np.uint64], sample: str) -> NDArray[np.uint64]:
    """The lowest keys of events, in their order: the same however the events are cut.

    Raises
    ------
    DataError
        Too many come twice: different events have the same numbers.
    """
    few = np.sort(keys if len(keys) <= FEWEST else np.partition(keys, FEWEST)[:FEWEST])
    equal = int(np.count_nonzero(few[1:] == few[:-1]))
    if equal > MOST_EQUAL:
        raise DataError(
            f"several events of {sample} have the same run, luminosityBlock and event:"
            f" {equal} of {len(few)} that were looked at",
            "bootstrap",
            "name every file once, give events numbers of their own, or leave [bootstrap] out",
        )
    return few


def merged_keys(
    a: Mapping[str, NDArray[np.uint64]], b: Mapping[str, NDArray[np.uint64]]
) -> dict[str, NDArray[np.uint64]]:
    """The lowest keys of every sample of both.

    Raises
    ------
    DataError
        Different events have the same numbers, and would not be drawn independently.
    """
    out = {**a, **b}
    for sample in a.keys() & b.keys():
        out[sample] = lowest_keys(np.concatenate([a[sample], b[sample]]), sample)
    return out
