"""The ``Runs`` tree of a NanoAOD file: what the generator made before any selection."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.columns import GENERATED
from spectrum_workflows.hep.io.bookkeepers import read_bookkeepers
from spectrum_workflows.hep.io.read import read_first
from spectrum_workflows.hep.io.rootfile import OpenTree, damaged, is_tree
from spectrum_workflows.hep.normalisation import Generated

TREE = "Runs"

WEIGHTS = ("genEventSumw", "genEventSumw_")
SQUARES = ("genEventSumw2", "genEventSumw2_")
EVENTS = ("genEventCount", "genEventCount_")
"""Names that CMS gave them: NanoAODv6 and v7 have the underscore.  Sums of weights of
variations (``LHEScaleSumw``, ``LHEPdfSumw``) are relative to these."""

FEW = 10_000
"""Events whose generator weights are read before a run."""

_generated: WeakKeyDictionary[OpenTree, Generated] = WeakKeyDictionary()
"""Those of files that are open: read once for all of their partitions."""


def read_generated(tree: OpenTree) -> Generated:
    """The generated events that a file stands for; without numbers where it does not say.

    Parameters
    ----------
    tree : OpenTree
        The tree of events of the file.

    Raises
    ------
    DataError
        Its ``Runs`` tree is damaged.
    """
    if tree not in _generated:
        booked = tree.format is not None and tree.format.generated == "CutBookkeepers"
        _generated[tree] = read_bookkeepers(tree) if booked else _read(tree)
    return _generated[tree]


def first_weights(tree: OpenTree) -> tuple[float, float] | None:
    """Share of negative generator weights among the first events of a file, and their mean.

    Nothing where it has no events or no weights.
    """
    few = min(tree.entries, FEW)
    if not few or GENERATED not in tree.names:
        return None
    try:
        values = np.asarray(_flat(read_first(tree, [GENERATED], few)[GENERATED]), np.float64)
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        raise damaged(tree.url, error) from error
    return float(np.mean(values < 0)), float(np.mean(values))


def _read(tree: OpenTree) -> Generated:
    directory = tree.tree.file.root_directory
    try:
        kinds = {key.partition(";")[0]: kind for key, kind in directory.classnames().items()}
        if not is_tree(kinds.get(TREE, "")):
            return Generated()
        runs = directory[TREE]
        names = set(runs.keys())
        weights, squares, events = (
            next((_sum(runs, name) for name in known if name in names), None)
            for known in (WEIGHTS, SQUARES, EVENTS)
        )
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        raise damaged(tree.url, error) from error
    count = None if events is None else int(events)
    return Generated(weights, squares, count, runs=int(runs.num_entries))


def _sum(runs: Any, name: str) -> float:
    values = _numbers(runs, name, int(runs.num_entries))
    kind = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float64
    return float(np.sum(values, dtype=kind))


def _numbers(tree: Any, name: str, stop: int) -> Any:
    return _flat(tree[name].array(entry_stop=stop))


def _flat(column: Any) -> Any:
    """A column of one number per entry, or a refusal."""
    values = np.asarray(column)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise ValueError("a sum or weight is not one number per entry")
    return values
