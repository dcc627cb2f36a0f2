"""Every key of a spec or a profile is described, and the pages of docs/keys say the same."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spectrum_workflows import domain
from spectrum_workflows.catalogue.entries import Catalogue
from spectrum_workflows.cli.commands import app
from spectrum_workflows.keys import reference
from spectrum_workflows.projection.targets import Targets
from spectrum_workflows.sites import profile_schema
from spectrum_workflows.use_cases.sheet import UseCase

ROOT = Path(__file__).parents[1]
SCHEMAS: dict[str, Mapping[str, Any]] = {
    "site": profile_schema(),
    "catalogue": Catalogue.model_json_schema(),
    "use-case": UseCase.model_json_schema(),
    "targets": Targets.model_json_schema(),
    **{name: domain.get(name).spec.model_json_schema() for name in domain.names()},
}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_is_described(kind: str) -> None:
    schema = SCHEMAS[kind]
    parts = {kind: schema, **schema["$defs"]}
    keys = {
        f"{part}.{name}": key.get("description", "")
        for part, described in parts.items()
        for name, key in described.get("properties", {}).items()
    }
    assert len(keys) > 8
    assert {name for name, text in keys.items() if len(text) < 6} == set()


@pytest.mark.parametrize("kind", sorted({*SCHEMAS} - {"catalogue"}))
def test_the_pages_are_what_the_command_prints(kind: str) -> None:
    printed = CliRunner().invoke(app, ["schema", kind, "--markdown"])
    page = ROOT / "docs" / "keys" / f"{kind}.md"
    assert printed.output == page.read_text(), f"spectrum schema {kind} --markdown > {page}"
    again = json.loads(CliRunner().invoke(app, ["schema", kind]).output)
    assert again["properties"].keys() == SCHEMAS[kind]["properties"].keys()


def test_types_and_defaults_are_said_in_words() -> None:
    text = "title"
    page = reference(
        {
            "description": "A table.",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "description": f"The ``{text}``."},
                "n": {"type": "integer", "minimum": 1, "default": 2, "description": "a|b"},
                "kinds": {"type": "array", "items": {"enum": ["x", "y"]}},
                "one": {"anyOf": [{"$ref": "#/$defs/One"}, {"type": "null"}], "default": None},
            },
            "$defs": {"One": {"type": "object"}},
        },
        title="T",
    )
    assert page.splitlines() == [
        "# T",
        "",
        "A table.",
        "",
        "| key | type | default | meaning |",
        "|---|---|---|---|",
        "| `name` | text | required | The `title`. |",
        "| `n` | whole number ≥ 1 | `2` | a\\|b |",
        '| `kinds` | list of `"x"` or `"y"` |  |  |',
        "| `one` | `One` |  |  |",
    ]
