"""Formulas as programs: correctionlib parses, and equal parts are computed once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from correctionlib import _core

from spectrum_workflows.hep.corrections.kernel import LITERAL, OPERATIONS, PARAMETER, VARIABLE


class CannotCompileError(Exception):
    """A correction that only the library can evaluate, and why."""


@dataclass(frozen=True)
class Program:
    """One formula; the result of instruction k is register k, and the last one is the value.

    Attributes
    ----------
    code : tuple of (int, int, int)
        Operation and two registers; of one that loads, the index of what it loads.
    literals : tuple of float
    parameters : int
        How many it needs.
    """

    code: tuple[tuple[int, int, int], ...]
    literals: tuple[float, ...]
    parameters: int


@lru_cache(maxsize=1024)
def compile_formula(
    expression: str, variables: tuple[str, ...], inputs: tuple[str, ...]
) -> Program:
    """A formula with free parameters.

    Parameters
    ----------
    expression : str
        In the language of ROOT's TFormula.
    variables : tuple of str
        Names of x, y, z and t.
    inputs : tuple of str
        Names of all inputs of the correction.
    """
    named = re.findall(r"\[\s*(\d+)\s*\]", expression)
    count = max((int(k) for k in named), default=-1) + 1
    # The library puts parameters in when it parses: where two sets of them differ, there is one.
    first = _parsed(expression, variables, inputs, [float(k) for k in range(count)])
    second = _parsed(expression, variables, inputs, [-1.0 - k for k in range(count)])
    code: dict[tuple[int, int, int], int] = {}
    literals: dict[str, int] = {}
    values: list[float] = []
    needed = 0

    def register(node: Any, other: Any) -> int:
        nonlocal needed
        kind = node.nodetype.name
        if kind == "VARIABLE":
            instruction = (VARIABLE, int(node.data), 0)
        elif kind == "LITERAL" and node.data != other.data:
            instruction = (PARAMETER, int(node.data), 0)
            needed = max(needed, int(node.data) + 1)
        elif kind == "LITERAL":
            at = literals.setdefault(float(node.data).hex(), len(literals))
            if at == len(values):
                values.append(float(node.data))
            instruction = (LITERAL, at, 0)
        else:
            name = node.data.name
            if name not in OPERATIONS:
                raise CannotCompileError(f"a formula has the operation {name}")
            registers = [
                register(*pair) for pair in zip(node.children, other.children, strict=True)
            ]
            instruction = (OPERATIONS[name], registers[0], registers[-1])
        return code.setdefault(instruction, len(code))

    last = register(first, second)
    if last != len(code) - 1:  # never: a register is new or an operand of a newer one
        raise CannotCompileError("a formula whose value is not its last operation")
    return Program(tuple(code), tuple(values), needed)


def _parsed(
    expression: str, variables: tuple[str, ...], inputs: tuple[str, ...], parameters: list[float]
) -> Any:
    described = {
        "nodetype": "formula",
        "expression": expression,
        "parser": "TFormula",
        "variables": variables,
        "parameters": parameters,
    }
    declared = [json.dumps({"name": name, "type": "real"}) for name in inputs]
    formula = _core.Formula.from_string(
        json.dumps(described), [_core.Variable.from_string(v) for v in declared]
    )
    return formula.ast
