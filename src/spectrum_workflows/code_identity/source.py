"""The source of a module: its imports, and the names and paths it uses."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from spectrum_workflows.code_identity.content import sha256
from spectrum_workflows.code_identity.trees import tree_digest
from spectrum_workflows.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_TEXT = {"__doc__", "getdoc", "getsource", "getsourcelines", "getcomments", "co_firstlineno"}
"""Names by which code looks at text that its tree does not hold."""


_BY_NAME = {"import_module", "__import__", "iter_modules", "walk_packages"}


_NO_FILES = ("/proc/", "/sys/", "/dev/")
"""Folders in which the system tells its state."""


@dataclass(frozen=True)
class Source:
    """Imports, names and paths of one file of code.

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


def content_at(name: str, path: Path) -> bytes:
    """The content of a module's file.

    Raises
    ------
    SpecError
        It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"{name} cannot be read ({error.strerror})", str(path)) from error


@lru_cache(maxsize=4096)
def parsed(content: bytes, path: str) -> Source:
    """The source of a module's file, parsed once for every content.

    Of one that is not source, only which content it has.
    """
    if not path.endswith(".py"):
        return Source(sha256(content), sha256(content))
    tree = parse(content, path)
    return source_of(content, tree)


def source_of(content: bytes, tree: ast.Module) -> Source:
    """The source of a file of code, from its text and tree."""
    seen = _Seen()
    todo: list[tuple[ast.AST, bool]] = [(tree, True)]
    while todo:
        node, runs = todo.pop()
        seen.add(node, runs=runs)
        if isinstance(node, ast.If) and _is_apart(node.test):
            todo += [(child, False) for child in node.body]
            todo += [(child, runs) for child in (node.test, *node.orelse)]
        elif isinstance(node, ast.JoinedStr):
            todo += [(v, runs) for v in node.values if not isinstance(v, ast.Constant)]
        else:
            todo += [(child, runs) for child in _children(node)]
    steps, full = _spelt(seen.texts)
    return Source(
        sha256(content),
        tree_digest(tree),
        tuple(seen.imports),
        frozenset(seen.names),
        seen.by_name,
        steps,
        full,
    )


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below one; not whether a name is read or written, a node of its own each time."""
    for name in node._fields:
        value = None if name == "ctx" else getattr(node, name, None)
        if isinstance(value, list):
            yield from (item for item in value if isinstance(item, ast.AST))
        elif isinstance(value, ast.AST):
            yield value


def looks_at_itself(source: Source) -> bool:
    """Whether code looks at its own text, so that all of that counts."""
    return bool(source.names & _TEXT)


@dataclass
class _Seen:
    """What the nodes of a syntax tree say, as it is walked."""

    names: set[str] = field(default_factory=set)
    imports: list[tuple[int, str, tuple[str, ...]]] = field(default_factory=list)
    by_name: bool = False
    texts: list[str] = field(default_factory=list)

    def add(self, node: ast.AST, *, runs: bool) -> None:
        """Note one node, which runs or not when its module is imported."""
        match node:
            case ast.Name():
                self.names.add(node.id)
            case ast.Constant(value=str(text)):
                self.texts.append(re.sub(r"\{[^{}]*\}|%[-\d.]*[sdifg]", "*", text))
            case ast.Attribute():
                self.names.add(node.attr)
            case ast.FunctionDef():
                self.names.add(node.name)
            case ast.JoinedStr():
                parts = [v.value if isinstance(v, ast.Constant) else "*" for v in node.values]
                self.texts.append("".join(map(str, parts)))
            case ast.Import() | ast.ImportFrom():
                self._add_import(node, runs=runs)
            case ast.Call() if runs and called(node) in _BY_NAME:
                self._add_late_import(node)

    def _add_import(self, node: ast.Import | ast.ImportFrom, *, runs: bool) -> None:
        names = tuple(alias.name for alias in node.names)
        self.names.update(names)
        if isinstance(node, ast.ImportFrom):
            self.names.update((node.module or "").split("."))
            added = [(node.level, node.module or "", names)]
        else:
            added = [(0, name, ()) for name in names]
        self.imports += added if runs else []

    def _add_late_import(self, node: ast.Call) -> None:
        first = node.args[0] if node.args else None
        text = first.value if isinstance(first, ast.Constant) else None
        if isinstance(text, str):
            bare = text.lstrip(".")
            self.imports.append((len(text) - len(bare), bare, ()))
        else:
            self.by_name = True


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
        if isinstance(node, ast.If) and _is_apart(node.test):
            todo += node.orelse
            continue
        yield node
        todo += ast.iter_child_nodes(node)


def _is_apart(test: ast.expr) -> bool:
    """Whether what follows a condition is for type checkers, or a program of its own."""
    if isinstance(test, ast.Name | ast.Attribute):
        return "TYPE_CHECKING" in ast.dump(test)
    return "__main__" in ast.dump(test)


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
        fault = f"this code does not run ({type(error).__name__}: {message})"
        raise SpecError(fault, where) from None


def _spelt(texts: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Every step of every path that code may spell, and full paths as they are."""
    short = [text for text in texts if len(text) < 500 and "\0" not in text]
    steps = {step for text in short for step in re.split(r"[/\\]", text)}
    full = {text for text in short if text.startswith("/") and not text.startswith(_NO_FILES)}
    return frozenset(step for step in steps if step.strip("*?. \n")), tuple(sorted(full))
