"""Which code decides a result: one digest over every module that it depends on.

What counts
-----------
Import statements are followed from the modules that are asked for, wherever they stand in
the file, and every module counts that is not Python's own and not of a *released
distribution*: one that was installed from an index, and so is known by its name and version.
The following therefore count:

- files beside the analysis, or anywhere on Python's path;
- editable installs, and distributions installed from a folder, a file or a repository: their
  version need not change when their code does (``direct_url.json`` tells them);
- modules that somebody copied into ``site-packages``: no distribution owns them;
- the packages that are asked for by name, however they are installed: a science's own.

A package that imports itself by names it puts together counts as a whole, and so does one
that is imported with ``*``.  The packages above a module count, because they run first.
Imports for type checkers only (``TYPE_CHECKING``) and of what runs only where a file is a
program of its own do not.

A module counts by its syntax tree, without docstrings: comments, docstrings and formatting
change nothing.  Where code looks at its own text (``__doc__``, ``inspect.getsource``) that is
not so, and the text counts.  Data files that the code names, if it asks where it is
(``__file__``, ``importlib.resources``), count by their content; so do files named by a full
path (by size and time of change above `SMALL_BYTES`).

What cannot be seen from outside does not count: files whose path is put together at run time
elsewhere, the environment, the network.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from importlib.machinery import ModuleSpec
from itertools import accumulate
from pathlib import Path

from spectrum_workflows.errors import SpecError

SMALL_BYTES = 8 << 20
"""Size up to which a data file counts that is not spelt out: by a pattern, or listed."""

MOST_LISTED = 10_000
"""Entries of a folder that are looked at."""

_OWN = __name__.partition(".")[0]
"""Our package: it runs first wherever one of its modules does, and only offers names."""

_PLACE = {"__file__", "__path__", "__spec__", "resources", "get_data", "getfile", "getsourcefile"}
"""Names by which code finds files beside itself."""

_LISTING = {"iterdir", "listdir", "scandir", "glob", "rglob", "iglob", "walk"}

_TEXT = {"__doc__", "getdoc", "getsource", "getsourcelines", "getcomments", "co_firstlineno"}
"""Names by which code looks at text that its tree does not hold."""

_BY_NAME = {"import_module", "__import__", "iter_modules", "walk_packages"}

_NO_FILES = ("/proc/", "/sys/", "/dev/")
"""Folders in which the system tells its state."""

_DEEP = 4
"""Folders below each other that are looked into for named files."""


@dataclass(frozen=True)
class Module:
    """A module that counts.

    Attributes
    ----------
    name : str
        As it is imported.
    content : str
        SHA-256 of its file.
    tree : str
        `tree_digest` of it; of what is not source, the content's.
    """

    name: str
    content: str
    tree: str


@dataclass(frozen=True)
class Code:
    """Modules and data files that decide a result.

    Attributes
    ----------
    modules : tuple of Module
        Sorted by name.
    data : tuple of (str, str)
        Name and SHA-256 of data files that they open.
    """

    modules: tuple[Module, ...] = ()
    data: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.modules or self.data)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all names, trees and data."""
        named = [(module.name, module.tree) for module in self.modules]
        return sha256(repr((named, self.data)).encode())


def code_of(*names: str, own: Collection[str] = (), whole: Collection[str] = ()) -> Code:
    """Some modules, and all that they depend on and that counts.

    Parameters
    ----------
    *names : str
        Modules; what is not there, or does not count, is left out.
    own : collection of str
        Modules whose package counts, however it is installed.
    whole : collection of str
        The same of which every module counts: a science's package.

    Raises
    ------
    SpecError
        A module has changed since this process imported it, or cannot be parsed.
    """
    search = _Search({name.partition(".")[0] for name in (*own, *whole)})
    for name in (*names, *own):
        search.follow(name)
    for name in whole:
        search.take_package(name)
    verbatim = any(looks_at_itself(source) for source in search.sources.values())
    modules = [
        Module(name, source.content, source.content if verbatim else source.tree)
        for name, source in sorted(search.sources.items())
    ]
    for module in modules:
        _refuse_if_changed(module.name, search.sources[module.name], search.paths[module.name])
    data = {
        str(path.relative_to(base) if base in path.parents else path): content_of(path)
        for path, base in search.data_files()
    }
    return Code(tuple(modules), tuple(sorted(data.items())))


def science_code(module: str) -> str:
    """Digest of a science: all of its own package, and what that depends on.

    Parameters
    ----------
    module : str
        Any module of it.  Its package is the top-level one; of ours, the one below.
    """
    steps = module.split(".")
    package = ".".join(steps[: 2 if steps[0] == _OWN else 1])
    return code_of(whole=(package,)).digest


