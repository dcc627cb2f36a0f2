"""Processors: whether results of session and nodes will be the same to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spectrum_workflows import arithmetic
from spectrum_workflows.findings import Finding, doubt, fine

EXPECTED = f"x86-64-v{arithmetic.LEVEL} code on every machine: identical results"


def processor(machine: Mapping[str, Any]) -> Finding:
    """What to expect of results of a machine, as `record.machine` describes it.

    Parameters
    ----------
    machine : mapping
        With ``arithmetic`` besides.
    """
    doubts = arithmetic.doubts([machine])
    if doubts:
        line = f"equivalent results: {doubts[0]}"
        return doubt("processor", line, EXPECTED, "take machines of one kind, or compare with it")
    level = machine["arithmetic"]["level"]
    return fine("processor", f"x86-64-v{level} code: identical results", EXPECTED)
