"""A record whose rates are round numbers, saved as a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def a_record(**changes: Any) -> dict[str, Any]:
    """100 s of CPU time: 10 kHz per core, 12.5 MB/s per core, half of 2,500 bytes per event."""
    record = {
        "schema": 1,
        "workflow": "hep",
        "name": "round",
        "digest": "ab" * 32,
        "spec_digest": "cd" * 32,
        "code": "",
        "partial": False,
        "fraction": 1.0,
        "partitions": 10,
        "seconds": 60.0,
        "cpu_seconds": 100.0,
        "bytes_read": 1_250_000_000,
        "workers": 2,
        "inputs": {},
        "objects": [],
        "plan": {"size": 1_000_000, "bytes_to_read": 1, "data_bytes": 2_500_000_000},
        "stages": [
            {"name": "select", "measured": {"memory": 5e8, "bytes_moved": 7e6}},
            {"name": "again", "measured": {"memory": 3e8, "bytes_moved": 1e6}},
        ],
    }
    plan = {**record["plan"], **changes.pop("plan", {})}
    return {**record, "plan": plan, **changes}


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    """Make such a record, with changes."""
    return a_record


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    """Save such a record as a run of its own, and give the folder."""

    def save(**changes: Any) -> str:
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "record.json").write_text(json.dumps(a_record(**changes)))
        return str(folder)

    return save
