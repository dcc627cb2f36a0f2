"""A correction for given words: a table in which no category asks for them any more.

Corrections that differ in a word alone, as those of a nominal and of a varied scale factor do,
become tables of one structure where their bins are the same, and are evaluated together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.hep.corrections.kernel import (
    BINNING,
    CATEGORY,
    CONSTANT,
    FORMULA,
    HASH,
    PARAMETER,
    TRANSFORM,
    VALUE,
)
from spectrum_workflows.hep.corrections.tree import Table, shape_of

if TYPE_CHECKING:
    Node = tuple[int, int, int, int, int]


@dataclass
class _Building:
    """A table that grows from another one; ``words`` by the number of their input."""

    table: Table
    words: dict[int, int]
    nodes: list[Node] = field(default_factory=list)
    axes: list[Node] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    edges: list[float] = field(default_factory=list)
    parameters: list[float] = field(default_factory=list)


@lru_cache(maxsize=256)
def with_words(table: Table, words: tuple[str | None, ...]) -> Table:
    """The table of a correction of which some words are given.

    Parameters
    ----------
    table : Table
    words : tuple of str or None
        Of every input its word; None of numbers.

    Returns
    -------
    Table
        With the same inputs; a category that lacks a word stays, for the error that it makes.
    """
    numbers = {k: table.words.index(w) for k, w in enumerate(words) if w in table.words}
    b = _Building(table, numbers)
    _add(b, len(table.structure.nodes) - 1)
    structure = replace(
        table.structure,
        nodes=np.array(b.nodes, np.int64).reshape(-1, 5),
        axes=np.array(b.axes, np.int64).reshape(-1, 5),
        children=np.array(b.children, np.int64),
        edges=np.array(b.edges, np.float64),
    )
    parameters = np.array(b.parameters, np.float64)
    shape = shape_of(table.inputs, table.words, len(parameters), structure)
    return Table(table.inputs, table.words, structure, parameters, shape)


def _add(b: _Building, node: int) -> int:
    """Add a node of the old table and all below it; its number in the new one."""
    old = b.table.structure
    kind, first, second, flow, below = (int(x) for x in old.nodes[node])
    if kind == CATEGORY and first in b.words:
        keys = old.keys[second + 1 : second + 1 + old.keys[second]].tolist()
        word = b.words[first]
        if word in keys or flow:
            child = keys.index(word) if word in keys else len(keys)
            return _add(b, int(old.children[below + child]))
    if kind in (CONSTANT, FORMULA, HASH):
        count = _needed(b.table, first) if kind == FORMULA else int(kind == CONSTANT)
        at = len(b.parameters)
        b.parameters += b.table.parameters[below : below + count].tolist()
    else:
        number = _children(b.table, kind, first, second, flow)
        numbers = [_add(b, int(child)) for child in old.children[below : below + number]]
        at = len(b.children)
        b.children += numbers
    if kind == BINNING:
        first = _axes(b, first, second)
    b.nodes.append((kind, first, second, flow, at))
    return len(b.nodes) - 1


def _needed(table: Table, program: int) -> int:
    """How many parameters a formula has."""
    start, count = table.structure.programs[program]
    code = table.structure.code[start : start + count]
    return int(np.max(code[code[:, 0] == PARAMETER, 1] + 1, initial=0))


def _children(table: Table, kind: int, first: int, second: int, flow: int) -> int:
    """How many children a node has."""
    if kind == TRANSFORM:
        return 2
    if kind == CATEGORY:
        return int(table.structure.keys[second]) + flow
    bins = table.structure.axes[first : first + second, 3]
    return int(np.prod(bins)) + (flow == VALUE)


def _axes(b: _Building, first: int, count: int) -> int:
    """Add the axes of a binning with their edges; the number of the first."""
    begin = len(b.axes)
    for variable, uniform, edge, bins, stride in b.table.structure.axes[first : first + count]:
        number = 2 if uniform else bins + 1
        b.axes.append((int(variable), int(uniform), len(b.edges), int(bins), int(stride)))
        b.edges += b.table.structure.edges[edge : edge + number].tolist()
    return begin
