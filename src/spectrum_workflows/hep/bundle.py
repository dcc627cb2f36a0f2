"""The files of a user's own selection: its module, and what it uses beside it.

Nothing is run to find that out.  The files that are imported are read from the
import statements; the data files, from the names that stand in the code, where
it asks for its own place (``__file__``).
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from spectrum_workflows.errors import SpecError

MOST_BYTES = 64 << 20
"""Of all files together: they go to every worker."""

SMALL_BYTES = 8 << 20
"""Size up to which a file comes along that is not spelt out: by a pattern, or listed."""

MOST_LISTED = 10_000
"""Entries of a folder that are looked at."""

_PLACE = {"__file__", "__path__", "__spec__", "resources", "get_data", "getfile", "getsourcefile"}
"""Names by which code finds files beside itself."""

_LISTING = {"iterdir", "listdir", "scandir", "glob", "rglob", "iglob", "walk"}

_DEEP = 4
"""Folders below each other that are looked into for named files."""


@dataclass(frozen=True)
class Bundle:
    """Files of code and data that travel together, and run as they are in any process.

    Attributes
    ----------
    entry : str
        The file that the spec names, below the common folder.
    module : str
        Its dotted name as a module.
    folders : tuple of str
        Where modules are looked up, in this order, below the common folder.
    names : frozenset of str
        Top-level modules that are found there; all others are installed ones.
    files : tuple of (str, bytes)
        Name below the common folder, and content; sorted by name.
    origin : str
        The common folder; no part of the identity.
    """

    entry: str
    module: str
    folders: tuple[str, ...]
    names: frozenset[str]
    files: tuple[tuple[str, bytes], ...] = field(repr=False)
    origin: str = field(default="", compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all contents and names; of the one file's content if it is alone."""
        if len(self.files) == 1:
            return _sha256(self.files[0][1])
        lines = [f"{_sha256(content)}  {name}" for name, content in self.files]
        return _sha256("\n".join([self.entry, *lines]).encode())

    @cached_property
    def identity(self) -> str:
        """SHA-256 of all that decides how it runs."""
        how = (self.entry, self.module, self.folders, sorted(self.names))
        return _sha256(f"{how} {self.inputs}".encode())

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Name and SHA-256 of every file, for the record."""
        return tuple((name, f"sha256 {_sha256(content)}") for name, content in self.files)


def gathered(path: Path, folder: Path) -> Bundle:
    """A file of code with everything beside it that it uses.

    Parameters
    ----------
    path : Path
        The file.
    folder : Path
        The spec's; what lies below it can be used, if the file does.

    Raises
    ------
    SpecError
        The file cannot be parsed, a module beside it has the name of an
        installed one, or all together is too large.
    """
    path, folder = _absolute(path), _absolute(folder)
    tree = _parsed(path)
    base = path.parent
    for _ in range(
        max((n.level for n in _nodes(tree) if isinstance(n, ast.ImportFrom)), default=0) - 1
    ):
        base = base.parent
    places = [path.parent, *([folder] if folder in path.parents else []), base]
    root = min(places, key=lambda place: len(place.parts))
    found = _Search(path, tuple(dict.fromkeys(places)))
    found.add(path)
    for data in _data_files(found):
        found.take(data)
    return Bundle(
        path.relative_to(root).as_posix(),
        ".".join(path.relative_to(base).with_suffix("").parts),
        tuple(place.relative_to(root).as_posix() for place in found.places),
        frozenset(found.names),
        tuple(sorted((p.relative_to(root).as_posix(), c) for p, c in found.files.items())),
        str(root),
    )


class _Search:
    """The files found so far, following import statements."""

    def __init__(self, entry: Path, places: tuple[Path, ...]) -> None:
        self.entry, self.places = entry, places
        self.files: dict[Path, bytes] = {}
        self.trees: dict[Path, ast.Module] = {}
        self.names: set[str] = set()
        self.nbytes = 0

    def take(self, path: Path) -> None:
        """Bring a file along, within the limit."""
        if path in self.files:
            return
        nbytes = path.stat().st_size
        self.nbytes += nbytes
        if self.nbytes > MOST_BYTES:
            raise SpecError(
                f"{path.name} ({nbytes / 1e6:.0f} MB) makes what comes along with the code "
                f"larger than {MOST_BYTES >> 20} MB",
                str(self.entry),
                "put large files where every worker can read them, and open them by full path",
            )
        self.files[path] = path.read_bytes()

    def add(self, path: Path) -> None:
        """Bring a file of code along, and what it imports."""
        if path in self.trees:
            return
        self.take(path)
        self.trees[path] = _parsed(path)
        for node in _nodes(self.trees[path]):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._absolute(alias.name, (), path)
            elif isinstance(node, ast.ImportFrom):
                names = tuple(alias.name for alias in node.names)
                if not node.level:
                    self._absolute(node.module or "", names, path)
                    continue
                start = path.parent
                for _ in range(node.level - 1):
                    start = start.parent
                self._inside(start, (node.module or "").split(".") if node.module else [], names)
            elif isinstance(node, ast.Call):
                self._refuse_by_name(node, path)

    def _absolute(self, dotted: str, names: tuple[str, ...], importer: Path) -> None:
        """Follow an import by full name, if it is of something beside the code."""
        top = dotted.partition(".")[0]
        for place in self.places:
            own = _module_file(place, top)
            namespace = own is None and _holds_code(place / top)
            if own is None and not namespace:
                continue
            if _is_installed(top):
                if own in (None, importer, self.entry):
                    return  # a folder, or what shadows itself: the installed one is meant
                raise SpecError(
                    f"{own.name if own.name != '__init__.py' else own.parent.name} beside the "
                    f"code has the name of an installed module, {top}",
                    str(importer),
                    "rename it",
                )
            self.names.add(top)
            self._inside(place, dotted.split("."), names)
            return

    def _inside(self, start: Path, dotted: list[str], names: tuple[str, ...]) -> None:
        """Take modules below a folder: each step of a dotted name, and names in the last."""
        for number, step in enumerate(dotted):
            own = _module_file(start, step)
            if own is not None and own.name == "__init__.py":
                self._package(own.parent)
            elif own is not None:
                self.add(own)
                return
            elif not _holds_code(start / step):
                return
            start = start / step
            if number == len(dotted) - 1:
                break
        if (start / "__init__.py").is_file() and dotted == [] and start != self.entry.parent:
            self._package(start)
        for name in names:
            own = _module_file(start, name)
            if own is not None and own.name == "__init__.py":
                self._package(own.parent)
            elif own is not None:
                self.add(own)

    def _package(self, folder: Path) -> None:
        """Take a package as a whole: what it imports of itself is often decided late."""
        for path in sorted(_python_files(folder)):
            self.add(path)

    def _refuse_by_name(self, node: ast.Call, path: Path) -> None:
        """Refuse `importlib.import_module` of a file beside the code: it would find another."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        called = node.func.id if isinstance(node.func, ast.Name) else called
        first = node.args[0] if node.args else None
        if called != "import_module" or not isinstance(first, ast.Constant):
            return
        top = str(first.value).partition(".")[0]
        if top and not _is_installed(top) and any(_module_file(p, top) for p in self.places):
            where = f"{path}, line {node.lineno}"
            raise SpecError(f"import_module({first.value!r})", where, f"write: import {top}")


