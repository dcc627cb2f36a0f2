"""Catalogue entries as TOML text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectrum_workflows.catalogue.entries import CatalogueEntry


def catalogue_text(entries: Mapping[str, CatalogueEntry]) -> str:
    """A ``catalogue.toml`` of some entries; keys that were not given are left out."""
    lines = []
    for name, entry in sorted(entries.items()):
        table = entry.model_dump(mode="json", exclude_unset=True)
        lines.append(f"[entries.{_text(name)}]")
        lines += [f"{key} = {_value(value)}" for key, value in table.items()]
        lines.append("")
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    """A basic string: JSON's, but for letters beyond its first plane and for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
