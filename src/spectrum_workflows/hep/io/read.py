"""Columns of one partition, read from an open tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import awkward as ak
import numpy as np
from awkward.errors import FieldNotFoundError
from uproot.interpretation.grouped import AsGrouped
from uproot.interpretation.identify import UnknownInterpretation
from uproot.interpretation.jagged import AsJagged
from uproot.interpretation.numerical import AsDtype
from uproot.interpretation.objects import CannotBeAwkward

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep.columns import RequestedColumns, records, refuse_missing
from spectrum_workflows.hep.io import fast_read, soundness
from spectrum_workflows.hep.io.rootfile import OpenTree, damaged
from spectrum_workflows.hep.io.stored import Stored, column_of
from spectrum_workflows.hep.types import Events

_UNREADABLE = (
    *(NotImplementedError, FieldNotFoundError, CannotBeAwkward),
    *(AttributeError, TypeError),
)
"""Raised by uproot where it cannot make an array of what it reads."""


def read(
    tree: OpenTree,
    events: Events,
    columns: Sequence[str],
    *,
    requested: RequestedColumns | None = None,
) -> ak.Array:
    """Read some columns of one partition.

    Parameters
    ----------
    tree : OpenTree
        The tree that the events are in.
    events : Events
        Which entries of which file.
    columns : sequence of str
        Names of branches.
    requested : RequestedColumns, optional
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
    check_unchanged(tree, events)
    refuse(tree, columns, requested=requested)
    fast = storage.is_local(events.url)
    arrays = _columns(tree, columns, events.start, events.stop, where=events.where, fast=fast)
    if len(arrays) != events.size:
        raise DataError(f"only {len(arrays)} events could be read", events.where)
    return arrays


def check_unchanged(tree: OpenTree, events: Events) -> None:
    """Refuse a file that is not the one, or as long as, the run was planned with.

    Raises
    ------
    DataError
        It is another.
    """
    if events.uuid and (tree.uuid, tree.nbytes) != (events.uuid, events.nbytes):
        raise DataError("file has changed since the run was planned", events.where, "run again")
    if events.entries is not None and tree.entries != events.entries:
        raise wrong_count(events.url, tree.entries, events.entries)


def wrong_count(url: str, entries: int, counted: int) -> DataError:
    """The error for a file that spec or catalogue count otherwise."""
    message = f"has {entries} events, not {counted} as was said"
    return DataError(message, url, "correct the number of events of this file")


def read_first(tree: OpenTree, columns: Sequence[str], count: int) -> ak.Array:
    """Some columns of the first events of a tree; shape (count,)."""
    return _columns(tree, columns, 0, count, where=tree.url, fast=False)


def read_no_events(tree: OpenTree, columns: Sequence[str]) -> ak.Array:
    """No events, but with the types that the columns of the tree have; shape (0,)."""
    end = tree.entries  # not 0: that would unpack the first basket
    return _columns(tree, columns, end, end, where=tree.url, fast=True)


def refuse(
    tree: OpenTree, columns: Sequence[str], *, requested: RequestedColumns | None = None
) -> None:
    """Refuse a tree that lacks some columns, or what its format makes them of.

    Raises
    ------
    DataError
        As `refuse_missing`; of a column of a format it names the branch.
    """
    for column in columns:
        place = tree.places.get(column)
        if tree.format is not None and isinstance(place, str):
            fault = f"no branch {place!r} in {tree.name}, of which {tree.format.name} makes"
            remedy = f"say in [fallbacks.{column}] what stands in, or in [formats] what makes it"
            raise DataError(f"{fault} {column!r}", tree.url, remedy)
    names = tree.names
    refuse_missing(
        columns, names, tree=tree.name, url=tree.url, requested=requested, file_format=tree.format
    )


def _columns(
    tree: OpenTree, columns: Sequence[str], start: int, stop: int, *, where: str, fast: bool
) -> ak.Array:
    """Columns as records, made of branches as the tree's format says."""
    columns = list(dict.fromkeys(columns))
    names = tree.branches_of(columns)
    read = _branches(tree, names, start, stop, where=where, fast=fast)
    if tree.format is None or not columns:
        return read
    made = {}
    for column in columns:
        place = tree.places.get(column)
        made[column] = (
            column_of(column, place, read, where) if isinstance(place, Stored) else read[column]
        )
    return records(made)


