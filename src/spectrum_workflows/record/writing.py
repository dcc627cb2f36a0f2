"""Results go into a folder of their own; ``record.json``, last, is the commit."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.record.outcome import Outcome
from spectrum_workflows.record.pictures import pictures
from spectrum_workflows.specs import spec_digest

RECORD = "record.json"
SCHEMA = 1


def save(outcome: Outcome, results: str) -> str:
    """Write everything a run produced below ``results``.

    Parameters
    ----------
    outcome : Outcome
    results : str
        URL of the folder that gets one folder per run.

    Returns
    -------
    str
        URL of the run's own folder, which no other run can have.

    Raises
    ------
    OutputError
        The place cannot be written to.
    """
    stamp = outcome.started.translate(str.maketrans("", "", "-:")).removesuffix("+0000")
    folder = storage.join(results, f"{outcome.spec.name}-{stamp}-{secrets.token_hex(3)}")
    objects = [_written(folder, name, data) for name, data in outcome.domain.files(outcome.result)]
    drawn, trouble = pictures(outcome)
    objects += [_written(folder, name, data) for name, data in drawn.items()]
    record = _record(outcome, objects) | {"notes": [trouble] if trouble else []}
    storage.write_bytes(storage.join(folder, RECORD), json.dumps(record, indent=1).encode())
    return folder


def _written(folder: str, name: str, data: bytes) -> dict[str, Any]:
    storage.write_bytes(storage.join(folder, name), data)
    return {"name": name, "size": len(data), "sha256": _sha256(data)}


def read_record(folder: str) -> dict[str, Any]:
    """The record of a finished run.

    Raises
    ------
    DataNotFoundError
        There is no record: the run did not finish, or this is not a run.
    DataError
        What is there is not a record.
    """
    url = storage.join(folder, RECORD)
    try:
        record = json.loads(storage.read_bytes(url))
    except DataNotFoundError:
        raise DataNotFoundError(
            "no record.json: not a run, or one that did not finish", folder
        ) from None
    except ValueError as error:
        raise DataError(f"not a run record: {error}", url) from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise DataError("not a run record that this version can read", url)
    return record


def damaged(folder: str, record: dict[str, Any]) -> list[str]:
    """Names of the objects whose size or hash is not what the record says."""
    bad = []
    for entry in record["objects"]:
        try:
            data = storage.read_bytes(storage.join(folder, entry["name"]))
        except DataNotFoundError:
            bad.append(entry["name"])
            continue
        if len(data) != entry["size"] or _sha256(data) != entry["sha256"]:
            bad.append(entry["name"])
    return bad


def _record(outcome: Outcome, objects: list[dict[str, Any]]) -> dict[str, Any]:
    plan = outcome.plan
    return {
        "schema": SCHEMA,
        **outcome.summary,
        "started": outcome.started,
        "spec": outcome.spec.model_dump(mode="json"),
        "spec_digest": spec_digest(outcome.spec),
        "plan": {
            "partitions": [p.where for p in plan.partitions],
            "size": plan.size,
            "bytes_to_read": plan.bytes_to_read,
            "data_bytes": plan.data_bytes,
            "largest_memory": plan.largest_memory,
            "warnings": plan.warnings,
            "method": plan.method,
        },
        "stages": outcome.stages,
        "inputs": dict(plan.inputs),
        "copies_read": list(outcome.tally.copies),
        "code": plan.code,
        "workers": outcome.workers,
        "machine": outcome.machine,
        "worker_machines": outcome.worker_machines,
        "objects": objects,
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
