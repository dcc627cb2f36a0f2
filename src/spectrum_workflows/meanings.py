"""What the keys of a model mean: the docstrings behind them, read only for its schema."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise

from pydantic import BaseModel


def meanings_of(model: type[BaseModel]) -> dict[str, str]:
    """The docstring of every key that has one; of a key that is declared again, the later one.

    A model whose source is in no file, as one typed at a prompt, has none.
    """
    meanings: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if not issubclass(kind, BaseModel) or kind is BaseModel:
            continue
        for line, after in pairwise([*_lines(kind), ast.Pass()]):
            match line:
                case ast.AnnAssign(target=ast.Name(id=key)):
                    meanings.pop(key, None)
                    match after:
                        case ast.Expr(value=ast.Constant(value=str(text))):
                            meanings[key] = inspect.cleandoc(text)
    return meanings


def _lines(kind: type) -> list[ast.stmt]:
    """The statements of a class."""
    try:
        [body] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except (OSError, TypeError, ValueError, SyntaxError):
        return []
    return body.body if isinstance(body, ast.ClassDef) else []
