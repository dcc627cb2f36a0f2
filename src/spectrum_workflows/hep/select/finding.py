"""The ``select`` function a spec names: found in a file or a package, and its cuts checked.

A function from a file travels with that file and what it uses beside it, and a
process that has seen an older version still computes the new one.  A function from
an installed package travels as its name.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.code_identity import code_of
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.select.bundle import Bundle, gathered
from spectrum_workflows.hep.select.selection import TOLD, Selection
from spectrum_workflows.hep.select.source import Installed, Select, function_of, module_of
from spectrum_workflows.hep.select.user_errors import first_line
from spectrum_workflows.hep.spec.cuts import bound
from spectrum_workflows.specs import closest


def find_selection(
    select: str, cuts: Mapping[str, Any], *, folder: str = "", options: Sequence[str] = ()
) -> Selection:
    """Load ``module:function`` or ``file.py:function`` and bind its cuts.

    Parameters
    ----------
    select : str
        As in the spec.
    cuts : mapping
        Keyword arguments by name; the rest keep their defaults.
    folder : str
        What a relative file name is relative to.
    options : sequence of str
        Other keyword arguments it must take: ``variations``, ``corrections``.

    Raises
    ------
    SpecError
        No such file, module, function or cut; the closest name is suggested.
    """
    named, _, name = select.rpartition(":")
    source = _bundle(named, folder) if named.endswith(".py") else _installed(named)
    module = module_of(source)
    function = getattr(module, name, None)
    if not callable(function):
        known = [n for n, f in vars(module).items() if callable(f) and not n.startswith("_")]
        raise SpecError(f"no function {name!r} in {named}", "select", closest(name, known))
    return Selection(name, source, bound(cuts), _told(name, function, cuts, options))


def check_cuts(selection: Selection, cuts: Mapping[str, Any], options: Sequence[str]) -> None:
    """Refuse other cuts that a selection does not take.

    Raises
    ------
    SpecError
        As `find_selection`.
    """
    function = function_of(selection.source, selection.name)
    _told(selection.name, function, cuts, options)


def check_function(selection: Selection, name: str, where: str) -> None:
    """Refuse the name of a function that does not stand beside a selection.

    Raises
    ------
    SpecError
        There is none; the closest is named.
    """
    own = vars(module_of(selection.source))
    known = {n for n, f in own.items() if callable(f) and not n.startswith("_")}
    if name not in known:
        message = f"no function {name!r} beside {selection.name}"
        raise SpecError(message, where, closest(name, sorted(known)))


def _told(
    name: str, function: Select, cuts: Mapping[str, Any], options: Sequence[str]
) -> tuple[str, ...]:
    """Refuse cuts that a function does not take; which of `TOLD` it takes besides."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # made by a compiler that does not say
        return ()
    rest = _after_events(name, parameters, (*cuts, *options))
    for option in options:
        if option in cuts:
            raise SpecError(f"{option!r} is not a cut here", f"cuts.{option}", "rename it")
    known = [p.name for p in rest if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not any(p.kind is p.VAR_KEYWORD for p in rest):
        _refuse_unknown(name, cuts, options, known)
    for p in rest:
        required = p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        if required and p.name not in (*cuts, *options, *TOLD):
            raise SpecError(f"cut {p.name!r} has no default", "cuts", "give it a value")
    return tuple(name for name in TOLD if name in known and name not in cuts)


def _after_events(
    name: str, parameters: Sequence[inspect.Parameter], words: Sequence[str]
) -> list[inspect.Parameter]:
    """The parameters after the one that takes the events, which is no cut."""
    first = parameters[0] if parameters else None
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
        raise SpecError(f"{name} takes no events", "select", f"write: def {name}(events)")
    if first.kind is first.POSITIONAL_OR_KEYWORD and first.name in words:
        message = f"{first.name!r} is what {name} calls the events"
        raise SpecError(message, f"cuts.{first.name}", "rename it")
    return list(parameters if first.kind is first.VAR_POSITIONAL else parameters[1:])


def _refuse_unknown(
    name: str, cuts: Mapping[str, Any], options: Sequence[str], known: list[str]
) -> None:
    for option in options:
        if option not in known:
            remedy = f"give {name} a keyword argument {option}, or leave it out"
            raise SpecError(f"the selection takes no {option}", option, remedy)
    for cut in cuts:
        if cut not in known:
            remedy = closest(cut, known)
            if remedy.startswith("did you mean"):
                remedy += f" {name} takes {', '.join(known)}"
            raise SpecError(f"unknown cut {cut!r}", f"cuts.{cut}", remedy)


def _installed(source: str) -> Installed:
    if source == "__main__":
        remedy = "write the function into a file beside the spec: FILE.py:FUNCTION"
        raise SpecError("a function of a notebook or program cannot be sent", "select", remedy)
    try:
        importlib.import_module(source)
    except ModuleNotFoundError as error:
        if error.name and source.startswith(error.name):
            remedy = "name an installed module, or a file ending in .py"
            raise SpecError(f"no module {source!r}", "select", remedy) from None
        raise SpecError(f"importing {source} failed: {error}", "select") from error
    except (Exception, SystemExit) as error:
        raise SpecError(f"importing {source} failed: {first_line(error)}", "select") from error
    return Installed(source, code_of(own=(source,)))


def _bundle(source: str, folder: str) -> Bundle:
    """The file, and what it uses beside it."""
    path = storage.local_path(storage.join(folder, source))
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise SpecError("no such file of code", str(path), closest(path.name, near))
    try:
        return gathered(path, storage.local_path(folder) if folder else path.parent)
    except OSError as error:
        raise SpecError(f"cannot be read ({error.strerror})", str(path)) from error