@lru_cache(maxsize=32)
def confirm(code: Code) -> None:
    """Refuse code that is another one in this process; looked at once per process.

    Raises
    ------
    SpecError
        A module is not here, has another tree here, or changed after it was imported.
    """
    for module in code.modules:
        path = _file_of(module.name)
        source = _source(module.name, path) if path is not None else None
        if path is None or source is None or not _is_same(module, source):
            remedy = "install the same one on both sides; restart what has imported an older one"
            raise SpecError(f"{module.name} is another version here", "select", remedy)
        _refuse_if_changed(module.name, source, path)


def _is_same(module: Module, source: Source) -> bool:
    return module.content == source.content or module.tree == source.tree


_imported: dict[str, tuple[ModuleSpec | None, str]] = {}
"""Import and tree of loaded modules, as they were when they were first looked at."""


def _refuse_if_changed(name: str, source: Source, path: Path) -> None:
    """Refuse a module whose file is no longer what this process imported, as far as it knows."""
    if name not in sys.modules:
        return
    spec = sys.modules[name].__spec__
    before, tree = _imported.setdefault(name, (spec, source.tree))
    if before is not spec:  # imported anew
        _imported[name] = (spec, source.tree)
    elif tree != source.tree:
        remedy = "restart the session: what it has imported is not what is there now"
        raise SpecError(f"{name} has changed since it was imported", str(path), remedy)


def looks_at_itself(source: Source) -> bool:
    """Whether code looks at its own text, so that all of that counts."""
    return bool(source.names & _TEXT)


@dataclass(frozen=True)
class Source:
    """What one file of code says.

    Attributes
    ----------
    content, tree : str
        As in `Module`.
    imports : tuple of (int, str, tuple of str)
        Level, module and names of every import statement that runs.
    names : frozenset of str
        All names and attributes in it.
    by_name : bool
        Whether it imports by names that it puts together.
    paths : frozenset of str
        Every step of every path that it may spell, with ``*`` for what is put in later.
    full : tuple of str
        Full paths that it names.
    """

    content: str
    tree: str
    imports: tuple[tuple[int, str, tuple[str, ...]], ...] = ()
    names: frozenset[str] = frozenset()
    by_name: bool = False
    paths: frozenset[str] = frozenset()
    full: tuple[str, ...] = ()


class _Search:
    """The modules found so far, following import statements."""

    def __init__(self, wanted: set[str]) -> None:
        self.wanted = wanted
        self.sources: dict[str, Source] = {}
        self.paths: dict[str, Path] = {}

    def follow(self, name: str) -> None:
        """Take a module, the packages above it, and all that they import."""
        todo = [name]
        while todo:
            for step in accumulate(todo.pop().split("."), "{}.{}".format):
                if step not in self.sources and self._take(step):
                    todo += _imported_by(step, self.sources[step], self.paths[step])
                    if _takes_all(step, self.sources[step], self.paths[step]):
                        todo += _modules_below(step.partition(".")[0])

    def take_package(self, name: str) -> None:
        """Take every module of a package."""
        for module in _modules_below(name):
            self.follow(module)

    def _take(self, name: str) -> bool:
        """Take one module if it is there and counts."""
        top = name.partition(".")[0]
        if name == _OWN or top in sys.stdlib_module_names or top == "__main__":
            return False
        if top not in self.wanted and top != _OWN and _is_released(top):
            return False
        path = _file_of(name)
        if path is None:
            return False
        self.sources[name], self.paths[name] = _source(name, path), path
        return True

    def data_files(self) -> Iterator[tuple[Path, Path]]:
        """Data files that the modules name, each with the folder that its package is in."""
        packages: dict[str, list[str]] = defaultdict(list)
        for name in self.sources:
            packages[name.partition(".")[0]].append(name)
        packages.pop(_OWN, None)  # its data are modules
        for names in packages.values():
            base = self.paths[min(names, key=len)].parent.parent
            code = set(self.paths.values())
            found = named_files(
                [self.sources[name] for name in names],
                dict.fromkeys(self.paths[name].parent for name in names),
            )
            yield from ((path, base) for path in found if path not in code)


