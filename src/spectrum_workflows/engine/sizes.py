"""Size of a value in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

SMALL = 64  # bytes, of anything that holds no array


def nbytes(value: Any) -> int:
    """Bytes of the arrays in a value: dataclasses, sequences and mappings are looked into."""
    if is_dataclass(value):
        return SMALL + sum(nbytes(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return SMALL + sum(nbytes(scatter_shared) for scatter_shared in value.values())
    if isinstance(value, tuple | list):
        return SMALL + sum(nbytes(scatter_shared) for scatter_shared in value)
    if isinstance(value, bytes | bytearray):
        return SMALL + len(value)
    scatter_shared = getattr(value, "nbytes", SMALL)
    return scatter_shared if isinstance(scatter_shared, int) else SMALL
