"""Words that a correction does not know, found before anything is evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Word = str | float


@dataclass(frozen=True)
class UnknownWord:
    """A word that none of the categories has that ask for it.

    Attributes
    ----------
    input : str
        Name of the input.
    keys : frozenset of str or int
        What the categories have instead.
    """

    input: str
    keys: frozenset[Word]


def parsed(text: str) -> Mapping[str, Any]:
    """A correctionlib file; nothing where only the library's own parser reads it."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def unknown_word(
    content: Mapping[str, Any], name: str, fixed: Mapping[str, Word]
) -> UnknownWord | None:
    """The word with which a correction has no value, whatever its other inputs are.

    Parameters
    ----------
    content : mapping
        A file of schema version 2, see `parsed`.
    name : str
        A correction of it, simple or compound.
    fixed : mapping of str to str or int
        Inputs that are the same for all events.

    Returns
    -------
    UnknownWord or None
        None where there may be a value, or where that cannot be told.
    """
    simple = {each["name"]: each["data"] for each in content.get("corrections") or ()}
    compound = {each["name"]: each["stack"] for each in content.get("compound_corrections") or ()}
    for member in [name] if name in simple else compound.get(name, []):
        for input_name, keys in _lacking(simple.get(member), fixed).items():
            return UnknownWord(input_name, frozenset(keys))
    return None


def _lacking(data: Any, fixed: Mapping[str, Word]) -> dict[str, set[Word]]:
    """Inputs whose word is missed, and the words instead; nothing if any way leads to a value."""
    lacking: dict[str, set[Word]] = {}
    todo = [(data, fixed)]
    while todo:
        node, words = todo.pop()
        kind = node.get("nodetype") if isinstance(node, dict) else None
        if kind == "category":
            values = {each["key"]: each["value"] for each in node["content"]}
            chosen = _chosen(node, values, words)
            if not chosen:
                lacking.setdefault(node["input"], set()).update(values)
            todo += [(below, words) for below in chosen]
        elif kind in ("binning", "multibinning"):
            todo += [(below, words) for below in node["content"]]
            if isinstance(node["flow"], dict):
                todo.append((node["flow"], words))
        elif kind == "transform":  # below it the input is another
            others = {name: word for name, word in words.items() if name != node["input"]}
            todo.append((node["content"], others))
        else:  # a number, a formula, or a node that is not known here
            return {}
    return lacking


def _chosen(
    node: Mapping[str, Any], values: Mapping[Word, Any], words: Mapping[str, Word]
) -> list[Any]:
    """What a category may lead to; nothing where it lacks the word."""
    input_name, default = node["input"], node.get("default")
    otherwise = [] if default is None else [default]
    if input_name not in words:
        return [*values.values(), *otherwise]
    word = words[input_name]
    return [values[word]] if word in values else otherwise
