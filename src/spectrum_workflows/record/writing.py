"""Results go into a folder of their own; ``record.json``, last, is the commit."""

from __future__ import annotations

import errno
import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.budget import as_table, with_facts
from spectrum_workflows.crates.layout import METADATA
from spectrum_workflows.crates.members import write_members
from spectrum_workflows.credentials import all_hidden
from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError, SpectrumError
from spectrum_workflows.jsontext import as_json
from spectrum_workflows.naming import file_names
from spectrum_workflows.record import timeline
from spectrum_workflows.record.believing import check_record
from spectrum_workflows.record.outcome import Outcome
from spectrum_workflows.record.pictures import pictures
from spectrum_workflows.specs import spec_digest

RECORD = "record.json"
SCHEMA = 1

BEYOND_SUMMARY = {
    "replicas",
    *("schema", "started", "spec", "spec_digest", "plan", "stages", "inputs", "copies_read"),
    *("code", "workers", "machine", "worker_machines", "objects", "notes", "lost", "accounts"),
    *("retries", "timeline"),
    "traffic",
    "budget",
}
"""Keys of a record that are not of its summary."""

_OF_THE_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR}


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


def folder_name(outcome: Outcome) -> str:
    """A name for the run's own folder, which no other run can have."""
    stamp = f"{datetime.fromisoformat(outcome.started):%Y%m%dT%H%M%S}"
    [name] = file_names([outcome.spec.name])
    return f"{name}-{stamp}-{secrets.token_hex(3)}"


def write(outcome: Outcome, folder: str) -> None:
    """Write everything a run produced into its folder, the record last.

    What cannot be made, or has a name that the folder does not take, is named
    in the record, under ``lost`` if it is numbers and else under ``notes``, and
    everything else is there.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    """
    saving = _Saving()
    for product, data in _products(outcome, saving.lost):
        _save_one(folder, product, data, saving.objects, saving.lost)
    drawn, problems = pictures(outcome)
    saving.notes += problems
    for product, data in drawn.items():
        _save_one(folder, product, data, saving.objects, saving.notes)
    omissions = {"notes": saving.notes, "lost": saving.lost}
    record = _record(outcome, saving.objects) | omissions
    _save_crate(outcome, folder, record, saving)
    written = float(sum(entry["size"] for entry in saving.objects))
    record["budget"] = as_table(with_facts(outcome.budget, {"bytes_out": written}))
    storage.write_bytes(storage.join(folder, RECORD), as_json(all_hidden(record)).encode())


def _products(outcome: Outcome, lost: list[str]) -> Iterator[tuple[str, bytes]]:
    """The numbers to be saved, as far as they can be made."""
    try:
        yield from outcome.domain.files(outcome.result)
    except Exception as error:
        lost.append(_in_a_line(error))


def _save_crate(outcome: Outcome, folder: str, record: dict[str, Any], saving: _Saving) -> None:
    """Write what makes the folder a crate; its objects are listed with the others."""

    def save(name: str, data: bytes) -> None:
        _save_one(folder, name, data, saving.objects, saving.notes)

    try:
        write_members(outcome.spec, record, outcome.circumstances, save)
    except OutputError:
        raise
    except Exception as error:  # a result is not lost over its description
        saving.notes.append(f"{METADATA} could not be made: {_in_a_line(error)}")


def _save_one(
    folder: str, name: str, data: bytes, objects: list[dict[str, Any]], problems: list[str]
) -> None:
    """Write one product and list it, or say that its name is at fault."""
    try:
        storage.write_bytes(storage.join(folder, name), data)
    except OutputError as error:
        if not _is_of_the_name(error.__cause__):
            raise
        problems.append(f"{name} could not be written: {_in_a_line(error)}")
        return
    objects.append({"name": name, "size": len(data), "sha256": _sha256(data)})


def _is_of_the_name(cause: BaseException | None) -> bool:
    """Whether a place would take other names: it is neither full nor closed nor away."""
    return isinstance(cause, ValueError) or getattr(cause, "errno", None) in _OF_THE_NAME


def _in_a_line(error: Exception) -> str:
    text = str(error) if isinstance(error, SpectrumError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


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
    except RecursionError:
        raise DataError("not a run record: nested too deeply", url) from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise DataError("not a run record that this version can read", url)
    check_record(record, url)
    return record


def damaged(folder: str, record: dict[str, Any]) -> list[str]:
    """Names of the objects whose size or hash is not what the record says."""
    return [entry["name"] for entry in record["objects"] if not _is_whole(folder, entry)]


def _is_whole(folder: str, entry: dict[str, Any]) -> bool:
    url = storage.join(folder, entry["name"])
    try:
        if storage.info(url).get("size") not in (None, entry["size"]):
            return False
        data = storage.read_bytes(url)
    except DataNotFoundError:
        return False
    return (len(data), _sha256(data)) == (entry["size"], entry["sha256"])


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
        "budget": as_table(outcome.budget),
        "inputs": dict(plan.inputs),
        **({"replicas": {urls[0]: urls[1:] for urls in plan.replicas}} if plan.replicas else {}),
        "copies_read": list(outcome.metrics.copies),
        "code": plan.code,
        **({"traffic": outcome.traffic.as_json} if outcome.traffic else {}),
        "workers": outcome.workers,
        "machine": outcome.machine,
        "worker_machines": outcome.worker_machines,
        "accounts": outcome.accounts.table if outcome.accounts else None,
        "retries": outcome.metrics.retries,
        "timeline": timeline.written(outcome.metrics.timeline, outcome.started),
        "objects": objects,
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def summary_in(record: dict[str, Any]) -> dict[str, Any]:
    """The numbers that a person asks for first, from a record."""
    return {name: value for name, value in record.items() if name not in BEYOND_SUMMARY}
