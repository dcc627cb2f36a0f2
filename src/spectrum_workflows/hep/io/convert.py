"""Re-encoding ROOT files: some branches, ZSTD, clusters of a sensible size.

LZMA and ZLIB cost most of the time of reading a file; ZSTD unpacks several times
faster.  Every value keeps its bits and its type; the counters of jagged branches
become int32, which is the type of counters that uproot writes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import awkward as ak
import uproot

from spectrum_workflows import storage
from spectrum_workflows.domain import Report
from spectrum_workflows.errors import DataError, OutputError, SpecError, SpectrumError
from spectrum_workflows.hep.io.atomic_write import atomic_write
from spectrum_workflows.hep.io.clusters import clusters
from spectrum_workflows.hep.io.rootfile import OpenTree, close_all, damaged, open_tree
from spectrum_workflows.hep.io.runs import TREE

CLUSTER_BYTES = 64 << 20
"""Unpacked bytes of the branches in a cluster, unless the user says how many events."""

MOST_EVENTS, FEWEST_EVENTS = 200_000, 1_000
"""Bounds of a cluster, so that partitions and baskets keep a sensible size."""

JAGGED = "[]"
"""Ends the name of a group of jagged columns, which is otherwise that of their counter."""

Columns = dict[str, ak.Array]


def convert(
    source: str,
    target: str,
    *,
    columns: Sequence[str] = (),
    cluster_events: int | None = None,
    overwrite: bool = False,
    report: Report | None = None,
) -> dict[str, Any]:
    """Write some branches of a tree into a new ROOT file, compressed with ZSTD.

    Memory does not grow with the file: one cluster is held at a time.

    Parameters
    ----------
    source, target : str
        URLs of ROOT files; the target appears when it is complete.  A tree that
        is not called ``Events`` follows the source, as in ``FILE.root:TREE``.
    columns : sequence of str
        Branches; all if none are given.  ``NAME?`` is kept if it is there.
        Counters of jagged branches come along, and so does the ``Runs`` tree.
    cluster_events : int, optional
        Events per cluster, which is what can be read on its own; by default
        as many as have 64 MB in these branches, between 1,000 and 200,000.
    overwrite : bool
        Replace a file that is at the target.
    report : callable, optional
        ``report("convert", done, total)`` in events.

    Returns
    -------
    dict
        ``url``, ``events``, ``branches``, ``bytes`` of the new file and
        ``source_bytes`` that these branches had in the old one.

    Raises
    ------
    DataError
        The source is damaged, or has a branch that cannot be written.
    OutputError
        The target is there already, or cannot be written to.
    SpecError
        The target is the source, or a number makes no sense.
    """
    source, name = _tree_of(source)
    _check(source, target, overwrite)
    tree = open_tree(source, name)
    if tree.is_ntuple:
        raise DataError(f"{name} is an RNTuple, not a TTree", source, "it is read as it is")
    branches = _branches_to_keep(tree, columns)
    stored = clusters(tree, branches)
    groups = _groups(tree, branches)
    events = cluster_events or _cluster(stored.uncompressed, tree.entries)
    if events < 1:
        raise SpecError("cluster_events must be at least 1", str(events))
    recipe = f"{tree.uuid} {sorted(branches)} clusters {events}"
    identity = uuid.uuid5(uuid.NAMESPACE_OID, recipe)
    done = 0
    with (
        atomic_write(target) as path,
        uproot.recreate(path, compression=uproot.ZSTD(5), uuid_function=lambda: identity) as file,
    ):
        out = None
        for chunk in _chunks(tree, groups, events):
            out = out if out is not None else _created(file, tree, chunk)
            done += len(next(iter(chunk.values())))
            if done or tree.entries:
                out.extend(chunk)
            if report:
                report("convert", done, tree.entries)
        _copy_runs(file, tree)
    close_all()
    return {
        "url": target,
        "events": done,
        "branches": len(branches),
        "bytes": int(storage.info(target)["size"]),
        "source_bytes": int(stored.baskets[:, 2].sum()),
    }


def _tree_of(source: str) -> tuple[str, str]:
    """A file's URL and the name of the tree in it."""
    url, named, tree = source.rpartition(".root:")
    return (f"{url}.root", tree) if named and tree else (source, "Events")


