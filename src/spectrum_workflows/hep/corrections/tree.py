"""One correction as a table of numbers that a kernel can walk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.corrections.formula import (
    CannotCompileError,
    Program,
    compile_formula,
)
from spectrum_workflows.hep.corrections.kernel import (
    BINNING,
    CATEGORY,
    CLAMP,
    CONSTANT,
    DISTRIBUTIONS,
    ERROR,
    FORMULA,
    HASH,
    LITERAL,
    TRANSFORM,
    VALUE,
    WRAP,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.corrections.reading import Content

FLOWS = {"clamp": CLAMP, "error": ERROR, "wrap": WRAP}


@dataclass(frozen=True)
class Input:
    """An input of a correction: its name, and ``string``, ``int`` or ``real``."""

    name: str
    type: str


@dataclass(frozen=True)
class Structure:
    """All of a tree but the numbers in its leaves.

    Attributes
    ----------
    nodes : ndarray of int64, shape (n_nodes, 5)
        Kind, two operands, flow, and where its children begin; the root is the last.
    axes : ndarray of int64, shape (n_axes, 5)
        Of binnings: input, whether uniform, first edge, bins, stride.
    children : ndarray of int64
        Nodes.
    keys : ndarray of int64
        Of categories, in order; and the inputs that are hashed.
    edges : ndarray of float64
        Of uniform bins only the first and the last.
    programs : ndarray of int64, shape (n_programs, 2)
        First instruction, and how many.
    code : ndarray of int64, shape (n_instructions, 3)
    literals : ndarray of float64
    integers : ndarray of int64, shape (n_inputs,)
        1 where an input is an integer or the number of a word.
    depth : int
        How many transforms stand within each other.
    """

    nodes: NDArray[np.int64]
    axes: NDArray[np.int64]
    children: NDArray[np.int64]
    keys: NDArray[np.int64]
    edges: NDArray[np.float64]
    programs: NDArray[np.int64]
    code: NDArray[np.int64]
    literals: NDArray[np.float64]
    integers: NDArray[np.int64]
    depth: int

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """In the order in which the kernel takes them."""
        return (
            *(self.nodes, self.axes, self.children, self.keys, self.edges),
            *(self.programs, self.code, self.literals, self.integers),
        )


@dataclass(frozen=True, eq=False)
class Table:
    """A compiled correction; equal to itself alone.

    Attributes
    ----------
    inputs : tuple of Input
    words : tuple of str
        Those that categories know; an input of words is the index here, or -1.
    structure : Structure
    parameters : ndarray of float64
        Constants, and the parameters of formulas.
    shape : str
        Equal for tables that differ in their parameters alone.
    """

    inputs: tuple[Input, ...]
    words: tuple[str, ...]
    structure: Structure
    parameters: NDArray[np.float64]
    shape: str


@dataclass
class _Building:
    """A table that grows."""

    content: Content
    inputs: tuple[Input, ...]
    generic: list[Any]
    words: tuple[str, ...]
    nodes: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    axes: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    edges: list[float] = field(default_factory=list)
    parameters: list[float] = field(default_factory=list)
    programs: dict[tuple[str, tuple[str, ...]], int] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    compiled: list[Program] = field(default_factory=list)
    depth: int = 0

    def index(self, name: str) -> int:
        """The number of an input."""
        return next(k for k, known in enumerate(self.inputs) if known.name == name)

    def referred(self, index: str) -> int:
        """The number of a generic formula's program."""
        if index not in self.references:
            self.references[index] = _program(self, self.generic[int(index)])
        return self.references[index]


def compile_correction(described: Any, content: Content) -> Table:
    """Make the table of one entry of ``corrections``.

    Raises
    ------
    CannotCompileError
        It has a node that only the library can evaluate.
    DataError
        A formula is referred to with fewer parameters than it has: the library would read
        beyond them.
    """
    inputs = tuple(Input(i["name"], i["type"]) for i in described["inputs"])
    words = tuple(sorted({*_words(described["data"], {i.name: i.type for i in inputs})}))
    building = _Building(content, inputs, described.get("generic_formulas") or [], words)
    try:
        _add(building, described["data"], 0)
    except DataError as error:
        raise error.at(f"correction {described['name']}") from None
    return _finished(building)


def _finished(b: _Building) -> Table:
    starts = np.cumsum([0, *(len(p.code) for p in b.compiled)])
    first = np.cumsum([0, *(len(p.literals) for p in b.compiled)])
    code = [
        (op, left + int(offset) * (op == LITERAL), right)
        for p, offset in zip(b.compiled, first[:-1], strict=True)
        for op, left, right in p.code
    ]
    integer = [int(i.type != "real") for i in b.inputs]
    structure = Structure(
        _integers(b.nodes, 5),
        _integers(b.axes, 5),
        np.array(b.children, np.int64),
        np.array(b.keys, np.int64),
        np.array(b.edges, np.float64),
        _integers([(int(s), len(p.code)) for s, p in zip(starts, b.compiled, strict=False)], 2),
        _integers(code, 3),
        np.array([v for p in b.compiled for v in p.literals], np.float64),
        np.array(integer, np.int64),
        b.depth,
    )
    parameters = np.array(b.parameters, np.float64)
    return Table(
        b.inputs,
        b.words,
        structure,
        parameters,
        shape_of(b.inputs, b.words, len(parameters), structure),
    )


