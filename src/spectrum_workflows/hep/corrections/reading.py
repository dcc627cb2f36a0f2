"""The JSON of corrections, its numbers to the bit as correctionlib reads them.

The library's reader is fast, not exact: of numbers with 16 digits or more about one in ten is the
neighbour of the nearest double.  What stands on an edge, or in a steep formula, would then differ.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from correctionlib import CorrectionSet


@dataclass(frozen=True)
class Content:
    """A parsed file.

    Attributes
    ----------
    tree : Any
        What the JSON says, with every number as its text.
    numbers : dict of str to float
        The value of each of these texts.
    """

    tree: Any
    numbers: dict[str, float]

    def number(self, text: str) -> float:
        """A number, or the word ``inf``."""
        value = self.numbers.get(text)
        return float(text) if value is None else value


class _Texts(dict[str, str]):
    """Every text that was asked for, once."""

    def __missing__(self, text: str) -> str:
        self[text] = text
        return text


def read_content(text: str) -> Content:
    """Parse a file that correctionlib accepts."""
    seen = _Texts()
    keep = seen.__getitem__
    tree = json.loads(text, parse_float=keep, parse_int=keep, parse_constant=keep)
    return Content(tree, _read_by_the_library(list(seen)))


def _read_by_the_library(texts: list[str]) -> dict[str, float]:
    """Each number, taken from a correction whose bins hold them all."""
    if not texts:
        return {}
    name = {"name": "k", "type": "real"}
    edges = f'{{"n": {len(texts)}, "low": 0.0, "high": {float(len(texts))}}}'
    bins = f'"nodetype": "binning", "input": "k", "flow": "error", "edges": {edges}'
    one = f'"name": "numbers", "version": 1, "inputs": [{json.dumps(name)}]'
    data = f'{{{bins}, "content": [{", ".join(texts)}]}}'
    listed = f'{{{one}, "output": {json.dumps(name)}, "data": {data}}}'
    numbers = CorrectionSet.from_string(f'{{"schema_version": 2, "corrections": [{listed}]}}')
    values: Any = numbers["numbers"].evaluate(np.arange(len(texts)) + 0.5)
    return dict(zip(texts, values.tolist(), strict=True))
