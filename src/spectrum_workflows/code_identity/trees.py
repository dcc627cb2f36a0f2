"""Digest of a syntax tree: what code says, however it is written."""

from __future__ import annotations

import ast
import hashlib

_SAYS_NOTHING = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields that say how code is written, or nothing that its place does not."""


def tree_digest(tree: ast.Module) -> str:
    """SHA-256 of a syntax tree without docstrings; the same in every version of Python.

    Left out are positions, comments, and statements that are only a text: docstrings, those
    of attributes too.
    """
    texts: list[str] = []
    todo: list[object] = [tree]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            texts.append(item)
            continue
        assert isinstance(item, ast.AST)
        texts.append(f"({type(item).__name__}")
        parts: list[object] = []
        for name in item._fields:
            if name not in _SAYS_NOTHING:
                parts += _field(name, getattr(item, name, None))
        todo.append(")")
        todo += parts[::-1]
    return hashlib.sha256("".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def _field(name: str, value: object) -> list[object]:
    """A field of a node as texts and nodes; nothing where it says nothing."""
    if value is None or value == []:
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