def _branches(
    tree: OpenTree, names: Sequence[str], start: int, stop: int, *, where: str, fast: bool
) -> ak.Array:
    """Branches as records, checked; ``fast`` reads in vain what is left to uproot: local files."""
    if not names:  # constants stand in for all that is asked
        return ak.Array(ak.contents.RecordArray([], [], length=stop - start))
    try:
        counters: dict[str, str] = {}
        if tree.is_ntuple:
            columns = _of_ntuple(tree, names, start, stop)
        else:
            columns, counters = _of_ttree(tree, names, start, stop, fast=fast)
    except (OSError, MemoryError, SpectrumError):
        raise
    except _UNREADABLE as error:
        raise _unsupported(tree, names, error) from error
    except Exception as error:
        raise damaged(where, error) from error
    for name, column in columns.items():
        if not isinstance(column, ak.Array):
            raise _not_supported(name, type(column).__name__, tree.url)
    soundness.check(columns, counters, where)
    return records({name: columns[name] for name in names})


def _of_ttree(
    tree: OpenTree, names: Sequence[str], start: int, stop: int, *, fast: bool
) -> tuple[dict[str, ak.Array], dict[str, str]]:
    """Columns of a TTree, and which branch counts the items of their lists."""
    branches = {name: tree.tree[name] for name in names}
    for branch in branches.values():
        check_branch(branch, tree)
    columns = fast_read.arrays(tree.tree, names, start, stop) if fast else {}
    rest = [name for name in names if name not in columns]
    if rest:
        columns |= tree.tree.arrays(rest, entry_start=start, entry_stop=stop, how=dict)
    leaves = {name: branch.count_leaf for name, branch in branches.items()}
    return columns, {name: str(leaf.member("fName")) for name, leaf in leaves.items() if leaf}


def _of_ntuple(tree: OpenTree, names: Sequence[str], start: int, stop: int) -> dict[str, ak.Array]:
    """Columns of an RNTuple: its fields, and fields of structs as ``struct.field``."""
    record = tree.tree.arrays(
        filter_name=lambda name: name in names, entry_start=start, entry_stop=stop
    )
    return {name: _field(record, name) for name in names}


def _field(record: ak.Array, name: str) -> ak.Array:
    if name in record.fields:
        return record[name]
    for step in name.split("."):
        record = record[step]
    return record


def check_branch(branch: Any, tree: OpenTree) -> None:
    """Refuse a branch of a TTree that cannot be read.

    Raises
    ------
    DataError
        It is of a type that uproot does not know, or has other entries than the tree.
    """
    name, kind = branch.name, branch.interpretation
    if isinstance(kind, UnknownInterpretation):
        raise _not_supported(name, branch.typename or "unknown", tree.url)
    if isinstance(kind, AsGrouped):
        inside = ", ".join(branch.keys()[:5])
        raise _not_supported(name, f"group of branches ({inside})", tree.url)
    edges = np.asarray(branch.entry_offsets, np.int64)
    if edges[0] != 0 or edges[-1] != tree.entries or np.any(np.diff(edges) < 0):
        message = f"damaged: {name} has {edges[-1]} entries, and the tree {tree.entries}"
        raise DataError(message, tree.url, "copy the file again")


def _not_supported(name: str, kind: str, url: str) -> DataError:
    remedy = "name other branches: numbers, lists of numbers, and what uproot makes arrays of"
    return DataError(f"{name} is of type {kind}, which is not supported", url, remedy)


def _unsupported(tree: OpenTree, names: Sequence[str], error: Exception) -> DataError:
    """The error for columns that uproot cannot make arrays of; nothing is damaged."""
    line = str(error).strip().splitlines()[0][:120]
    for name in names:
        column = tree.tree[name]
        if type(getattr(column, "interpretation", None)) not in (AsDtype, AsJagged):
            kind = getattr(column, "typename", None) or type(column).__name__
            return _not_supported(name, f"{kind} ({type(error).__name__}: {line})", tree.url)
    return damaged(tree.url, error)
