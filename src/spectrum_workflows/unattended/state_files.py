"""What is kept of unattended runs below the results root: small objects, each written whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.credentials import all_hidden
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.jsontext import as_json
from spectrum_workflows.resuming import KNOWN
from spectrum_workflows.unattended.states import End, JobHandle, Progress, Submitted

FOLDER = f"{KNOWN}/runs"
"""Of all unattended runs, below the results root."""
SUBMITTED, PROGRESS, END, LOG = "submitted.json", "progress.json", "end.json", "log.txt"


def folder_of(results: str, run: str) -> str:
    """URL of the folder of a run's state."""
    return storage.join(results, f"{FOLDER}/{run}")


def write(results: str, run: str, part: Submitted | Progress | End) -> None:
    """Write one part of a run's state, in place of what was there."""
    name = {Submitted: SUBMITTED, Progress: PROGRESS, End: END}[type(part)]
    text = as_json(all_hidden(asdict(part)))
    storage.write_bytes(storage.join(folder_of(results, run), name), text.encode())


def submitted(results: str, run: str) -> Submitted | None:
    """What was asked; ``None`` where there is no such run."""
    table = _read(results, run, SUBMITTED)
    if table is None:
        return None
    try:
        return Submitted(**{**table, "job": JobHandle(**table["job"])})
    except (TypeError, KeyError) as error:
        raise _damaged(results, run, SUBMITTED) from error


def progress(results: str, run: str) -> Progress | None:
    """What its job said last."""
    table = _read(results, run, PROGRESS)
    try:
        return None if table is None else Progress(**table)
    except TypeError as error:
        raise _damaged(results, run, PROGRESS) from error


def end(results: str, run: str) -> End | None:
    """How its job ended."""
    table = _read(results, run, END)
    try:
        return None if table is None else End(**table)
    except TypeError as error:
        raise _damaged(results, run, END) from error


def runs(results: str) -> list[str]:
    """Names of the runs that are known below a results root."""
    urls = storage.files_below(storage.join(results, FOLDER))
    return sorted({url.split("/")[-2] for url in urls if url.endswith(f"/{SUBMITTED}")})


def _read(results: str, run: str, name: str) -> Mapping[str, Any] | None:
    url = storage.join(folder_of(results, run), name)
    try:
        table = json.loads(storage.read_bytes(url))
    except DataNotFoundError:
        return None
    except ValueError as error:
        raise _damaged(results, run, name) from error
    if not isinstance(table, dict):
        raise _damaged(results, run, name)
    return table


def _damaged(results: str, run: str, name: str) -> DataError:
    url = storage.join(folder_of(results, run), name)
    return DataError("not the state of a run that this version can read", url, "submit it again")
