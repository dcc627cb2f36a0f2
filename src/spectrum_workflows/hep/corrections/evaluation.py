"""Correction files as kernels: what is compiled, the library for the rest, and a check by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from correctionlib import CorrectionSet

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.corrections import kernel
from spectrum_workflows.hep.corrections.arrays import broadcast, on_elements
from spectrum_workflows.hep.corrections.formula import CannotCompileError
from spectrum_workflows.hep.corrections.reading import read_content
from spectrum_workflows.hep.corrections.tree import Input, Table, compile_correction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SEED = 20_261
ULP = 4


@dataclass(frozen=True)
class Compound:
    """A stack of corrections, each of which changes inputs of the next.

    Attributes
    ----------
    inputs : tuple of Input
    update : tuple of int
        Inputs that are changed.
    input_op, output_op : str
        ``+``, ``*`` or ``/``; of the output also ``last``.
    stack : tuple of (str, tuple of int)
        Corrections, and which of the inputs they take.
    """

    inputs: tuple[Input, ...]
    update: tuple[int, ...]
    input_op: str
    output_op: str
    stack: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class CorrectionKernels:
    """Corrections of a file, compiled.

    Attributes
    ----------
    tables : dict of str to Table or Compound
        All that are compiled.
    why : dict of str to str
        Those that only correctionlib can evaluate, and why.  They are evaluated by it.
    library : correctionlib.CorrectionSet
        The same file.
    check : int
        How many elements of every call are compared with the library.
    """

    tables: dict[str, Table | Compound]
    why: dict[str, str]
    library: CorrectionSet = field(repr=False)
    check: int = 64

    @property
    def names(self) -> tuple[str, ...]:
        """Of all corrections; compound ones last."""
        simple = dict.fromkeys(self.library)
        return (*simple, *(name for name in self.library.compound if name not in simple))

    def inputs(self, name: str) -> tuple[Input, ...]:
        """Names and types of the inputs of a correction, in their order.

        Raises
        ------
        SpecError
            There is no such correction.
        """
        return tuple(Input(i.name, i.type) for i in _of_library(self, name).inputs)

    def evaluate(self, name: str, *inputs: Any) -> Any:
        """The correction of every element.

        Parameters
        ----------
        name : str
        *inputs : array or scalar
            NumPy arrays, or Awkward Arrays of any depth, that are broadcast; words are scalars.

        Returns
        -------
        float, ndarray of float64 or ak.Array
            In the form of the inputs.

        Raises
        ------
        DataError
            An input lies where the correction has no value, is of the wrong kind, or the library
            has another result.
        SpecError
            There is no such correction, or it has other inputs.
        """
        found = on_elements(lambda *flat: self._evaluated((name,), flat)[:, 0], inputs)
        return float(found) if isinstance(found, np.ndarray) and not found.ndim else found

    def evaluate_all(self, names: Sequence[str], *inputs: Any) -> Any:
        """Several corrections of the same inputs, in one pass where their trees allow it.

        Those that have the same bins, categories and formulas, and differ in their numbers alone,
        are evaluated together: the way through the bins is gone once.

        Parameters
        ----------
        names : sequence of str
        *inputs : array or scalar
            As of `evaluate`.

        Returns
        -------
        ndarray of float64 or ak.Array
            In the form of the inputs, with a last axis more: one number for each name.

        Raises
        ------
        DataError, SpecError
            As of `evaluate`.
        """
        if not names:
            raise SpecError("no corrections are named", "evaluate_all")
        return on_elements(lambda *flat: self._evaluated(tuple(names), flat), inputs)

    def _evaluated(self, names: tuple[str, ...], inputs: tuple[Any, ...]) -> NDArray[np.float64]:
        """Values of flat inputs; shape (n, n_names)."""
        for name in names:
            _check_inputs(name, self.inputs(name), inputs)
        n = next((len(given) for given in inputs if not isinstance(given, str)), 1)
        out = np.empty((n, len(names)))
        for lanes in _groups(self, names):
            chosen = [names[k] for k in lanes]
            if len(lanes) == len(names):
                _evaluate_group(self, chosen, inputs, out)
            else:
                part = np.empty((len(out), len(lanes)))
                _evaluate_group(self, chosen, inputs, part)
                out[:, lanes] = part
        _check(self, names, inputs, out)
        return out


def compile_corrections(text: str, library: CorrectionSet, *, check: int = 64) -> CorrectionKernels:
    """Compile all corrections of a file.

    Parameters
    ----------
    text : str
        JSON of schema version 2.
    library : correctionlib.CorrectionSet
        What correctionlib made of it.
    check : int
        How many elements of every call are compared with the library.
    """
    try:
        content = read_content(text)
    except ValueError as error:  # JSON that only the library's parser accepts
        return CorrectionKernels({}, dict.fromkeys(library, f"its JSON: {error}"), library, check)
    tables: dict[str, Table | Compound] = {}
    why: dict[str, str] = {}
    for described in content.tree["corrections"]:
        try:
            tables[described["name"]] = compile_correction(described, content)
        except CannotCompileError as error:
            why[described["name"]] = str(error)
    for described in content.tree.get("compound_corrections") or ():
        name = described["name"]
        missing = [part for part in described["stack"] if part not in tables]
        if missing:
            why[name] = f"{missing[0]} is not compiled: {why[missing[0]]}"
        elif name not in tables:
            tables[name] = _compound(described, tables)
    return CorrectionKernels(tables, why, library, check)


def _compound(described: Any, tables: dict[str, Table | Compound]) -> Compound:
    inputs = tuple(Input(i["name"], i["type"]) for i in described["inputs"])
    at = {i.name: k for k, i in enumerate(inputs)}
    return Compound(
        inputs,
        tuple(at[name] for name in described["inputs_update"]),
        described["input_op"],
        described["output_op"],
        tuple((n, tuple(at[i.name] for i in tables[n].inputs)) for n in described["stack"]),
    )


def _of_library(kernels: CorrectionKernels, name: str) -> Any:
    for names in (kernels.library, kernels.library.compound):
        if name in list(names):
            return names[name]
    known = ", ".join(kernels.names[:5]) + (" …" if len(kernels.names) > 5 else "")
    raise SpecError(f"there is no correction {name!r}", "corrections", f"there are {known}")


def _check_inputs(name: str, known: tuple[Input, ...], inputs: tuple[Any, ...]) -> None:
    where = f"correction {name}"
    if len(inputs) != len(known):
        listed = ", ".join(f"{i.name} ({i.type})" for i in known)
        raise SpecError(f"{len(inputs)} inputs for {len(known)}", where, f"give {listed}")
    for given, expected in zip(inputs, known, strict=True):
        if isinstance(given, str) != (expected.type == "string"):
            kind = "a word" if isinstance(given, str) else "numbers"
            message = f"input {expected.name} is {kind}"
            raise DataError(message, where, f"it takes one of type {expected.type}")
        if expected.type == "int" and np.asarray(given).dtype.kind not in "iub":
            _check_whole(given, expected.name, where)


def _check_whole(given: NDArray[Any], name: str, where: str) -> None:
    """The library cuts decimals off; here they are an error."""
    broken = ~(np.isfinite(given) & (np.trunc(given) == given))
    if np.any(broken):
        value = given[np.flatnonzero(broken)[0]]
        raise DataError(f"input {name} is {value:g}", where, "it takes whole numbers")


def _groups(kernels: CorrectionKernels, names: tuple[str, ...]) -> list[list[int]]:
    """Which of the corrections are evaluated together."""
    groups: dict[object, list[int]] = {}
    for k, name in enumerate(names):
        table = kernels.tables.get(name)
        together = isinstance(table, Table) and not table.structure.depth
        key = table.shape if isinstance(table, Table) and together and len(names) > 1 else k
        groups.setdefault(key, []).append(k)
    return list(groups.values())


def _evaluate_group(
    kernels: CorrectionKernels,
    names: list[str],
    inputs: tuple[Any, ...],
    out: NDArray[np.float64],
) -> None:
    first = kernels.tables.get(names[0])
    if first is None:
        out[:, 0] = _by_the_library(kernels, names[0], inputs, len(out))
    elif isinstance(first, Compound):
        out[:, 0] = _stacked(kernels, names[0], first, inputs, len(out))
    else:
        tables = [kernels.tables[name] for name in names]
        lanes = [table.parameters for table in tables if isinstance(table, Table)]
        _walk(names[0], first, np.stack(lanes, axis=1), inputs, out)


def _walk(
    name: str,
    table: Table,
    parameters: NDArray[np.float64],
    inputs: tuple[Any, ...],
    out: NDArray[np.float64],
) -> None:
    values = np.empty((len(out), len(table.inputs)))
    for k, (given, known) in enumerate(zip(inputs, table.inputs, strict=True)):
        if known.type == "string":
            word = table.words.index(given) if given in table.words else -1
            values.view(np.int64)[:, k] = word
        elif known.type == "int":
            values.view(np.int64)[:, k] = given
        else:
            values[:, k] = given
    structure = table.structure
    status, element, which, bits = kernel.evaluate(
        *structure.arrays, structure.depth, parameters, values, out
    )
    if status != kernel.GOOD:
        asked = table.inputs[which]
        number: Any = np.int64(bits)
        shown = f"{number if asked.type == 'int' else number.view(np.float64):.17g}"
        shown = repr(inputs[which]) if asked.type == "string" else shown
        raise DataError(
            f"{asked.name} is {shown} in element {element}, {_WORDS[status]}",
            f"correction {name}",
            "leave such elements out, or mend the file",
        )


_WORDS = {
    kernel.BELOW: "below all bins",
    kernel.ABOVE: "above all bins",
    kernel.MISSING: "which is not among its categories",
    kernel.NO_NUMBER: "which has no place in uniform or periodic bins",
}


def _stacked(
    kernels: CorrectionKernels, name: str, compound: Compound, inputs: tuple[Any, ...], n: int
) -> NDArray[np.float64]:
    """A compound correction, one of its stack after the other."""
    changed: list[Any] = list(inputs)
    total = np.zeros(n)
    for k, (part, taken) in enumerate(compound.stack):
        table = kernels.tables[part]
        factor = np.empty((n, 1))
        if isinstance(table, Table):
            chosen = tuple(changed[i] for i in taken)
            _walk(f"{part} of {name}", table, table.parameters[:, None], chosen, factor)
        for i in compound.update:
            changed[i] = _updated(compound.input_op, changed[i], factor[:, 0])
        total = factor[:, 0] if k == 0 else _updated(compound.output_op, total, factor[:, 0])
    return total


def _updated(op: str, old: Any, factor: NDArray[np.float64]) -> Any:
    if op == "+":
        return old + factor
    if op == "*":
        return old * factor
    if op == "/":
        with np.errstate(all="ignore"):
            return old / factor
    return factor


def _by_the_library(
    kernels: CorrectionKernels, name: str, inputs: tuple[Any, ...], n: int
) -> NDArray[np.float64]:
    """What correctionlib says; its errors become ours."""
    known = _of_library(kernels, name)
    dtype = {"int": np.int64, "real": np.float64}
    full = [
        given if isinstance(given, str) else broadcast(given, n, dtype[expected.type])
        for given, expected in zip(inputs, known.inputs, strict=True)
    ]
    try:
        found = known._base.evalv(*full)
    except (RuntimeError, IndexError, ValueError) as error:
        raise DataError(str(error), f"correction {name} (correctionlib)") from None
    return np.broadcast_to(found, n)


def _check(
    kernels: CorrectionKernels,
    names: tuple[str, ...],
    inputs: tuple[Any, ...],
    out: NDArray[np.float64],
) -> None:
    """Compare some elements with the library."""
    n = len(out)
    if not kernels.check or not n:
        return
    chosen = np.arange(n)
    if n > kernels.check:
        chosen = np.sort(np.random.default_rng((SEED, n)).integers(0, n, kernels.check))
    some = tuple(
        given if isinstance(given, str) else broadcast(given, n, None)[chosen] for given in inputs
    )
    for k, name in enumerate(names):
        if name in kernels.why:
            continue
        theirs = _by_the_library(kernels, name, some, len(chosen))
        apart = ulps_apart(out[chosen, k], theirs)
        if np.any(apart > ULP):
            at = int(np.argmax(apart))
            raise DataError(
                f"compiled it gives {out[chosen[at], k]!r} for element {chosen[at]}, "
                f"correctionlib {theirs[at]!r}",
                f"correction {name}",
                "evaluate it with correctionlib, and report it",
            )


def ulps_apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many doubles two numbers are apart; 0 for two that are no numbers.

    Parameters
    ----------
    a, b : ndarray of float64, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
        Infinity where only one is no number.
    """
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    smallest = np.iinfo(np.int64).min

    def ordered(x: NDArray[np.float64]) -> NDArray[np.int64]:
        bits = x.view(np.int64)
        return np.where(bits < 0, smallest - bits, bits)

    apart = np.abs(ordered(a).astype(np.float64) - ordered(b).astype(np.float64))
    near = np.abs(ordered(a) - ordered(b))
    apart = np.where(apart < 1 << 50, near, apart)
    one, other = np.isnan(a), np.isnan(b)
    return np.where(one & other, 0.0, np.where(one | other, np.inf, apart))
