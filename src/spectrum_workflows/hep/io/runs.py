"""The ``Runs`` tree of a NanoAOD file: what the generator made before any selection."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.columns import GENERATED
from spectrum_workflows.hep.io.rootfile import damaged, is_tree, opened
from spectrum_workflows.hep.normalisation import Generated, sum_of_weights

TREE = "Runs"

WEIGHTS = ("genEventSumw", "genEventSumw_")
SQUARES = ("genEventSumw2", "genEventSumw2_")
EVENTS = ("genEventCount", "genEventCount_")
"""Names that CMS gave them: NanoAODv6 and v7 have the underscore.  Sums of weights of
variations (``LHEScaleSumw``, ``LHEPdfSumw``) are relative to these."""

FEW = 10_000
"""Events whose generator weights are looked at."""


def generated(url: str, tree: str) -> Generated:
    """What a file says of the events it stands for; nothing where it has no such tree.

    Parameters
    ----------
    url : str
        The file.
    tree : str
        Its tree of events, by which it is kept open.

    Raises
    ------
    DataError
        It is damaged.
    """
    found = opened(url, tree)
    return _generated(url, tree, found.uuid, found.nbytes)


def weights(url: str, tree: str) -> float:
    """Sum of generator weights of all events that a file stands for.

    Raises
    ------
    DataError
        It has no ``Runs`` tree with ``genEventSumw``, as data has none.
    """
    entries = int(opened(url, tree).tree.num_entries)
    return sum_of_weights(generated(url, tree), url, entries=entries)


def first_weights(url: str, tree: str) -> tuple[float, float] | None:
    """Share of negative generator weights among the first events of a file, and their mean.

    Nothing where it has no events or no weights.
    """
    found = opened(url, tree)
    few = min(int(found.tree.num_entries), FEW)
    if not few or GENERATED not in found.names:
        return None
    try:
        values = np.asarray(_numbers(found.tree, GENERATED, few), np.float64)
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        raise damaged(url, error) from error
    return float(np.mean(values < 0)), float(np.mean(values))


@lru_cache(maxsize=10_000)
def _generated(url: str, tree: str, uuid: str, nbytes: int) -> Generated:  # noqa: ARG001  (identity)
    file = opened(url, tree).tree.file.root_directory
    try:
        kinds = {key.partition(";")[0]: kind for key, kind in file.classnames().items()}
        if not is_tree(kinds.get(TREE, "")):
            return Generated()
        runs = file[TREE]
        names = set(runs.keys())
        sums = [
            next((_sum(runs, name) for name in known if name in names), None)
            for known in (WEIGHTS, SQUARES, EVENTS)
        ]
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        raise damaged(url, error) from error
    weights, squares, events = sums
    count = None if events is None else int(events)
    return Generated(weights, squares, count, runs=int(runs.num_entries))


def _sum(runs: Any, name: str) -> float:
    values = _numbers(runs, name, int(runs.num_entries))
    kind = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float64
    return float(np.sum(values, dtype=kind))


def _numbers(tree: Any, name: str, stop: int) -> Any:
    values = np.asarray(tree[name].array(entry_stop=stop))
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise ValueError(f"{name} is not one number per entry")
    return values
