"""Which words a correction takes: the keys of its categories."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

LEAVES = ("formula", "formularef", "hashprng", "lwtnn")
KINDS = (*LEAVES, "binning", "category", "multibinning", "transform")
"""Nodes of schema version 2."""


@lru_cache(maxsize=64)
def accepted_words(text: str, name: str) -> Mapping[str, frozenset[str | int]]:
    """The words and whole numbers that some inputs of a correction may have.

    Parameters
    ----------
    text : str
        A correctionlib file, of schema version 2.
    name : str
        A correction of it, simple or compound.

    Returns
    -------
    mapping of str to frozenset of str or int
        By input; without those that no category asks for, that one has a default for, or that
        are rewritten on the way.  Not every word goes with every value of the others.
    """
    content = json.loads(text)
    simple = {each["name"]: each for each in content.get("corrections") or ()}
    if name in simple:
        return _of_tree(simple[name]["data"])
    [compound] = [each for each in content["compound_corrections"] if each["name"] == name]
    accepted: dict[str, frozenset[str | int]] = {}
    for member in compound["stack"]:
        for given, words in _of_tree(simple[member]["data"]).items():
            accepted[given] = accepted.get(given, words) & words
    return accepted


def _of_tree(data: Any) -> dict[str, frozenset[str | int]]:
    """The same of the tree of one correction; nothing of one with nodes that are not known."""
    keys: dict[str, set[str | int]] = {}
    anything = set()
    for node in _nodes(data):
        kind = node["nodetype"]
        if kind not in KINDS:
            return {}
        if kind == "category":
            keys.setdefault(node["input"], set()).update(each["key"] for each in node["content"])
        if kind == "transform" or node.get("default") is not None:
            anything.add(node["input"])
    return {given: frozenset(words) for given, words in keys.items() if given not in anything}


def _nodes(data: Any) -> Iterator[dict[str, Any]]:
    """Every node of a tree that is no number."""
    todo = [data]
    while todo:
        node = todo.pop()
        if not isinstance(node, dict) or "nodetype" not in node:
            continue
        yield node
        below = node.get("content")
        if node["nodetype"] == "category":
            below = [each["value"] for each in below or ()]
        todo += below if isinstance(below, list) else [below]
        todo += [node.get(key) for key in ("default", "flow", "rule")]
