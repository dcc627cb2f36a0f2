"""Find the ``select`` function a spec names, and ship it to workers by value."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from spectrum_workflows import storage
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.cuts import Bound, frozen, given
from spectrum_workflows.specs import closest

Select = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class Selection:
    """A selection function and its cuts, in a form that any worker can load.

    A function from a file travels as its own code, so that a worker which
    has seen an older version of the file still computes the new one; a
    function from an installed package travels as its name.

    Attributes
    ----------
    code : bytes
        The function, pickled.
    digest : str
        SHA-256 of the source file that holds it.
    cuts : tuple of (str, value)
        Keyword arguments for it.
    """

    code: bytes
    digest: str
    cuts: Bound

    def __call__(self, events: Any, **options: Any) -> Mapping[str, Any]:
        """Apply the selection to an awkward record array of events."""
        return _function(self.code)(events, **given(self.cuts), **options)

    def with_cuts(self, cuts: Mapping[str, Any]) -> Selection:
        """The same selection with some cuts replaced."""
        return replace(self, cuts=_bound({**dict(self.cuts), **cuts}))


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
    source, _, name = select.rpartition(":")
    module = _from_file(source, folder) if source.endswith(".py") else _installed(source)
    function = getattr(module, name, None)
    if not callable(function):
        known = [n for n, f in vars(module).items() if callable(f) and not n.startswith("_")]
        raise SpecError(f"no function {name!r} in {source}", "select", closest(name, known))
    _check_cuts(function, cuts, options)
    digest = hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
    return Selection(cloudpickle.dumps(function), digest, _bound(cuts))


def _check_cuts(function: Select, cuts: Mapping[str, Any], options: Sequence[str]) -> None:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters]
    for option in options:
        if option not in known:
            remedy = f"give {function.__name__} a keyword argument {option}, or leave it out"
            raise SpecError(f"the selection takes no {option}", option, remedy)
    for cut in cuts:
        if cut not in known:
            raise SpecError(f"unknown cut {cut!r}", f"cuts.{cut}", closest(cut, known))
    for p in parameters:
        if p.default is p.empty and p.kind is not p.VAR_POSITIONAL and p.name not in cuts:
            raise SpecError(f"cut {p.name!r} has no default", "cuts", "give it a value")


def _installed(source: str) -> ModuleType:
    try:
        return importlib.import_module(source)
    except ModuleNotFoundError as error:
        if error.name and source.startswith(error.name):
            remedy = "name an installed module, or a file ending in .py"
            raise SpecError(f"no module {source!r}", "select", remedy) from None
        raise SpecError(f"importing {source} failed: {error}", "select") from error


def _from_file(source: str, folder: str) -> ModuleType:
    """The file as a module of its own that pickles by value."""
    url = storage.join(folder, source)
    path = storage.local_path(url)
    try:
        text = path.read_bytes()
    except OSError:
        near = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise SpecError("no such file of code", str(path), closest(path.name, near)) from None
    name = f"{path.stem}_{hashlib.sha256(text + str(path).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        _load(name, path, text)
    return sys.modules[name]


def _load(name: str, path: Path, text: bytes) -> None:
    """Run exactly this text; the import system might take an older, compiled one."""
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)  # noqa: S102  (the user's own)
    except Exception as error:
        del sys.modules[name]
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        alone = isinstance(error, ModuleNotFoundError)
        remedy = "install what it imports on both sides, or put it into this file" if alone else ""
        raise SpecError(f"this code does not run ({line})", str(path), remedy) from error
    cloudpickle.register_pickle_by_value(module)


@lru_cache(maxsize=8)
def _function(code: bytes) -> Select:
    function: Select = pickle.loads(code)  # noqa: S301  (made by `find` in this run)
    return function


def _bound(cuts: Mapping[str, Any]) -> Bound:
    """Cuts in the order of their names."""
    return tuple(sorted(((name, frozen(value)) for name, value in cuts.items()), key=_name))


def _name(cut: tuple[str, Any]) -> str:
    return cut[0]
