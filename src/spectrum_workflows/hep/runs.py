"""The ``Runs`` tree of a NanoAOD file: what the generator made before any selection."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.rootfile import damaged, opened

TREE, BRANCH = "Runs", "genEventSumw"


def generated(url: str, tree: str) -> float:
    """Sum of generator weights of all events that a file stands for.

    Parameters
    ----------
    url : str
        The file.
    tree : str
        Its tree of events, by which it is kept open.

    Raises
    ------
    DataError
        It has no ``Runs`` tree with ``genEventSumw``, as data and skims have none.
    """
    found = opened(url, tree)
    return _sum(url, tree, found.uuid, found.nbytes)


@lru_cache(maxsize=10_000)
def _sum(url: str, tree: str, uuid: str, nbytes: int) -> float:  # noqa: ARG001  (identity)
    file = opened(url, tree).tree.file.root_directory
    try:
        names = set(file.keys(recursive=False, cycle=False))
        branches = set(file[TREE].keys()) if TREE in names else set()
        if BRANCH in branches:
            return float(np.sum(file[TREE][BRANCH].array(library="np"), dtype=np.float64))
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise damaged(url, error) from error
    raise DataError(
        f"no {TREE} tree with {BRANCH}, by which genweight normalises",
        url,
        'use normalisation = "events", or files that have one',
    )
