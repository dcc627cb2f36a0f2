"""Cuts of a selection: what can stand in ``[cuts]`` of a spec, with the types it has there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import itemgetter
from typing import Annotated, Any

from pydantic import PlainValidator

Value = bool | int | float | str
"""One number, text, or true or false."""

Bound = tuple[tuple[str, Any], ...]
"""Cuts by name, in a form that cannot change: lists are tuples."""


def frozen(value: Any) -> Any:
    """A cut as it stands in TOML: nothing becomes a number that is not one there.

    Parameters
    ----------
    value : bool, int, float, str, or list of such
        A number may also be NumPy's.

    Returns
    -------
    bool, int, float, str or tuple

    Raises
    ------
    ValueError
        It is anything else, or not finite.
    """
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    if type(value) not in (bool, int, float, str):
        kind = type(value).__name__
        raise ValueError(
            f"a cut is a number, text, true or false, or a list of them, not a {kind};"
            ' a date is written as text: "2018-05-01"'
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a cut is finite; leave a cut out that should not cut")
    return value


def bound(cuts: Mapping[str, Any]) -> Bound:
    """Cuts in the order of their names, frozen."""
    return tuple(sorted(((name, frozen(value)) for name, value in cuts.items()), key=itemgetter(0)))


def given(bound: Bound) -> dict[str, Any]:
    """Cuts as keyword arguments; every call has lists of its own."""
    return {name: _thawed(value) for name, value in bound}


def words(value: Any) -> str:
    """A cut in words: numbers in few digits."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if number else repr(_thawed(value))


def _thawed(value: Any) -> Any:
    return [_thawed(item) for item in value] if isinstance(value, tuple) else value


Cut = Annotated[Any, PlainValidator(frozen)]
"""The type of a cut in a spec."""
