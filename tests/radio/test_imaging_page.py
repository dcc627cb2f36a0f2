"""The page for users of CASA and WSClean has a row for every key of the spec, and for no other."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spectrum_workflows.radio.spec import RadioSpec

PAGE = Path(__file__).parents[2] / "docs" / "imaging.md"
LISTED = "synthetic.sources"
"""A list of tables, whose keys the page names without it."""


def dotted(schema: Mapping[str, Any], part: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """All keys of a schema, with the tables that they stand in."""
    for name, key in part.get("properties", {}).items():
        here = f"{above}.{name}" if above else name
        choices = [key, *key.get("anyOf", ())]
        tables = [c["$ref"].rpartition("/")[2] for c in choices if "$ref" in c]
        below = [k for table in tables for k in dotted(schema, schema["$defs"][table], here)]
        yield from below or [here]


def test_every_key_has_a_row_and_every_row_a_key() -> None:
    schema = RadioSpec.model_json_schema()
    keys = {*dotted(schema, schema)}
    assert len(keys) > 30
    assert {"image.npix", "products.primary_beam.cut", LISTED} <= keys
    first = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line[:3] == "| `"]
    said = {key for cell in first for key in re.findall(r"`([\w.]+)`", cell)}
    assert sorted(keys - said) == [], "give it a row in docs/imaging.md"
    assert sorted(said - keys) == [], "docs/imaging.md has a key that is gone"
