"""Look into ROOT files, and read events from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from awkward.errors import FieldNotFoundError
from numpy.typing import NDArray
from uproot.interpretation.grouped import AsGrouped
from uproot.interpretation.identify import UnknownInterpretation
from uproot.interpretation.jagged import AsJagged
from uproot.interpretation.numerical import AsDtype
from uproot.interpretation.objects import CannotBeAwkward

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep.columns import RequestedColumns, records, refuse_missing
from spectrum_workflows.hep.io import fast_read, soundness
from spectrum_workflows.hep.io.rootfile import OpenTree, damaged, opened
from spectrum_workflows.hep.types import Events

EXPANSION = 3
"""Peak memory of reading and selecting, per uncompressed byte of the columns."""

_UNREADABLE = (
    *(NotImplementedError, FieldNotFoundError, CannotBeAwkward),
    *(AttributeError, TypeError),
)
"""What uproot raises where it cannot make an array of what it reads."""


@dataclass(frozen=True)
class ClusterInfo:
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


def facts(url: str, tree: str, columns: Sequence[str]) -> ClusterInfo:
    """Open a file and look at its structure, without reading events.

    Raises
    ------
    DataNotFoundError, DataError
        As `opened`, or a column is missing (the closest is named).
    """
    found = opened(url, tree)
    refuse_missing(columns, found.names, tree=tree, url=url)
    if hasattr(found.tree, "common_entry_offsets"):
        for name in dict.fromkeys(columns):
            _check_branch(found.tree[name], found)
    try:
        ntuple = not hasattr(found.tree, "common_entry_offsets")
        details = _ntuple_facts(found) if ntuple else _ttree_facts(found, columns)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise damaged(url, error) from error
    return ClusterInfo(url, found.uuid, found.nbytes, int(found.tree.num_entries), *details)


def read(
    events: Events, columns: Sequence[str], *, wanted: RequestedColumns | None = None
) -> ak.Array:
    """Read some columns of one partition.

    Parameters
    ----------
    events : Events
        Which entries of which file.
    columns : sequence of str
        Names of branches.
    wanted : RequestedColumns, optional
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
    refuse_missing(columns, found.names, tree=events.tree, url=events.url, wanted=wanted)
    fast = storage.is_local(events.url)
    arrays = _columns(found, columns, events.start, events.stop, where=events.where, fast=fast)
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
        raise wrong_count(events.url, found.tree.num_entries, events.entries)


def wrong_count(url: str, found: int, said: int) -> DataError:
    """What to say of a file that spec or catalogue count otherwise."""
    what = f"has {found} events, not {said} as was said"
    return DataError(what, url, "correct the number of events of this file")


def nothing(url: str, tree: str, columns: Sequence[str]) -> ak.Array:
    """No events, but with the types that the file's events have."""
    found = opened(url, tree)
    end = int(found.tree.num_entries)  # not 0: that would unpack the first basket
    return _columns(found, columns, end, end, where=url, fast=True)


def _columns(
    found: OpenTree, columns: Sequence[str], start: int, stop: int, *, where: str, fast: bool
) -> ak.Array:
    """Columns as records, looked at; ``fast`` reads in vain what is left to uproot: local files."""
    wanted = list(dict.fromkeys(columns))
    if not wanted:  # constants stand in for all that is asked
        return ak.Array(ak.contents.RecordArray([], [], length=stop - start))
    try:
        if hasattr(found.tree, "common_entry_offsets"):
            got, counted = _of_ttree(found, wanted, start, stop, fast=fast)
        else:
            got, counted = _of_ntuple(found, wanted, start, stop), {}
    except (OSError, MemoryError, SpectrumError):
        raise
    except _UNREADABLE as error:
        raise _unsupported(found, wanted, error) from error
    except Exception as error:
        raise damaged(where, error) from error
    for name, column in got.items():
        if not isinstance(column, ak.Array):
            raise _not_supported(name, type(column).__name__, found.url)
    soundness.check(got, counted, where)
    return records({name: got[name] for name in wanted})


def _of_ttree(
    found: OpenTree, wanted: Sequence[str], start: int, stop: int, *, fast: bool
) -> tuple[dict[str, ak.Array], dict[str, str]]:
    """Columns of a TTree, and which branch counts the items of their lists."""
    tree = found.tree
    for name in wanted:
        _check_branch(tree[name], found)
    got = fast_read.arrays(tree, wanted, start, stop) if fast else {}
    rest = [name for name in wanted if name not in got]
    if rest:
        got |= tree.arrays(rest, entry_start=start, entry_stop=stop, how=dict)
    leaves = {name: tree[name].count_leaf for name in wanted}
    return got, {name: str(leaf.member("fName")) for name, leaf in leaves.items() if leaf}


def _of_ntuple(
    found: OpenTree, wanted: Sequence[str], start: int, stop: int
) -> dict[str, ak.Array]:
    """Columns of an RNTuple: its fields, and fields of structs as ``struct.field``."""
    record = found.tree.arrays(
        filter_name=lambda name: name in wanted, entry_start=start, entry_stop=stop
    )
    return {name: _field(record, name) for name in wanted}


def _field(record: ak.Array, name: str) -> ak.Array:
    if name in record.fields:
        return record[name]
    for step in name.split("."):
        record = record[step]
    return record


def _check_branch(branch: Any, found: OpenTree) -> None:
    """Refuse a branch of a type that uproot does not know, or with other entries than the tree."""
    name, kind = branch.name, branch.interpretation
    if isinstance(kind, UnknownInterpretation):
        raise _not_supported(name, branch.typename or "unknown", found.url)
    if isinstance(kind, AsGrouped):
        inside = ", ".join(branch.keys()[:5])
        raise _not_supported(name, f"group of branches ({inside})", found.url)
    edges = np.asarray(branch.entry_offsets, np.int64)
    entries = int(found.tree.num_entries)
    if edges[0] != 0 or edges[-1] != entries or np.any(np.diff(edges) < 0):
        said = f"damaged: {name} has {edges[-1]} entries, and the tree {entries}"
        raise DataError(said, found.url, "copy the file again")


def _not_supported(name: str, kind: str, url: str) -> DataError:
    remedy = "name other branches: numbers, lists of numbers, and what uproot makes arrays of"
    return DataError(f"{name} is of type {kind}, which is not supported", url, remedy)


def _unsupported(found: OpenTree, wanted: Sequence[str], error: Exception) -> DataError:
    """The error for columns that uproot cannot make arrays of; nothing is damaged."""
    said = str(error).strip().splitlines()[0][:120]
    for name in wanted:
        column = found.tree[name]
        if type(getattr(column, "interpretation", None)) not in (AsDtype, AsJagged):
            kind = getattr(column, "typename", None) or type(column).__name__
            return _not_supported(name, f"{kind} ({type(error).__name__}: {said})", found.url)
    return damaged(found.url, error)


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
