"""CutBookkeepers of ATLAS: what was generated before any selection."""

from __future__ import annotations

import re
from typing import Any

import awkward as ak
import numpy as np

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.io.rootfile import OpenTree, damaged, is_tree
from spectrum_workflows.hep.normalisation import Generated

TREE = "MetaData"

TOLD_BY = "bookkeeper"

EVERY = "AllExecutedEvents"
"""Name of the bookkeeper of all events, with the nominal weight."""

STREAMS = ("StreamAOD", "StreamDAOD_PHYSLITE", "StreamEVGEN", "StreamEVNT")
"""Streams in which it counts what was generated; of several the latest cycle, as ATLAS'
AsgCutBookkeeperAlg has it."""

_MEMBERS = (
    *("name", "cycle", "inputStream"),
    *("sumOfEventWeights", "sumOfEventWeightsSquared", "nAcceptedEvents"),
)


def read_bookkeepers(tree: OpenTree) -> Generated:
    """The generated events that a file stands for; without numbers where it does not say.

    Raises
    ------
    DataError
        Its tree of metadata is damaged.
    """
    directory = tree.tree.file.root_directory
    try:
        kinds = {key.partition(";")[0]: kind for key, kind in directory.classnames().items()}
        if not is_tree(kinds.get(TREE, "")):
            return Generated(told_by=TOLD_BY)
        metadata = directory[TREE]
        keys = {_member(key): key for key in metadata.keys()}  # noqa: SIM118
        if not {*_MEMBERS} <= {*keys}:
            return Generated(told_by=TOLD_BY)
        columns = {name: _flat(metadata[keys[name]].array()) for name in _MEMBERS}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        raise damaged(tree.url, error) from error
    fits = [row for row in rows if row["name"] == EVERY and row["inputStream"] in STREAMS]
    if not fits:
        return Generated(told_by=TOLD_BY)
    latest = max(row["cycle"] for row in fits)
    counted = [row for row in fits if row["cycle"] == latest]
    return Generated(
        float(np.sum([row["sumOfEventWeights"] for row in counted], dtype=np.float64)),
        float(np.sum([row["sumOfEventWeightsSquared"] for row in counted], dtype=np.float64)),
        int(sum(row["nAcceptedEvents"] for row in counted)),
        runs=len(counted),
        told_by=TOLD_BY,
    )


def _member(key: str) -> str:
    """Which member of the bookkeepers a branch holds; empty if of something else."""
    match = re.fullmatch(r"CutBookkeepersAux[.:]+(\w+)", key.rpartition("/")[2])
    return match[1] if match else ""


def _flat(column: Any) -> list[Any]:
    """All values of a branch, whether each entry holds one or a list of them."""
    values = ak.to_list(column)
    return [v for entry in values for v in (entry if isinstance(entry, list) else [entry])]
