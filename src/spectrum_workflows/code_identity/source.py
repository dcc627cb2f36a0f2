"""The source of a module: its imports, and the names and paths it uses."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from spectrum_workflows.code_identity.content import sha256
from spectrum_workflows.code_identity.trees import tree_digest
from spectrum_workflows.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def source_at(name: str, path: Path) -> Source:
    """The source of a module's file; of one that is not source, only which content it has."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{name} cannot be read ({error.strerror})", str(path)) from error
    if path.suffix != ".py":
        return Source(sha256(content), sha256(content))
    return parsed(content, str(path))


@lru_cache(maxsize=4096)
def parsed(content: bytes, path: str) -> Source:
    """The source of a file of code, parsed once for every content."""
    if not path.endswith(".py"):
        return Source(sha256(content), sha256(content))
    tree = parse(content, path)
    return source_of(content, tree)


def source_of(content: bytes, tree: ast.Module) -> Source:
    """The source of a file of code, from its text and tree."""
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


def looks_at_itself(source: Source) -> bool:
    """Whether code looks at its own text, so that all of that counts."""
    return bool(source.names & _TEXT)


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
        fault = f"this code does not run ({type(error).__name__}: {message})"
        raise SpecError(fault, where) from None


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
