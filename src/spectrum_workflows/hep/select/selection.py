"""Find the ``select`` function a spec names; it is the same in any process.

A function from a file travels with that file and what it uses beside it, and a
process that has seen an older version still computes the new one.  A function from
an installed package travels as its name.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.code_identity import Code, code_of, confirm
from spectrum_workflows.errors import PartitionError, SpecError, SpectrumError
from spectrum_workflows.hep.select import loader
from spectrum_workflows.hep.select.bundle import Bundle, gathered
from spectrum_workflows.hep.spec.cuts import Bound, frozen, given
from spectrum_workflows.specs import closest

Select = Callable[..., Mapping[str, Any]]

_LINES = 40
"""Lines of a traceback that are kept."""

TOLD = ("sample", "is_data")
"""What a selection is told of the sample if it has a keyword argument of that name."""


@dataclass(frozen=True)
class Installed:
    """A module of a package, and the code that it depends on."""

    module: str
    code: Code

    @property
    def digest(self) -> str:
        """SHA-256 of that code."""
        return self.code.digest

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """No files: it is not the user's, or is kept elsewhere."""
        return ()


@dataclass(frozen=True)
class Selection:
    """A selection function and its cuts, in a form that any worker can load.

    Attributes
    ----------
    name : str
        Of the function.
    source : Bundle or Installed
        Where it is.
    cuts : tuple of (str, value)
        Keyword arguments for it.
    told : tuple of str
        Which of `TOLD` it takes besides.
    """

    name: str
    source: Bundle | Installed
    cuts: Bound
    told: tuple[str, ...] = ()

    def __call__(self, events: Any, **options: Any) -> Any:
        """Apply the selection to an awkward record array of events.

        Raises
        ------
        PartitionError
            It raised an error, whose lines of the user's code are named.
        """
        function = _function(self.source, self.name)
        try:
            with redirect_stdout(sys.stderr):  # the output is the command's, and may be JSON
                return function(events, **given(self.cuts), **options)
        except (Exception, SystemExit, GeneratorExit) as error:
            if isinstance(error, SpectrumError) and isinstance(self.source, Installed):
                raise
            raise self._explained(error) from error

    @property
    def digest(self) -> str:
        """SHA-256 of the code that it consists of."""
        return self.source.digest

    @property
    def where(self) -> str:
        """File, line and name of the function in words."""
        function = inspect.unwrap(_function(self.source, self.name))
        code = getattr(getattr(function, "func", function), "__code__", None)
        if code is None:
            called = type(function).__call__
            code = getattr(called, "__code__", None)
        line = f", line {code.co_firstlineno}" if code else ""
        return f"{_entry(self.source)}{line}, in {self.name}"

    def with_cuts(self, cuts: Mapping[str, Any]) -> Selection:
        """The same selection with some cuts replaced."""
        return replace(self, cuts=_bound({**dict(self.cuts), **cuts}))

    def _explained(self, error: BaseException) -> PartitionError:
        """The error to show, with the user's lines in its message and its note."""
        frames = _frames(error, self.source)
        said = _said(error)
        steps = [f"{name}, line {line}, in {function}" for name, line, function, _ in frames]
        where = steps[-1] if steps else self.where
        called = f" (called from {steps[-2]})" if len(steps) > 1 else ""
        relative = isinstance(error, FileNotFoundError) and not _is_full(error)
        remedy = 'files beside the code are Path(__file__).parent / "name"' if relative else ""
        explained = PartitionError(f"{where}{called}: {said}", "", remedy)
        lines = [f"  {step}\n    {text}" for step, (*_, text) in zip(steps, frames, strict=True)]
        full = "".join(traceback.format_exception_only(error)).strip().splitlines()[:_LINES]
        explained.add_note("\n".join(["Traceback of the selection:", *lines[-_LINES:], *full]))
        return explained


