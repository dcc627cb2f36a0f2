"""Results go into a folder of their own; ``record.json``, last, is the commit."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError, SpectrumError
from spectrum_workflows.jsontext import as_json
from spectrum_workflows.naming import file_names
from spectrum_workflows.record.outcome import Outcome
from spectrum_workflows.record.pictures import pictures
from spectrum_workflows.specs import spec_digest

RECORD = "record.json"
SCHEMA = 1


@dataclass
class _Saving:
    """What became of the products of a run.

    Attributes
    ----------
    objects : list of dict
        Name, size and hash of everything that was written.
    lost : list of str
        Numbers that could not be made or written, and why.
    notes : list of str
        The same of what can be done without: pictures.
    """

    objects: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def save(outcome: Outcome, results: str) -> str:
    """Write everything a run produced below ``results``.

    What cannot be made or written is named in the record, under ``lost`` if it
    is numbers and else under ``notes``, and everything else is there.

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
    [name] = file_names([outcome.spec.name])
    folder = storage.join(results, f"{name}-{stamp}-{secrets.token_hex(3)}")
    saving = _Saving()
    try:
        for product, data in outcome.domain.files(outcome.result):
            _save_one(folder, product, data, saving.objects, saving.lost)
    except Exception as error:
        saving.lost.append(_in_a_line(error))
    drawn, trouble = pictures(outcome)
    saving.notes += trouble
    for product, data in drawn.items():
        _save_one(folder, product, data, saving.objects, saving.notes)
    said = {"notes": saving.notes, "lost": saving.lost}
    record = _record(outcome, saving.objects) | said
    storage.write_bytes(storage.join(folder, RECORD), as_json(record).encode())
    return folder


def _save_one(
    folder: str, name: str, data: bytes, objects: list[dict[str, Any]], trouble: list[str]
) -> None:
    """Write one product and list it, or say why not."""
    try:
        storage.write_bytes(storage.join(folder, name), data)
    except Exception as error:
        trouble.append(f"{name} could not be written: {_in_a_line(error)}")
        return
    objects.append({"name": name, "size": len(data), "sha256": _sha256(data)})


def _in_a_line(error: Exception) -> str:
    said = str(error) if isinstance(error, SpectrumError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())


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
