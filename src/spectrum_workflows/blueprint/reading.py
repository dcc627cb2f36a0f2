"""The map and the evidence, from the files that come with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spectrum_workflows.blueprint.areas import Blueprint
from spectrum_workflows.specs import parse, read_toml

AREAS = Path(__file__).with_name("areas.toml")
MEASURED = Path(__file__).with_name("measured.json")


def load_blueprint() -> Blueprint:
    """The map as the package has it."""
    return parse(Blueprint, read_toml(AREAS.read_bytes(), where=AREAS.name), where=AREAS.name)


def load_evidence() -> dict[str, dict[str, Any]]:
    """What the map shows of the files of evidence, by their names.

    ``make evidence`` writes it from ``docs/evidence``; an installed package has no such folder.
    """
    read: dict[str, dict[str, Any]] = json.loads(MEASURED.read_text())
    return read
