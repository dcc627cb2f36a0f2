"""JSON that any reader takes, whatever stands in the values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Set
from typing import Any

SPELLED = {math.inf: "Infinity", -math.inf: "-Infinity"}


def as_json(value: Any, *, spelled: bool = False, ascii_only: bool = True) -> str:
    """A value as JSON text, never refused: JSON knows no infinity and no not-a-number.

    Parameters
    ----------
    value : object
        Of mappings, sequences, numbers and texts; NumPy's are taken as Python's,
        anything else as the text it prints.
    spelled : bool
        Write numbers that are not finite as the texts ``"NaN"``, ``"Infinity"``
        and ``"-Infinity"``, which ``float`` reads, instead of ``null``.
    ascii_only : bool
        Write other letters as escapes.
    """
    options: dict[str, Any] = {"indent": 1, "ensure_ascii": ascii_only, "allow_nan": False}
    try:
        text = json.dumps(value, **options)
        text.encode()
    except (TypeError, ValueError):
        text = json.dumps(_plain(value, spelled=spelled), **options)
    return text


def _plain(value: Any, *, spelled: bool) -> Any:
    if isinstance(value, Mapping):
        return {_text(k): _plain(v, spelled=spelled) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, spelled=spelled) for v in value]
    if isinstance(value, Set):
        return sorted(_text(v) for v in value)
    if isinstance(value, bool | int | None):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return SPELLED.get(value, "NaN") if spelled else None
    if hasattr(value, "tolist"):  # an array or a number of NumPy
        return _plain(value.tolist(), spelled=spelled)
    return _text(value)


def _text(value: Any) -> str:
    return str(value).encode(errors="replace").decode()