def _check(source: str, target: str, overwrite: bool) -> None:
    """Refuse to write over the source, or over anything unasked."""
    if storage.locate(source)[1] == storage.locate(target)[1]:
        raise SpecError("source and target are the same file", target, "choose another name")
    if storage.exists(target) and not overwrite:
        raise OutputError("there is a file already", target, "--overwrite replaces it")


def _branches_to_keep(tree: OpenTree, columns: Sequence[str]) -> tuple[str, ...]:
    """Branches to keep, each once."""
    have = tuple(tree.tree.keys(recursive=False))
    kept = (c for c in columns if not c.endswith("?") or c.removesuffix("?") in have)
    return tuple(dict.fromkeys(name.removesuffix("?") for name in kept)) or have


def _copy_runs(file: Any, tree: OpenTree) -> None:
    """Copy the numbers per run, among them the sum of generator weights."""
    source = tree.tree.file.root_directory
    if TREE not in source.keys(recursive=False, cycle=False):
        return
    try:
        columns = {name: source[TREE][name].array() for name in source[TREE].keys()}  # noqa: SIM118
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise damaged(tree.url, error) from error
    arrays = {n: a for n, a in columns.items() if a.layout.is_numpy and a.ndim == 1}
    if arrays:
        file.mktree(TREE, {name: a.type for name, a in arrays.items()}).extend(arrays)


def _cluster(nbytes: int, entries: int) -> int:
    per_event = max(1, nbytes // max(entries, 1))
    return min(MOST_EVENTS, max(FEWEST_EVENTS, CLUSTER_BYTES // per_event))


def _groups(tree: OpenTree, branches: Sequence[str]) -> dict[str, list[str]]:
    """Jagged branches by their counter, flat ones below an empty name."""
    groups: dict[str, list[str]] = {}
    for name in branches:
        branch = tree.tree[name]
        jagged = isinstance(branch.interpretation, uproot.AsJagged)
        if not jagged and not isinstance(branch.interpretation, uproot.AsDtype):
            raise DataError(
                f"branch {name} holds {branch.typename}, which cannot be re-encoded",
                tree.url,
                "name the branches to keep, without it, with --columns",
            )
        groups.setdefault(_counter(branch) if jagged else "", []).append(name)
    counters = groups.keys() - {""}
    groups[""] = [name for name in groups.get("", []) if name not in counters]
    return groups


def _counter(branch: Any) -> str:
    """The branch that counts a jagged one; ``nNAME`` where it has none of its own."""
    leaf = branch.member("fLeaves")[0].member("fLeafCount", none_if_missing=True)
    return f"n{branch.name}" if leaf is None else str(leaf.member("fName"))


def _chunks(tree: OpenTree, groups: dict[str, list[str]], events: int) -> Iterator[Columns]:
    """The columns of one cluster after the other, at least one."""
    names = [name for group in groups.values() for name in group]
    try:
        if not tree.tree.num_entries:
            yield _grouped(tree.tree.arrays(names, entry_start=0, entry_stop=0, how=dict), groups)
        for arrays in tree.tree.iterate(names, step_size=events, how=dict, library="ak"):
            yield _grouped(arrays, groups)
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        raise damaged(tree.url, error) from error


def _grouped(arrays: dict[str, ak.Array], groups: dict[str, list[str]]) -> Columns:
    """Flat columns as they are; jagged ones of one counter as records below its name."""
    out = {name: arrays[name] for name in groups[""]}
    for counter, names in groups.items():
        if counter:
            out[counter + JAGGED] = ak.zip({name: arrays[name] for name in names})
    return out


def _created(file: Any, tree: OpenTree, chunk: Columns) -> Any:
    """The new tree: a record's fields keep their names, its own name is the counter's."""
    return file.mktree(
        tree.name,
        {name: column.type for name, column in chunk.items()},
        title=tree.tree.title,
        counter_name=lambda counted: counted.removesuffix(JAGGED),
        field_name=lambda _, inner: inner,
    )
