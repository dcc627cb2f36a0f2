"""The files of a user's own selection: its module, and what it uses beside it.

Nothing is run to find that out.  The files that are imported are read from the
import statements; the data files, from the names that stand in the code, where
it asks for its own place (``__file__``).
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from spectrum_workflows.code_identity import (
    Code,
    Source,
    called,
    code_of,
    content_of,
    digest_of_all,
    entries,
    looks_at_itself,
    named_files,
    parse,
    python_files,
    running,
    sha256,
    source_of,
)
from spectrum_workflows.errors import SpecError

MOST_BYTES = 64 << 20
"""Of all files together: they go to every worker."""


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
    digest : str
        SHA-256 of what decides its results: trees of the code, contents of the data, and
        the modules elsewhere that count (`code_identity`).
    elsewhere : Code
        Those modules; they must be the same where it runs.
    origin : str
        The common folder; no part of the identity.
    named : frozenset of str
        Those of the files that the code names by their full path: it may write them.
    """

    entry: str
    module: str
    folders: tuple[str, ...]
    names: frozenset[str]
    files: tuple[tuple[str, bytes], ...] = field(repr=False)
    digest: str
    elsewhere: Code = field(repr=False)
    origin: str = field(default="", compare=False)
    named: frozenset[str] = field(default=frozenset(), compare=False)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of all that decides how it runs."""
        how = (self.entry, self.module, self.folders, sorted(self.names))
        return sha256(f"{how} {self.inputs} {self.elsewhere.digest}".encode())

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Name and SHA-256 of every file, for the record."""
        return tuple((name, f"sha256 {sha256(content)}") for name, content in self.files)


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
    tree = parse(path.read_bytes(), str(path))
    base = path.parent
    for _ in range(
        max((n.level for n in running(tree) if isinstance(n, ast.ImportFrom)), default=0) - 1
    ):
        base = base.parent
    places = [path.parent, *([folder] if folder in path.parents else []), base]
    root = min(places, key=lambda place: len(place.parts))
    search = _FileSearch(path, tuple(dict.fromkeys(places)))
    search.add(path)
    sources = [source_of(search.files[p], tree) for p, tree in search.trees.items()]
    folders = dict.fromkeys([*search.places, *(path.parent for path in search.trees)])
    for data in named_files(sources, folders):
        if root in data.parents:  # what is named by its full path stays where it is
            search.take(data)
    elsewhere = code_of(*search.elsewhere)
    named = {path for path in named_files(sources, ()) if path in search.files}
    return Bundle(
        path.relative_to(root).as_posix(),
        ".".join(path.relative_to(base).with_suffix("").parts),
        tuple(place.relative_to(root).as_posix() for place in search.places),
        frozenset(search.names),
        tuple(sorted((p.relative_to(root).as_posix(), c) for p, c in search.files.items())),
        _digest(search, sources, root, elsewhere),
        elsewhere,
        str(root),
        frozenset(path.relative_to(root).as_posix() for path in named - search.trees.keys()),
    )


def _digest(search: _FileSearch, sources: Sequence[Source], root: Path, elsewhere: Code) -> str:
    """SHA-256 of what decides the results of some files."""
    verbatim = any(map(looks_at_itself, sources))
    parts = {str(path.relative_to(root)): sha256(content) for path, content in search.files.items()}
    if not verbatim:
        trees = zip(search.trees, sources, strict=True)
        parts |= {str(path.relative_to(root)): source.tree for path, source in trees}
    named = {p: content_of(p) for p in named_files(sources, ()) if p not in search.files}
    full = {str(path): content for path, content in named.items()}
    entry = str(search.entry.relative_to(root))
    return digest_of_all({**full, **parts, "": f"{entry} {elsewhere.digest}"})


class _FileSearch:
    """The files found so far, following import statements."""

    def __init__(self, entry: Path, places: tuple[Path, ...]) -> None:
        self.entry, self.places = entry, places
        self.files: dict[Path, bytes] = {}
        self.trees: dict[Path, ast.Module] = {}
        self.names: set[str] = set()
        self.elsewhere: set[str] = set()
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
        self.trees[path] = parse(self.files[path], str(path))
        for node in running(self.trees[path]):
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
                    self._leave(dotted, names)
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
        self._leave(dotted, names)

    def _leave(self, dotted: str, names: tuple[str, ...]) -> None:
        """Note what is imported from elsewhere."""
        self.elsewhere |= {dotted, *(f"{dotted}.{name}" for name in names if name != "*")}

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
        for path in sorted(python_files(folder)):
            self.add(path)

    def _refuse_by_name(self, node: ast.Call, path: Path) -> None:
        """Refuse `importlib.import_module` of a file beside the code: it would find another."""
        first = node.args[0] if node.args else None
        if called(node) != "import_module" or not isinstance(first, ast.Constant):
            return
        top = str(first.value).partition(".")[0]
        if top and not _is_installed(top) and any(_module_file(p, top) for p in self.places):
            where = f"{path}, line {node.lineno}"
            raise SpecError(f"import_module({first.value!r})", where, f"write: import {top}")


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
    return folder.is_dir() and any(e.name.endswith(".py") or e.is_dir() for e in entries(folder))


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
