"""Stores: what the credentials at hand allow, tried with an object that is removed again."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.doctor.clocks import Reading
from spectrum_workflows.findings import Finding, failed, fault, fine
from spectrum_workflows.storage.location import location_of

CONTENT = bytes(range(256)) * 32
RANGES = ((0, 16), (4_000, 4_100), (8_100, 8_192))
TIMEOUT = 8.0
"""Seconds for an answer, the first one with the opening of the store's library."""

TIMES = ("LastModified", "last_modified", "mtime", "modified")
SKEWED = "TimeTooSkewed"
"""Part of the word with which S3 refuses a request whose clock is wrong."""


@dataclass(frozen=True)
class Visit:
    """A finding about a store, and its clock if it has shown it."""

    finding: Finding
    clock: Reading | None = None


def impatient(stores: storage.Stores, *urls: str) -> storage.Stores:
    """The same stores, asked once and not for long."""
    for url in urls:
        stores = stores.changed(url, patience=0.0, timeout=TIMEOUT)
    return stores


def results(root: str) -> Visit:
    """Write an object below the results root, read ranges of it, remove it."""
    subject, expected = "results", "write, ranged read and delete"
    url = storage.join(root, f".doctor-{uuid.uuid4().hex[:8]}")
    try:
        begun = time.time()
        storage.write_bytes(url, CONTENT)
        ended = time.time()
        described = storage.info(url)
        parts = storage.read_ranges(url, RANGES)
        storage.remove(url)
        if storage.exists(url):
            return Visit(fault(subject, f"{_at(root)}: what is deleted stays", expected, _REMEDY))
    except Exception as error:  # whatever a store's library raises
        _swept(url)
        return Visit(_failed(subject, error, expected, _REMEDY))
    if any(bytes(p) != CONTENT[a:b] for p, (a, b) in zip(parts, RANGES, strict=True)):
        return Visit(fault(subject, f"{_at(root)}: other bytes came back", expected, _ASK))
    clock = _clock(described, begun, ended)
    return Visit(fine(subject, f"{_at(root)}: written, read, removed", expected), clock)


def _swept(url: str) -> None:
    """Remove an object that may have been left, as far as a store that failed lets us."""
    with suppress(Exception):
        storage.remove(url)


DATA = "data"
"""What a finding about the data root is called."""

_REMEDY = "name another with results in the profile, or --out"
_ASK = "ask its keepers"


def data(root: str, inputs: tuple[str, ...] = ()) -> Finding:
    """Read from an input, or else from any file that lies in the data root itself.

    Parameters
    ----------
    root : str
        URL.
    inputs : tuple of str
        URLs of a spec's files or sets; the first is tried.
    """
    subject, expected = DATA, "there, and ranges of files can be read"
    remedy = "name another with data in the profile, or --data; spectrum data make makes examples"
    try:
        if inputs:
            return fine(subject, f"{_at(inputs[0])}: {_read(inputs[0])}", expected)
        if location_of(root).is_http:
            return fine(subject, f"{_at(root)}: web servers list no files (try --spec)", expected)
        if not storage.exists(root):
            return fault(subject, f"{_at(root)}: not there", expected, remedy)
        files = _files_in(root)
        if not files:
            return fine(subject, f"{_at(root)}: there, without a file of its own", expected)
        return fine(subject, f"{_at(files[0])}: {_read(files[0])}", expected)
    except Exception as error:  # whatever a store's library raises
        return _failed(subject, error, expected, remedy)


def _read(url: str) -> str:
    """Read the ends of a file; a set that is a folder is there."""
    described = storage.info(url)
    size = described.get("size") or 0
    if described.get("type") == "directory" or size < 2:
        return "there"
    storage.read_ranges(url, ((0, 1), (size - 1, size)))
    return f"ranges read of {size:,} bytes"


def _files_in(root: str) -> list[str]:
    place = location_of(root)
    fs, _ = storage.locate(root)
    entries: list[dict[str, Any]] = storage.persist(
        place, lambda fs, path: fs.ls(path, detail=True)
    )
    names = sorted(e["name"] for e in entries if e.get("type") == "file" and e.get("size"))
    return [name if place.is_local else fs.unstrip_protocol(name) for name in names]


def _clock(described: dict[str, Any], begun: float, ended: float) -> Reading | None:
    """The store's clock, from the time it gave to what was written between two moments here."""
    value = next((described[name] for name in TIMES if described.get(name)), None)
    if isinstance(value, datetime):
        value = value.timestamp()
    if not isinstance(value, int | float):
        return None
    whole = 0.0 if value % 1 else 1.0  # many stores give whole seconds
    return Reading("the store", value - (begun + ended) / 2, (ended - begun) / 2 + whole)


def _failed(subject: str, error: BaseException, expected: str, remedy: str) -> Finding:
    if SKEWED in str(error):
        remedy = "the clock here is not the store's: have it set (NTP, chrony)"
        return fault(subject, str(error), expected, remedy)
    return failed(subject, error, expected, remedy)


def _at(url: str) -> str:
    return storage.shown(url)
