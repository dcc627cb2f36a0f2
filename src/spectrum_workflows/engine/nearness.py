"""Neighbours that read one file go to one worker, which opens it once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spectrum_workflows.domain import Partition


def shares(items: Sequence[Partition], threads: Mapping[str, int]) -> list[tuple[str, range]]:
    """Cut items into runs of neighbours, one per worker, of sizes like their threads.

    With W workers, F sources lie in at most F + W - 1 runs: about as often is
    one opened, where handing out item by item would open every source on
    every worker.

    Parameters
    ----------
    items : sequence of Partition
        In their order.
    threads : mapping of address to int
        The workers.

    Returns
    -------
    list of (address, range)
        Indices of the items of each worker, none empty; one run without an
        address if items have no ``source``, or there is no choice.
    """
    if len(threads) < 2 or not all(getattr(item, "source", "") for item in items):
        return [("", range(len(items)))]
    sizes = np.array([item.size for item in items], np.float64)
    middle = (np.cumsum(sizes) - sizes / 2) / max(sizes.sum(), 1.0)
    ends = np.cumsum(list(threads.values())) / sum(threads.values())
    cuts = [0, *np.searchsorted(middle, ends[:-1]).tolist(), len(items)]
    runs = zip(threads, cuts[:-1], cuts[1:], strict=True)
    return [(address, range(start, stop)) for address, start, stop in runs if stop > start]