def shape_of(
    inputs: tuple[Input, ...], words: tuple[str, ...], parameters: int, structure: Structure
) -> str:
    """Equal for tables that differ in the values of their parameters alone."""
    arrays = structure.arrays
    told = (inputs, words, parameters, structure.depth, [a.shape for a in arrays])
    digest = hashlib.sha256(repr(told).encode())
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()


def _integers(rows: list[Any], width: int) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(-1, width)


def _words(node: Any, types: dict[str, str]) -> list[str]:
    """Keys of all categories of words."""
    if not isinstance(node, dict):
        return []
    words: list[str] = []
    if node["nodetype"] == "category" and types[node["input"]] == "string":
        words = [item["key"] for item in node["content"]]
    for name in ("content", "flow", "default", "rule"):
        below = node.get(name)
        for child in below if isinstance(below, list) else [below]:
            inner = child["value"] if isinstance(child, dict) and "key" in child else child
            words += _words(inner, types)
    return words


def _add(b: _Building, node: Any, depth: int) -> int:
    """Add a node and all below it; its number."""
    if not isinstance(node, dict):
        return _leaf(b, CONSTANT, 0, [b.content.number(node)])
    kind = node["nodetype"]
    if kind == "binning":
        axes = [(node["input"], node["edges"])]
        return _binning(b, node, axes, depth)
    if kind == "multibinning":
        axes = list(zip(node["inputs"], node["edges"], strict=True))
        return _binning(b, node, axes, depth)
    if kind == "category":
        return _category(b, node, depth)
    if kind == "formula":
        given = [b.content.number(p) for p in node.get("parameters") or ()]
        return _leaf(b, FORMULA, _program(b, node), given)
    if kind == "formularef":
        given = [b.content.number(p) for p in node["parameters"]]
        program = b.referred(node["index"])
        needed = b.compiled[program].parameters
        if len(given) < needed:
            message = f"a formularef has {len(given)} parameters, its formula {needed}"
            raise DataError(message, "", "add them")
        return _leaf(b, FORMULA, program, given)
    if kind == "transform":
        return _transform(b, node, depth)
    if kind == "hashprng":
        hashed = [b.index(name) for name in node["inputs"]]
        at = len(b.keys)
        b.keys += hashed
        return _node(b, HASH, at, len(hashed), DISTRIBUTIONS[node["distribution"]], 0)
    raise CannotCompileError(f"it has a node of type {kind}")


def _node(b: _Building, *row: int) -> int:
    b.nodes.append(row)  # type: ignore[arg-type]
    return len(b.nodes) - 1


def _leaf(b: _Building, kind: int, program: int, parameters: list[float]) -> int:
    at = len(b.parameters)
    b.parameters += parameters
    return _node(b, kind, program, 0, 0, at)


def _children(b: _Building, nodes: list[Any], depth: int) -> int:
    """Where the numbers of these nodes stand, one after the other."""
    numbers = [_add(b, node, depth) for node in nodes]
    at = len(b.children)
    b.children += numbers
    return at


def _binning(b: _Building, node: Any, axes: list[Any], depth: int) -> int:
    described = []
    for name, edges in axes:
        uniform = isinstance(edges, dict)
        numbers = [edges["low"], edges["high"]] if uniform else edges
        at = len(b.edges)
        b.edges += [b.content.number(n) for n in numbers]
        bins = int(edges["n"]) if uniform else len(edges) - 1
        described.append((b.index(name), int(uniform), at, bins))
    stride, first = 1, len(b.axes)
    rows = []
    for row in reversed(described):  # the last axis has unit stride
        rows.append((*row, stride))
        stride *= row[3]
    b.axes += reversed(rows)
    flow = FLOWS.get(node["flow"], VALUE) if isinstance(node["flow"], str) else VALUE
    below = [*node["content"], *([node["flow"]] if flow == VALUE else ())]
    at = _children(b, below, depth)
    return _node(b, BINNING, first, len(rows), flow, at)


def _category(b: _Building, node: Any, depth: int) -> int:
    variable = b.index(node["input"])
    words = b.inputs[variable].type == "string"
    items: dict[int, Any] = {}
    for item in node["content"]:
        key = b.words.index(item["key"]) if words else int(item["key"])
        items.setdefault(key, item["value"])  # as the library, the first
    ordered = sorted(items.items())
    default = node.get("default")
    below = [value for _, value in ordered] + ([] if default is None else [default])
    at = _children(b, below, depth)
    keys = len(b.keys)
    b.keys += [len(ordered), *(key for key, _ in ordered)]
    return _node(b, CATEGORY, variable, keys, int(default is not None), at)


def _transform(b: _Building, node: Any, depth: int) -> int:
    b.depth = max(b.depth, depth + 1)
    at = _children(b, [node["rule"], node["content"]], depth + 1)
    return _node(b, TRANSFORM, b.index(node["input"]), 0, 0, at)


def _program(b: _Building, formula: Any) -> int:
    """The number of a formula, compiled once for all that differ in their parameters."""
    key = (formula["expression"], tuple(formula["variables"]))
    if key not in b.programs:
        b.programs[key] = len(b.compiled)
        b.compiled.append(compile_formula(*key, tuple(i.name for i in b.inputs)))
    return b.programs[key]