def _imported_by(name: str, source: Source, path: Path) -> list[str]:
    """Full names of all that a module may import; some of them are no modules."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = []
    for level, module, names in source.imports:
        base = module
        if level:
            above = package.split(".")[: len(package.split(".")) - level + 1]
            base = ".".join([*above, *([module] if module else [])])
        found += [base, *(f"{base}.{one}" for one in names if one != "*")]
        if "*" in names and (start := _file_of(base)) and start.name == "__init__.py":
            found += _modules_below(base)
    return [one for one in found if one]


def _takes_all(name: str, source: Source, path: Path) -> bool:
    """Whether what a module imports of its own package is decided late."""
    lazy = path.name == "__init__.py" and "__getattr__" in source.names
    return name.partition(".")[0] != _OWN and (source.by_name or lazy)


def _modules_below(package: str) -> list[str]:
    """Names of all modules of a package that lie in its folders."""
    path = _file_of(package)
    spec = _spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    found = [package] if path else []
    for place in map(Path, places):
        for file in sorted(python_files(place)):
            steps = file.relative_to(place).with_suffix("").parts
            steps = steps[:-1] if steps[-1] == "__init__" else steps
            found.append(".".join([package, *steps]))
    return found


def _spec(name: str) -> ModuleSpec | None:
    """Where a module is, without running anything."""
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if loaded is not None:
        return loaded  # type: ignore[no-any-return]
    parent = name.rpartition(".")[0]
    places = None
    if parent:
        above = _spec(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        places = list(above.submodule_search_locations)
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, places)
        except (ImportError, AttributeError, ValueError):
            continue
        if spec is not None:
            return spec
    return None


def _file_of(name: str) -> Path | None:
    """The file of a module: its source, or what it was compiled to."""
    spec = _spec(name)
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    path = Path(spec.origin)
    return path if path.is_file() else None


def _source(name: str, path: Path) -> Source:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{name} cannot be read ({error.strerror})", str(path)) from error
    if path.suffix != ".py":
        return Source(sha256(content), sha256(content))
    return _parsed(content, str(path))


@lru_cache(maxsize=4096)
def _parsed(content: bytes, path: str) -> Source:
    """What a file of code says; parsed once for every content."""
    if not path.endswith(".py"):
        return Source(sha256(content), sha256(content))
    tree = parse(content, path)
    return source_of(content, tree)


def source_of(content: bytes, tree: ast.Module) -> Source:
    """What a file of code says, from its text and tree."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.name for alias in node.names}
            names |= set((getattr(node, "module", "") or "").split("."))
    steps, full = _spelt(tree)
    imports, by_name = _import_statements(tree)
    return Source(
        sha256(content), tree_digest(tree), imports, frozenset(names), by_name, steps, full
    )


