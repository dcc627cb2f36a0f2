"""Corrections of one structure side by side, and what of their formulas is the same for all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.hep.corrections.kernel import (
    FORMULA,
    LITERAL,
    ONCE,
    PARAMETER,
    SPREAD,
    VARIABLE,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.corrections.tree import Structure, Table


@dataclass(frozen=True)
class Lanes:
    """What the kernel needs besides the structure.

    Attributes
    ----------
    parameters : ndarray of float64, shape (n_parameters, n_corrections)
    shared : ndarray of int64, shape (n_instructions,)
        As of `kernel.evaluate`.
    """

    parameters: NDArray[np.float64]
    shared: NDArray[np.int64]


@lru_cache(maxsize=256)
def side_by_side(tables: tuple[Table, ...]) -> Lanes:
    """Join the parameters of tables of one shape."""
    parameters = np.stack([table.parameters for table in tables], axis=1)
    bits = parameters.view(np.int64)
    same = np.all(bits == bits[:, :1], axis=1)
    structure = tables[0].structure
    shared = np.zeros(len(structure.code), np.int64)
    for number, (start, count) in enumerate(structure.programs):
        shared[start : start + count] = _shared(structure, number, same)
    return Lanes(parameters, shared)


def _shared(structure: Structure, number: int, same: NDArray[np.bool_]) -> list[int]:
    """Of one program, for each instruction; from parameters that are the same in all lanes."""
    start, count = structure.programs[number]
    nodes = structure.nodes
    leaves = nodes[(nodes[:, 0] == FORMULA) & (nodes[:, 1] == number), 4]
    code = [(int(op), int(a), int(b)) for op, a, b in structure.code[start : start + count]]
    lanes: list[int] = []
    for op, a, b in code:
        if op == PARAMETER:
            lanes.append(ONCE * bool(np.all(same[leaves + a])))
        elif op in (VARIABLE, LITERAL):
            lanes.append(ONCE)
        else:
            lanes.append(ONCE * bool(lanes[a] and lanes[b]))
    for k, (op, a, b) in enumerate(code):
        if not lanes[k] and op not in (PARAMETER, VARIABLE, LITERAL):
            for operand in (a, b):
                lanes[operand] = SPREAD if lanes[operand] else 0
    lanes[-1] = SPREAD if lanes[-1] else 0
    return lanes
