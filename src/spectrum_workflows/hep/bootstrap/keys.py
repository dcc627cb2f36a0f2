"""Keys of events, which their random numbers follow from; and whether each has its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
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
        They are not whole numbers, one per event; or the sample has no name.
    """
    if not isinstance(sample, str) or not sample:
        raise DataError(f"{sample!r} is no name of a sample", "sample", "give it as text")
    from spectrum_workflows.hep.bootstrap import draws  # compiled kernels come with it

    run, block, event = (_whole(name, given) for name, given in numbers.items())
    if not len(run) == len(block) == len(event):
        raise DataError(f"{', '.join(numbers)} differ in length", remedy="give one per event")
    name = int.from_bytes(hashlib.sha256(f"bootstrap {sample}".encode()).digest()[:8])
    words = np.uint64(name), np.uint64(seed)
    keys: NDArray[np.uint64] = draws.hash_events(run, block, event, *words)
    return keys


def _whole(name: str, given: Any) -> NDArray[np.uint64]:
    try:
        array = np.ma.asarray(given) if isinstance(given, np.ma.MaskedArray) else np.asarray(given)
    except (TypeError, ValueError):
        raise _not_whole(name, "not one number per event") from None
    if array.ndim != 1:
        raise _not_whole(name, f"of shape {array.shape}")
    if array.dtype.kind not in "iu" and array.size:
        raise _not_whole(name, f"of type {array.dtype}")
    if np.ma.getmaskarray(array).any():
        raise _not_whole(name, "missing in some events")
    return np.ascontiguousarray(np.ma.getdata(array).astype(np.uint64))


def _not_whole(name: str, kind: str) -> DataError:
    remedy = f"in a spec say which branch holds it: [formats.NAME.columns] {name}"
    message = f"{name} is {kind}, and the bootstrap needs a whole number per event"
    return DataError(message, remedy=remedy)


def lowest_keys(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The lowest keys of events, in their order: the same however the events are cut."""
    return np.sort(keys if len(keys) <= FEWEST else np.partition(keys, FEWEST)[:FEWEST])


def merged_keys(
    a: Mapping[str, NDArray[np.uint64]], b: Mapping[str, NDArray[np.uint64]]
) -> dict[str, NDArray[np.uint64]]:
    """The lowest keys of every sample of both."""
    out = {**a, **b}
    for sample in a.keys() & b.keys():
        out[sample] = lowest_keys(np.concatenate([a[sample], b[sample]]))
    return out


def shared_numbers(lowest: Mapping[str, NDArray[np.uint64]]) -> Iterator[str]:
    """Warnings of samples in which different events have the same numbers.

    Parameters
    ----------
    lowest : mapping of sample to ndarray of uint64
        The lowest keys of all of its events.
    """
    for sample, few in lowest.items():
        equal = int(np.count_nonzero(few[1:] == few[:-1]))
        if equal > MOST_EQUAL:
            yield (
                f"several events of {sample} have the same run, luminosityBlock and event, {equal}"
                f" of {len(few)} that were looked at: replicas count them together, and bootstrap"
                " covariances are too large; name every file once, or give events numbers of their"
                " own"
            )
