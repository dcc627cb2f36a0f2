"""Run a bundle of the user's code: once per process, in a place and under names of its own.

Every bundle is unpacked into a private folder and imported below a package that is
called after its content.  An import statement in its code finds the modules beside it
there; so two analyses may have modules of the same name, an edited one is another one,
and what is installed is never shadowed for anybody else.
"""

from __future__ import annotations

import atexit
import builtins
import importlib
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from spectrum_workflows.hep.select.bundle import Bundle

_PREFIX = "spectrum_user_"

_BEGIN = "spectrum-code-"
_HELD = "held"
"""A file beside the code that its process keeps locked as long as it lives."""

_YOUNG = 60.0
"""Seconds in which a new folder may not be locked yet."""

_lock = threading.RLock()
_places: dict[str, Path] = {}
_failed: dict[str, Path] = {}
_builtins: dict[str, dict[str, Any]] = {}


def module(bundle: Bundle) -> ModuleType:
    """The module that the spec names, run if this process has not run it yet.

    Raises
    ------
    BaseException
        Whatever the code raises; the next call runs it again.
    """
    package = package_of(bundle)
    name = f"{package}.{bundle.module}"
    with _lock:
        if name in sys.modules and package in _places:
            return sys.modules[name]
        _prepare(bundle, package)
        try:
            return importlib.import_module(name)
        except BaseException:
            _forget(package)
            raise


def package_of(bundle: Bundle) -> str:
    """The package that a bundle is imported below."""
    return f"{_PREFIX}{bundle.identity[:16]}"


def place(bundle: Bundle) -> Path | None:
    """The folder in which a bundle lies in this process, if it was run or tried to."""
    package = package_of(bundle)
    return _places.get(package) or _failed.get(package)


def _prepare(bundle: Bundle, package: str) -> None:
    """Unpack, and make the package that the modules go below."""
    folder = _new_folder()
    for name, content in bundle.files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    above = ModuleType(package)
    above.__path__ = [str(folder / part) for part in bundle.folders]
    above.__package__ = package
    above.__spec__ = ModuleSpec(package, None, is_package=True)
    above.__spec__.submodule_search_locations = above.__path__
    _places[package] = folder
    _builtins[package] = {**vars(builtins), "__import__": _importing(package, bundle.names)}
    sys.modules[package] = above
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _new_folder() -> Path:
    """A folder of mode 0700 in one of this process, that goes with it.

    Those of processes that were killed are removed by the next one that makes its own.
    """
    parent = Path(tempfile.mkdtemp(prefix=_BEGIN)).resolve()
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    _locked(os.open(parent / _HELD, os.O_CREAT | os.O_RDWR, 0o600))  # open to the end
    _remove_stale(parent.parent)
    folder = parent / "code"
    folder.mkdir(mode=0o700)
    return folder


def _remove_stale(where: Path) -> None:
    """Remove folders of ours, and nobody else's, whose process has gone."""
    for folder in where.glob(f"{_BEGIN}*"):
        with suppress(OSError):
            state = folder.lstat()
            ours = stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid()
            if not ours or time.time() - state.st_mtime < _YOUNG:
                continue
            held = os.open(folder / _HELD, os.O_RDWR)
            try:
                if _locked(held):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)


def _locked(file: int) -> bool:
    """Whether this process has a file's lock now; the system takes it back when it ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _forget(package: str) -> None:
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        del sys.modules[name]
    _failed[package] = _places.pop(package)
    _builtins.pop(package)


def _importing(package: str, names: frozenset[str]) -> Any:
    """The ``__import__`` of a bundle's modules: what lies beside them is found there."""

    def find(
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002  (the names that Python gives)
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or top not in names:
            return __import__(name, globals, locals, fromlist or (), level)
        if fromlist:
            return __import__(f"{package}.{name}", globals, locals, fromlist, 0)
        importlib.import_module(f"{package}.{name}")
        return sys.modules[f"{package}.{top}"]

    return find


class _Finder(MetaPathFinder):
    """Finds modules below the packages of bundles, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        del target
        package, _, rest = fullname.partition(".")
        if package not in _places or not rest or path is None:
            return None
        last = fullname.rpartition(".")[2]
        for folder in map(Path, path):
            for file in (folder / last / "__init__.py", folder / f"{last}.py"):
                if file.is_file():
                    inside = [str(file.parent)] if file.name == "__init__.py" else None
                    return spec_from_file_location(
                        fullname,
                        file,
                        loader=_Loader(fullname, str(file)),
                        submodule_search_locations=inside,
                    )
        folders = [str(Path(folder) / last) for folder in path if (Path(folder) / last).is_dir()]
        if not folders:
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = folders
        return spec


class _Loader(SourceFileLoader):
    """Runs exactly the text that is there, never an older, compiled one."""

    def get_code(self, fullname: str) -> CodeType:
        """See `importlib.abc.InspectLoader`."""
        path = self.get_filename(fullname)
        code: CodeType = compile(self.get_data(path), path, "exec", dont_inherit=True)
        return code

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        name = module.__name__
        module.__dict__["__builtins__"] = _builtins[name.partition(".")[0]]
        exec(self.get_code(name), module.__dict__)  # noqa: S102  (the user's own)
