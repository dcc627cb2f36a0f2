"""Names of what a run's crate holds besides the products of its science."""

from __future__ import annotations

METADATA = "ro-crate-metadata.json"
WORKFLOW = "workflow"
"""Folder of all that asks the same question again."""
SPEC = f"{WORKFLOW}/spec.json"
SOFTWARE = f"{WORKFLOW}/requirements.txt"
CODE = f"{WORKFLOW}/code.json"
CATALOGUE = f"{WORKFLOW}/catalogue.toml"
BESIDE = f"{WORKFLOW}/beside"
"""Folder of files that the spec names and that lay below its own folder."""
ELSEWHERE = "elsewhere"
"""Folder, beside the one before, of those that did not."""