def _import_statements(
    tree: ast.Module,
) -> tuple[tuple[tuple[int, str, tuple[str, ...]], ...], bool]:
    """Every import that may run, and whether there are some whose name is made late."""
    imports: list[tuple[int, str, tuple[str, ...]]] = []
    late = False
    for node in running(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            imports.append((node.level, node.module or "", names))
        elif isinstance(node, ast.Call) and called(node) in _BY_NAME:
            first = node.args[0] if node.args else None
            text = first.value if isinstance(first, ast.Constant) else None
            if isinstance(text, str):
                bare = text.lstrip(".")
                imports.append((len(text) - len(bare), bare, ()))
            else:
                late = True
    return tuple(imports), late


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def running(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes but those for type checkers, and those of a program of its own."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If):
            test = ast.dump(node.test)
            if "__main__" in test or (
                isinstance(node.test, ast.Name | ast.Attribute) and ("TYPE_CHECKING" in test)
            ):
                todo += node.orelse
                continue
        yield node
        todo += ast.iter_child_nodes(node)


def parse(content: bytes, path: str) -> ast.Module:
    """The syntax tree of a file of code.

    Raises
    ------
    SpecError
        It is none.
    """
    try:
        return ast.parse(content, path)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else path
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        what = f"this code does not run ({type(error).__name__}: {message})"
        raise SpecError(what, where) from None


def tree_digest(tree: ast.Module) -> str:
    """SHA-256 of a syntax tree without docstrings; the same in every version of Python.

    Left out are positions, comments, and statements that are only a text: docstrings, those
    of attributes too.
    """
    digest = hashlib.sha256()
    todo: list[object] = [tree]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            digest.update(item.encode("utf-8", "surrogatepass"))
            continue
        assert isinstance(item, ast.AST)
        digest.update(f"({type(item).__name__}".encode())
        parts: list[object] = []
        for name, value in ast.iter_fields(item):
            parts += _field(name, value)
        todo += [")", *reversed(parts)]
    return digest.hexdigest()


def _field(name: str, value: object) -> list[object]:
    """A field of a node as texts and nodes; nothing where it says nothing."""
    if value is None or value == [] or name in ("ctx", "kind", "type_comment", "type_ignores"):
        return [f" {name}=None"] if name == "value" and value is None else []
    if isinstance(value, ast.AST):
        return [f" {name}=", value]
    if isinstance(value, list):
        items = [one for one in value if not _is_text(one)]
        return [f" {name}=[", *(x for one in items for x in (*_item(one), ",")), "]"]
    return [f" {name}=", *_item(value)]


def _item(value: object) -> list[object]:
    if isinstance(value, ast.AST):
        return [value]
    if isinstance(value, int) and not isinstance(value, bool):
        return [f"int:{value:x}"]
    return [f"{type(value).__name__}:{value!r}"]


def _is_text(statement: object) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def named_files(sources: Collection[Source], folders: Iterable[Path]) -> Iterator[Path]:
    """Data files that some code names: by full path, or if it asks where it is, beside itself.

    Parameters
    ----------
    sources : collection of Source
        The code of one package or analysis.
    folders : iterable of Path
        Where its files are looked for.
    """
    for text in sorted({text for source in sources for text in source.full}):
        path = Path(text)
        if path.is_file():
            yield path
    used: set[str] = set().union(*(source.names for source in sources))
    if not used & _PLACE:
        return
    patterns: set[str] = set().union(*(source.paths for source in sources))
    listing = bool(used & _LISTING)
    todo, seen = [(folder, 0, False) for folder in folders], set()
    while todo:
        folder, depth, named = todo.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for entry in entries(folder):
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


def _spelt(tree: ast.Module) -> tuple[frozenset[str], tuple[str, ...]]:
    """Every step of every path that code may spell, and full paths as they are."""
    nodes = list(ast.walk(tree))
    texts = []
    inside = {id(v) for n in nodes if isinstance(n, ast.JoinedStr) for v in n.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "*" for v in node.values]
            texts.append("".join(map(str, parts)))
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in inside:
            texts.append(re.sub(r"\{[^{}]*\}|%[-\d.]*[sdifg]", "*", text))
    short = [text for text in texts if len(text) < 500 and "\0" not in text]
    steps = {step for text in short for step in re.split(r"[/\\]", text)}
    full = {text for text in short if text.startswith("/") and not text.startswith(_NO_FILES)}
    return frozenset(step for step in steps if step.strip("*?. \n")), tuple(sorted(full))


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, as far as it can be listed and is not hidden."""
    try:
        with os.scandir(folder) as listed:
            for number, entry in enumerate(listed):
                if number >= MOST_LISTED:
                    return
                if not entry.name.startswith(".") and entry.name != "__pycache__":
                    yield entry
    except OSError:
        return


def python_files(folder: Path) -> Iterator[Path]:
    """Files of code in and below a folder."""
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from python_files(folder / entry.name)
        elif entry.name.endswith(".py"):
            yield folder / entry.name


def content_of(path: Path) -> str:
    """SHA-256 of a data file; of a large one, its size and the time of its last change."""
    state = path.stat()
    if state.st_size > SMALL_BYTES:
        return f"{state.st_size} {state.st_mtime_ns}"
    return sha256(path.read_bytes())


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=1024)
def _is_released(top: str) -> bool:
    """Whether a top-level module is of a distribution that was installed from an index."""
    spec = _spec(top)
    if spec is None:
        return True
    places = [*(spec.submodule_search_locations or []), spec.origin or ""]
    path = Path(places[0] or ".")
    if not path.exists():
        return True  # built in
    owner = _owner(path.parent, top)
    if owner is None:
        return False
    installer = _text(owner / "INSTALLER").strip()
    return installer == "conda" or not (owner / "direct_url.json").is_file()


def _owner(folder: Path, top: str) -> Path | None:
    """What describes the distribution that a top-level module in a folder is of."""
    begin = re.compile(rf"^{re.escape(top)}[/.,]", re.MULTILINE)
    described = list(folder.glob("*.dist-info"))
    if folder.name in ("site-packages", "dist-packages"):
        described += folder.glob("*.egg-info")
    described.sort(key=lambda path: not path.name.lower().startswith(top.lower()))
    for info in described:
        listed = _text(info / "RECORD") or _text(info / "installed-files.txt")
        if begin.search(listed.replace("../", "")) or top in _text(info / "top_level.txt").split():
            return info
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def digest_of_all(parts: Mapping[str, str]) -> str:
    """SHA-256 of named digests, in the order of their names."""
    return sha256(repr(sorted(parts.items())).encode())
