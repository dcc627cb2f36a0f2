"""Clusters and baskets of some columns of an open tree: its structure, without any event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.columns import refuse_missing
from spectrum_workflows.hep.io.read import check_branch
from spectrum_workflows.hep.io.rootfile import OpenTree, damaged

EXPANSION = 3
"""Peak memory of reading and selecting, per uncompressed byte of the columns."""


@dataclass(frozen=True)
class Clusters:
    """Places where some columns of a file can be cut, and the bytes it costs to read them.

    Attributes
    ----------
    boundaries : tuple of int
        Entries at which clusters of the columns begin, from 0 to the number of entries.
    baskets : ndarray, shape (n_baskets, 3)
        First entry, last entry + 1 and stored bytes of every basket of the columns.
    uncompressed : int
        Bytes of the columns when unpacked.
    record : int
        Bytes of those baskets that are stored inside the tree's own record, and read with it.
    """

    boundaries: tuple[int, ...]
    baskets: NDArray[np.int64]
    uncompressed: int
    record: int = 0


def clusters(tree: OpenTree, columns: Sequence[str]) -> Clusters:
    """Read the structure of some columns, and no events.

    Raises
    ------
    DataError
        A column is missing (the closest is named), cannot be read, or is damaged.
    """
    refuse_missing(columns, tree.names, tree=tree.name, url=tree.url)
    branches = tree.branches_of(columns)
    if not tree.is_ntuple:
        for name in branches:
            check_branch(tree.tree[name], tree)
    try:
        return _of_ntuple(tree) if tree.is_ntuple else _of_ttree(tree.tree, branches)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise damaged(tree.url, error) from error


def _of_ttree(tree: Any, columns: Sequence[str]) -> Clusters:
    branches = [tree[column] for column in columns]
    own = {branch.name for branch in branches}
    boundaries = (
        tree.common_entry_offsets(filter_branch=lambda branch: branch.name in own) if own else ()
    )
    ends = tuple(sorted({0, *map(int, boundaries), int(tree.num_entries)}))
    rows: list[tuple[int, int, int]] = []
    for branch in branches:
        edges = branch.entry_offsets  # a new list each time it is asked for
        normal = branch.num_baskets - len(branch.embedded_baskets)
        sizes = (branch.basket_compressed_bytes(k) for k in range(normal))
        rows += zip(edges[:normal], edges[1 : normal + 1], sizes, strict=True)
    unpacked = sum(int(b.uncompressed_bytes) for b in branches)
    record = 0
    embedded = [basket for b in branches for basket in b.embedded_baskets]
    if embedded:  # stored inside the tree's own record, which is read once
        record = int(tree.file.root_directory.key(tree.name).data_compressed_bytes)
        rows.append((0, 1, record))
        unpacked += sum(int(np.asarray(basket.data).nbytes) for basket in embedded)
    return Clusters(ends, np.array(rows, np.int64).reshape(-1, 3), unpacked, record)


def _of_ntuple(tree: OpenTree) -> Clusters:
    """Clusters of an RNTuple; bytes from the size of the file, an upper bound."""
    starts = {int(c.num_first_entry) for c in tree.tree.ntuple.cluster_summaries}
    ends = tuple(sorted({0, *starts, tree.entries}))
    share = np.diff(ends) * tree.nbytes // max(tree.entries, 1)
    rows = np.stack([ends[:-1], ends[1:], share], axis=1)
    return Clusters(ends, rows, EXPANSION * tree.nbytes)
