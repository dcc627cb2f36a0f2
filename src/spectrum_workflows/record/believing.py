"""A record that was read is looked at before anything in it is believed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from spectrum_workflows.errors import DataError

_SHA256 = re.compile(r"[0-9a-f]{64}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_a_table_of_text(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


_NEEDED: Mapping[str, Callable[[Any], bool]] = {
    "workflow": _is_text,
    "name": _is_text,
    "digest": _is_text,
    "spec_digest": _is_text,
    "code": _is_text,
    "partial": lambda value: isinstance(value, bool),
    "fraction": _is_number,
    "inputs": _is_a_table_of_text,
    "objects": lambda value: isinstance(value, list),
}


def check_record(record: Mapping[str, Any], where: str) -> None:
    """Refuse a record that lacks what every run writes, or names files outside its folder.

    Raises
    ------
    DataError
        It is none of ours, or it was tampered with.
    """
    for word, fits in _NEEDED.items():
        if word not in record or not fits(record[word]):
            raise DataError(
                f"not a run record: {word!r} is missing or is not what it should be", where
            )
    for entry in record["objects"]:
        if not _is_object(entry):
            raise DataError("not a run record: an object has no name, size and hash", where)
        if not is_inside(entry["name"]):
            raise DataError(f"it names {entry['name']!r}, which is not in its folder", where)
    names = [entry["name"] for entry in record["objects"]]
    if len(set(names)) < len(names):
        raise DataError("not a run record: an object is listed twice", where)


def is_inside(name: str) -> bool:
    """Whether a name can only be that of something below the folder it is joined to."""
    steps = name.split("/")
    return not any(step in ("", ".", "..") for step in steps) and not re.search(
        r"[\\\\\x00-\x1f]|:/|^~|^[A-Za-z]:", name
    )


def _is_object(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    size = entry.get("size")
    return (
        isinstance(entry.get("name"), str)
        and isinstance(size, int)
        and not isinstance(size, bool)
        and size >= 0
        and bool(_SHA256.fullmatch(str(entry.get("sha256"))))
    )
