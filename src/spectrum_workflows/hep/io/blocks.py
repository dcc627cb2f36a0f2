"""Luminosity blocks of a file: those of its events, and those that hold none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.columns import CERTIFICATION
from spectrum_workflows.hep.io.read import read
from spectrum_workflows.hep.io.rootfile import OpenTree, damaged, is_tree
from spectrum_workflows.hep.select.event_filters import BLOCKS
from spectrum_workflows.hep.types.luminosity import Blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.types import Events

TREE = "LuminosityBlocks"

_of_files: WeakKeyDictionary[OpenTree, tuple[Blocks, NDArray[np.int64]]] = WeakKeyDictionary()
"""Blocks of files that are open, and which of them every event is in."""


def read_blocks(tree: OpenTree, events: Events) -> Blocks:
    """The blocks of a file, with the events of one partition as those that are read.

    Raises
    ------
    DataError
        The file has no numbers of runs and blocks, or is damaged.
    """
    if tree not in _of_files:
        _of_files[tree] = _whole(tree, events)
    blocks, of_event = _of_files[tree]
    read_here = np.bincount(of_event[events.start : events.stop], minlength=len(blocks.place))
    return replace(blocks, read=read_here.astype(np.int64))


def _whole(tree: OpenTree, events: Events) -> tuple[Blocks, NDArray[np.int64]]:
    own = np.zeros(0, np.int64)
    if tree.entries:
        whole = replace(events, start=0, stop=tree.entries)
        own = _places(read(tree, whole, CERTIFICATION))
    listed = _listed(tree)
    more = own[:0] if listed is None else listed
    place, where = np.unique(np.concatenate([own, more]), return_inverse=True)
    of_event = where[: len(own)].astype(np.int64)
    counts = np.bincount(of_event, minlength=len(place)).astype(np.int64)
    return Blocks(place, counts, np.zeros_like(counts), listed is not None), of_event


def _listed(tree: OpenTree) -> NDArray[np.int64] | None:
    """Blocks that the file lists beside its events; None where it does not."""
    directory = tree.tree.file.root_directory
    try:
        kinds = {key.partition(";")[0]: kind for key, kind in directory.classnames().items()}
        if not is_tree(kinds.get(TREE, "")):
            return None
        return _places({name: directory[TREE][name].array() for name in CERTIFICATION})
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        raise damaged(tree.url, error) from error


def _places(columns: Any) -> NDArray[np.int64]:
    run, block = (np.asarray(columns[name], np.int64) for name in CERTIFICATION)
    return run * BLOCKS + block
