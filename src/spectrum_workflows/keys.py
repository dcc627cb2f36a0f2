"""The keys of a spec or a profile as a page to read, from their JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

UNSET: tuple[Any, ...] = (None, "", [], {})
"""Defaults that mean that a key is left out."""


def reference(schema: Schema, *, title: str) -> str:
    """Write every key with its type, default and meaning, as Markdown.

    Parameters
    ----------
    schema : mapping
        JSON Schema with descriptions, such as ``spectrum schema`` prints.
    title : str
        Heading of the page.
    """
    parts = {title: schema} | {f"`{name}`": part for name, part in schema["$defs"].items()}
    sections = [
        "\n".join(_section(heading, part, "#" if part is schema else "##"))
        for heading, part in parts.items()
        if "properties" in part
    ]
    return "\n\n".join(sections) + "\n"


def _section(heading: str, part: Schema, level: str) -> Iterator[str]:
    yield f"{level} {heading}"
    yield ""
    if text := _one_line(part.get("description", "")):
        yield text
        yield ""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    needed = part.get("required", ())
    for name, key in part["properties"].items():
        default = "required" if name in needed else _default(key.get("default"))
        cells = (f"`{name}`", _type(key), default, _one_line(key.get("description", "")))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _default(value: Any) -> str:
    """A table of defaults stands in its own section."""
    return "" if value in UNSET or isinstance(value, Mapping) else f"`{json.dumps(value)}`"


def _type(key: Schema) -> str:
    """What may stand behind a key, in TOML's words."""
    if "$ref" in key:
        return f"`{key['$ref'].rpartition('/')[2]}`"
    for several in ("anyOf", "oneOf"):
        if several in key:
            types = (_type(one) for one in key[several] if one.get("type") != "null")
            return " or ".join(dict.fromkeys(types))
    if "const" in key or "enum" in key:
        return " or ".join(f"`{json.dumps(v)}`" for v in key.get("enum", [key.get("const")]))
    kind = key.get("type", "anything")
    if kind == "array":
        inner = (
            [*key.get("prefixItems", ()), key["items"]] if "items" in key else key["prefixItems"]
        )
        return "list of " + " or ".join(dict.fromkeys(map(_type, inner)))
    if kind == "object":
        values = key.get(
            "additionalProperties", next(iter(key.get("patternProperties", {}).values()), None)
        )
        return f"table of {_type(values)}" if isinstance(values, Mapping) else "table"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return f"{words.get(kind, kind)}{_limits(key)}"


def _limits(key: Schema) -> str:
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
        "multipleOf": "a multiple of",
    }
    limits = [f"{sign} {key[name]:g}" for name, sign in signs.items() if name in key]
    return f" {', '.join(limits)}" if limits else ""
