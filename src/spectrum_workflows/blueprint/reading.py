"""The map and the evidence, from the files that come with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spectrum_workflows import shipped
from spectrum_workflows.blueprint.areas import Blueprint
from spectrum_workflows.errors import DataError
from spectrum_workflows.specs import parse, read_toml

AREAS = Path(__file__).with_name("areas.toml")


def load_blueprint() -> Blueprint:
    """The map as the package has it."""
    return parse(Blueprint, read_toml(AREAS.read_bytes(), where=AREAS.name), where=AREAS.name)


def load_evidence() -> dict[str, dict[str, Any]]:
    """Files of evidence by name; those that have not been measured are absent.

    Raises
    ------
    DataError
        One is damaged.
    """
    return {file.name: _read(file) for file in sorted(shipped.folder("evidence").glob("*.json"))}


def _read(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text())
    except ValueError as error:
        raise DataError(f"not a file of evidence: {error}", str(file)) from None
    if not isinstance(told, dict):
        raise DataError("not a file of evidence: no table", str(file))
    return told