def located(error: SpectrumError, where: str, selection: Selection) -> SpectrumError:
    """The same error with its partition, and with the function if it is about what that returned.

    Parameters
    ----------
    error : SpectrumError
        Of the selection, or of what it returned.
    where : str
        File and entries.
    selection : Selection
        Whose error it is.
    """
    if isinstance(error, PartitionError):
        remedy = error.remedy or "--on-error keep finishes without it"
        found: SpectrumError = PartitionError(error.what, where, remedy)
        for note in getattr(error, "__notes__", ()):
            found.add_note(note)
        return found
    return error.at(f"{where}: {selection.where if error.where == 'select' else error.where}")


def find(
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
    module = _module(source)
    function = getattr(module, name, None)
    if not callable(function):
        known = [n for n, f in vars(module).items() if callable(f) and not n.startswith("_")]
        raise SpecError(f"no function {name!r} in {named}", "select", closest(name, known))
    told = _check_cuts(name, function, cuts, options)
    return Selection(name, source, _bound(cuts), told)


def _check_cuts(
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
        wanted = p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        if wanted and p.name not in (*cuts, *options, *TOLD):
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
        what = f"{first.name!r} is what {name} calls the events"
        raise SpecError(what, f"cuts.{first.name}", "rename it")
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
            raise SpecError(f"unknown cut {cut!r}", f"cuts.{cut}", closest(cut, known))


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
        raise SpecError(f"importing {source} failed: {_said(error)}", "select") from error
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


def _module(source: Bundle | Installed) -> ModuleType:
    """The module in this process.

    Raises
    ------
    SpecError
        Its code does not run, or it is not the one that the run was planned with.
    """
    if isinstance(source, Installed):
        module = importlib.import_module(source.module)
        confirm(source.code)
        return module
    try:
        with redirect_stdout(sys.stderr):
            module = loader.module(source)
    except (Exception, SystemExit) as error:
        frames = _frames(error, source)
        at = f", line {frames[-1][1]}" if frames else ""
        path = os.path.join(source.origin, frames[-1][0] if frames else source.entry)  # noqa: PTH118
        absent = isinstance(error, ModuleNotFoundError)
        remedy = "install it on both sides, or put it beside this file" if absent else ""
        what = f"this code does not run ({_said(error)})"
        raise SpecError(what, f"{path}{at}", remedy) from error
    confirm(source.elsewhere)
    return module


def _function(source: Bundle | Installed, name: str) -> Select:
    function: Select = getattr(
        _module(source) if isinstance(source, Bundle) else _once(source), name
    )
    return function


@lru_cache(maxsize=8)
def _once(source: Installed) -> ModuleType:
    """An installed module, whose file is looked at once per process and not per partition."""
    return _module(source)


def _entry(source: Bundle | Installed) -> str:
    if isinstance(source, Bundle):
        return source.entry
    path = getattr(sys.modules.get(source.module), "__file__", None)
    return Path(path).name if path else source.module


def _frames(error: BaseException, source: Bundle | Installed) -> list[tuple[str, int, str, str]]:
    """File, line, function and text of each step of a traceback that is in this code."""
    if isinstance(source, Bundle):
        folder = loader.place(source)
    else:
        path = getattr(sys.modules.get(source.module), "__file__", None)
        folder = Path(path).parent if path else None
    if folder is None:
        return []
    found = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if folder in path.parents:
            name = path.relative_to(folder).as_posix()
            found.append((name, frame.lineno or 0, frame.name, frame.line or ""))
    return found


def _is_full(error: OSError) -> bool:
    return Path(str(error.filename or "/")).is_absolute()


def _said(error: BaseException) -> str:
    """An error in one line."""
    try:
        text = str(error).strip().splitlines()
    except Exception:  # whose text is the user's code, too
        text = []
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _bound(cuts: Mapping[str, Any]) -> Bound:
    """Cuts in the order of their names."""
    return tuple(sorted(((name, frozen(value)) for name, value in cuts.items()), key=_name))


def _name(cut: tuple[str, Any]) -> str:
    return cut[0]
