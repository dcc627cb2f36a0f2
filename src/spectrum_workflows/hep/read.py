"""Look into ROOT files, and read events from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep import baskets
from spectrum_workflows.hep.columns import Wanted, records, refuse_missing
from spectrum_workflows.hep.rootfile import OpenTree, damaged, opened
from spectrum_workflows.hep.types import Events

EXPANSION = 3
"""Peak memory of reading and selecting, per uncompressed byte of the columns."""


@dataclass(frozen=True)
class FileFacts:
    """What planning needs to know about one file.

    Attributes
    ----------
    url, uuid : str
        Where it is, and which content it has.
    nbytes : int
        Size of the file.
    entries : int
        Events in the tree.
    boundaries : tuple of int
        Entries at which clusters of the columns begin, from 0 to ``entries``.
    baskets : ndarray, shape (n_baskets, 3)
        First entry, last entry + 1 and stored bytes of every basket of the columns.
    uncompressed : int
        Bytes of the columns when unpacked.
    """

    url: str
    uuid: str
    nbytes: int
    entries: int
    boundaries: tuple[int, ...]
    baskets: NDArray[np.int64]
    uncompressed: int


def facts(url: str, tree: str, columns: Sequence[str]) -> FileFacts:
    """Open a file and look at its structure, without reading events.

    Raises
    ------
    DataNotFoundError, DataError
        As `opened`, or a column is missing (the closest is named).
    """
    found = opened(url, tree)
    refuse_missing(columns, found.names, tree=tree, url=url)
    try:
        ntuple = not hasattr(found.tree, "common_entry_offsets")
        details = _ntuple_facts(found) if ntuple else _ttree_facts(found, columns)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise damaged(url, error) from error
    return FileFacts(url, found.uuid, found.nbytes, int(found.tree.num_entries), *details)


def read(events: Events, columns: Sequence[str], *, wanted: Wanted | None = None) -> ak.Array:
    """Read some columns of one partition.

    Parameters
    ----------
    events : Events
        Which entries of which file.
    columns : sequence of str
        Names of branches.
    wanted : Wanted, optional
        What they are for; an error then says more.

    Returns
    -------
    ak.Array, shape (n_events,)
        A record per event with one field per column, named as in the file.

    Raises
    ------
    DataError
        The file changed since the run was planned, or is damaged.
    """
    found = opened(events.url, events.tree)
    check_unchanged(found, events)
    try:
        arrays = _arrays(
            found.tree, columns, events.start, events.stop, fast=storage.is_local(events.url)
        )
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        refuse_missing(columns, found.names, tree=events.tree, url=events.url, wanted=wanted)
        raise damaged(events.where, error) from error
    if len(arrays) != events.size:
        raise DataError(f"only {len(arrays)} events could be read", events.where)
    return arrays


def entries(events: Events) -> int:
    """How many entries there are in the tree that a partition belongs to."""
    if events.entries is not None:
        return events.entries
    return int(opened(events.url, events.tree).tree.num_entries)


def check_unchanged(found: OpenTree, events: Events) -> None:
    """Refuse a file that is not the one, or as long as, the run was planned with.

    Raises
    ------
    DataError
        It is another.
    """
    if events.uuid and (found.uuid, found.nbytes) != (events.uuid, events.nbytes):
        raise DataError("file has changed since the run was planned", events.where, "run again")
    if events.entries is not None and found.tree.num_entries != events.entries:
        said = f"has {found.tree.num_entries} events, not {events.entries} as was said"
        raise DataError(said, events.url, "correct the number of events of this file")


def nothing(url: str, tree: str, columns: Sequence[str]) -> ak.Array:
    """No events, but with the types that the file's events have."""
    found = opened(url, tree).tree
    end = int(found.num_entries)  # not 0: that would unpack the first basket
    return _arrays(found, columns, end, end, fast=True)


def _arrays(
    tree: Any, columns: Sequence[str], start: int, stop: int, *, fast: bool = False
) -> ak.Array:
    """Columns as records; ``fast`` reads in vain what it then leaves to uproot: for local files."""
    wanted = dict.fromkeys(columns)
    if not wanted:  # constants stand in for all that is asked
        return ak.Array(ak.contents.RecordArray([], [], length=stop - start))
    if hasattr(tree, "common_entry_offsets"):
        got = baskets.arrays(tree, list(wanted), start, stop) if fast else {}
        rest = [name for name in wanted if name not in got]
        if rest:
            got |= tree.arrays(rest, entry_start=start, entry_stop=stop, how=dict)
    else:  # an RNTuple groups collections; its fields are the columns
        record = tree.arrays(
            filter_name=lambda name: name in wanted, entry_start=start, entry_stop=stop
        )
        got = {name: record[name] for name in wanted}
    return records({name: got[name] for name in wanted})


def _ttree_facts(
    found: OpenTree, columns: Sequence[str]
) -> tuple[tuple[int, ...], NDArray[np.int64], int]:
    tree, branches = found.tree, [found.tree[column] for column in columns]
    boundaries = (
        tree.common_entry_offsets(filter_name=lambda name: name in columns) if columns else ()
    )
    ends = tuple(sorted({0, *map(int, boundaries), int(tree.num_entries)}))
    rows: list[tuple[int, int, int]] = []
    for branch in branches:
        edges = branch.entry_offsets  # a new list each time it is asked for
        normal = branch.num_baskets - len(branch.embedded_baskets)
        sizes = (branch.basket_compressed_bytes(k) for k in range(normal))
        rows += zip(edges[:normal], edges[1 : normal + 1], sizes, strict=True)
    unpacked = sum(int(b.uncompressed_bytes) for b in branches)
    embedded = [basket for b in branches for basket in b.embedded_baskets]
    if embedded:  # stored inside the tree's own record, which is read once
        record = tree.file.root_directory.key(tree.name)
        rows.append((0, 1, record.data_compressed_bytes))
        unpacked += sum(int(np.asarray(basket.data).nbytes) for basket in embedded)
    return ends, np.array(rows, np.int64).reshape(-1, 3), unpacked


def _ntuple_facts(found: OpenTree) -> tuple[tuple[int, ...], NDArray[np.int64], int]:
    """Clusters of an RNTuple; bytes from the size of the file, an upper bound."""
    starts = {int(c.num_first_entry) for c in found.tree.ntuple.cluster_summaries}
    ends = tuple(sorted({0, *starts, int(found.tree.num_entries)}))
    spans = np.diff(ends)
    share = spans * found.nbytes // max(int(found.tree.num_entries), 1)
    return ends, np.stack([ends[:-1], ends[1:], share], axis=1), EXPANSION * found.nbytes