def _data_files(found: _Search) -> Iterator[Path]:
    """Files that the code names, if it asks where it is."""
    nodes = [node for tree in found.trees.values() for node in ast.walk(tree)]
    used = {n.id for n in nodes if isinstance(n, ast.Name)}
    used |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    used |= {a.name for n in nodes if isinstance(n, ast.ImportFrom | ast.Import) for a in n.names}
    used |= {m for n in nodes if isinstance(n, ast.ImportFrom) for m in (n.module or "").split(".")}
    if not used & _PLACE:
        return
    patterns = _patterns(nodes)
    listing = bool(used & _LISTING)
    start = dict.fromkeys([*found.places, *(path.parent for path in found.trees)])
    todo, seen = [(place, 0, False) for place in start], set()
    while todo:
        folder, depth, named = todo.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for entry in _entries(folder):
            fits = [p for p in patterns if fnmatchcase(entry.name, p)]
            if entry.is_dir():
                if fits and depth < _DEEP:
                    todo.append((folder / entry.name, depth + 1, True))
            elif entry.is_file() and _is_meant(entry, fits, listed=named and listing):
                yield folder / entry.name


def _is_meant(entry: os.DirEntry[str], fits: Sequence[str], *, listed: bool) -> bool:
    """Whether a file is one that the code will open."""
    if entry.name in fits:
        return True
    listed = listed and not entry.name.endswith((".py", ".pyc"))
    return bool(fits or listed) and entry.stat().st_size <= SMALL_BYTES


def _patterns(nodes: Iterable[ast.AST]) -> set[str]:
    """Every step of every path that the code may spell, with ``*`` for what is put in later."""
    texts = []
    inside = {id(v) for n in nodes if isinstance(n, ast.JoinedStr) for v in n.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "*" for v in node.values]
            texts.append("".join(map(str, parts)))
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in inside:
            texts.append(re.sub(r"\{[^{}]*\}|%[-\d.]*[sdifg]", "*", text))
    steps = {step for text in texts if len(text) < 500 for step in re.split(r"[/\\]", text)}
    return {step for step in steps if step.strip("*?. \n")}


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= MOST_LISTED:
                    return
                if not entry.name.startswith(".") and entry.name != "__pycache__":
                    yield entry
    except OSError:
        return


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else str(path)
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise SpecError(f"this code does not run ({type(error).__name__}: {said})", where) from None


def _nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes but those that only run where the file is a program of its own."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "__main__" in ast.dump(node.test):
            todo += node.orelse
            continue
        yield node
        todo += ast.iter_child_nodes(node)


def _module_file(folder: Path, name: str) -> Path | None:
    """The file of a module or package in a folder."""
    if not name.isidentifier():
        return None
    for path in (folder / name / "__init__.py", folder / f"{name}.py"):
        if path.is_file():
            return path
    return None


def _holds_code(folder: Path) -> bool:
    """Whether a folder without ``__init__.py`` may be meant by an import."""
    return folder.is_dir() and any(e.name.endswith(".py") or e.is_dir() for e in _entries(folder))


def _python_files(folder: Path) -> Iterator[Path]:
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _python_files(folder / entry.name)
        elif entry.name.endswith(".py"):
            yield folder / entry.name


def _is_installed(name: str) -> bool:
    """Whether Python or its installed packages have a module of that name."""
    if name in sys.stdlib_module_names or name == __name__.partition(".")[0]:
        return True
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    places = [spec.origin or "", *(spec.submodule_search_locations or [])] if spec else []
    return any(part in ("site-packages", "dist-packages") for p in places for part in Path(p).parts)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  (links stay as they are named)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
