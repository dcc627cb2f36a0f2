"""Files of generated events while they are written: as NanoAOD, and as PHYSLITE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.io.bookkeepers import TREE as METADATA
from spectrum_workflows.hep.io.rootfile import SYNTHETIC
from spectrum_workflows.hep.io.runs import TREE as RUNS
from spectrum_workflows.hep.synthetic.physlite import Containers, as_physlite, bookkeepers

NTUPLE = "EventData"
"""Name of the tree in files of ATLAS where it is an RNTuple."""

JAGGED = "[]"
"""Ends the name of a container of lists, which is otherwise that of its counter."""

MEMBER = ".m_pers"
"""Begins the members of a link, behind its name."""


@dataclass
class NanoAODFile:
    """A file with the trees ``Events`` and ``Runs``.

    Attributes
    ----------
    file : uproot.WritableDirectory
    tree : uproot.WritableTree, optional
        Once there are events.
    """

    file: Any
    tree: Any = None

    def extend(self, events: dict[str, ak.Array]) -> None:
        """Append events, as `nanoaod.generate` makes them."""
        if self.tree is None:
            types = {name: column.type for name, column in events.items()}
            self.tree = self.file.mktree("Events", types, title=SYNTHETIC)
        self.tree.extend(events)

    def finish(self, weights: NDArray[np.float64] | None) -> None:
        """Write the sums over all generated events, of simulation."""
        runs: dict[str, NDArray[Any]] = {"run": np.ones(1, np.uint32)}
        if weights is not None:
            runs |= {
                "genEventCount": np.array([len(weights)], np.int64),
                "genEventSumw": np.array([weights.sum()]),
                "genEventSumw2": np.array([(weights**2).sum()]),
            }
        self.file[RUNS] = runs


@dataclass
class PhysliteFile:
    """A file with a tree of containers, and CutBookkeepers in ``MetaData``.

    Attributes
    ----------
    file : uproot.WritableDirectory
    name : str
        Of the tree; `NTUPLE` is an RNTuple.
    tree : uproot.WritableTree or WritableNTuple, optional
        Once there are events.
    """

    file: Any
    name: str
    tree: Any = None

    def extend(self, events: dict[str, ak.Array]) -> None:
        """Append events, as `nanoaod.generate` makes them."""
        containers = as_physlite(events)
        columns = _fields(containers) if self.name == NTUPLE else _branches(containers)
        if self.tree is None and self.name == NTUPLE:
            none = {name: column[:0] for name, column in columns.items()}
            self.tree = self.file.mkrntuple(self.name, none, description=SYNTHETIC)
        elif self.tree is None:
            self.tree = self.file.mktree(
                self.name,
                {name: column.type for name, column in columns.items()},
                title=SYNTHETIC,
                counter_name=lambda counted: f"n{counted.removesuffix(JAGGED)}",
                field_name=lambda _, inner: inner,
            )
        self.tree.extend(columns)

    def finish(self, weights: NDArray[np.float64] | None) -> None:
        """Write the bookkeepers of all generated events, of simulation."""
        if weights is not None:
            columns = bookkeepers(weights)
            none = {name: column[:0] for name, column in columns.items()}
            self.file.mkrntuple(METADATA, none).extend(columns)


def _branches(containers: Containers) -> dict[str, ak.Array]:
    """Branches of a TTree; lists of one container share their counter."""
    out: dict[str, ak.Array] = {}
    for container, columns in containers.items():
        named = {f"{container}AuxDyn.{name}": column for name, column in columns.items()}
        lists = {name: column for name, column in named.items() if column.ndim > 1}
        out |= {name: column for name, column in named.items() if name not in lists}
        if lists:
            out[container + JAGGED] = ak.zip(lists)
    return out


def _fields(containers: Containers) -> dict[str, ak.Array]:
    """Fields of an RNTuple; links are structs."""
    out: dict[str, ak.Array] = {}
    links: dict[str, dict[str, ak.Array]] = {}
    for container, columns in containers.items():
        for name, column in columns.items():
            link, member, _ = name.partition(MEMBER)
            if member:
                members = links.setdefault(f"{container}AuxDyn:{link}", {})
                members[name.removeprefix(f"{link}.")] = column
            else:
                out[f"{container}AuxDyn:{name}"] = column
    return out | {name: ak.zip(members) for name, members in links.items()}
