"""A check that a file below the data root is still what was fetched, at the cost of a look."""

from __future__ import annotations

import hashlib
import json
import zlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.catalogue.entries import CatalogueFile
from spectrum_workflows.errors import OutputError

BLOCK = 16 << 20
"""Bytes that are read at a time."""

NOTES = "checksums.json"
"""Beside the data: checksums that were computed here, with size and time of change."""


def checksum(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file: any of hashlib's, or ``adler32`` as XRootD has it."""
    if algorithm != "adler32":
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest()
    value = 1
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            value = zlib.adler32(block, value)
    return f"{value:08x}"


def distrust(file: CatalogueFile, path: Path) -> str:
    """The fault of a file that is there; empty if it has none.

    Its size is compared with the published one.  What was fetched is read again
    if it has changed since; what came otherwise is read by `verify` only.
    """
    state = path.stat()
    if file.size is not None and state.st_size != file.size:
        return f"{state.st_size} bytes, not the {file.size} published"
    before = notes(path).get(path.name)
    if before is None or _fits(before, path):
        return ""
    known = file.checksum or before["checksum"]
    algorithm, _, expected = known.partition(":")
    if (actual := checksum(path, algorithm)) != expected:
        return f"{algorithm} {actual}, not {expected}, which it had when it was fetched"
    with suppress(OutputError, OSError):  # a data root that only others write to
        note(file, path)
    return ""


def notes(path: Path) -> dict[str, dict[str, Any]]:
    """Notes on the files beside this one, as far as they can be believed."""
    kept = path.with_name(NOTES)
    try:
        return _read(kept, kept.stat().st_mtime_ns)
    except OSError:
        return {}


def note(file: CatalogueFile, path: Path) -> None:
    """Remember the checksum of this copy: the published one, or one computed now."""
    known = notes(path)
    before = known.get(path.name)
    if before is not None and _fits(before, path):
        return
    stamp = _stamp(path) | {"checksum": file.checksum or f"sha256:{checksum(path, 'sha256')}"}
    text = json.dumps(known | {path.name: stamp}, indent=1)
    storage.write_bytes(str(path.with_name(NOTES)), text.encode())


def _stamp(path: Path) -> dict[str, int]:
    state = path.stat()
    return {"size": state.st_size, "changed": state.st_mtime_ns}


def _fits(before: dict[str, Any], path: Path) -> bool:
    return {word: before.get(word) for word in ("size", "changed")} == _stamp(path)


@lru_cache(maxsize=8)
def _read(kept: Path, _changed: int) -> dict[str, dict[str, Any]]:
    try:
        entries = json.loads(kept.read_bytes())
    except (ValueError, RecursionError):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    algorithm = str(entry.get("checksum", "")).partition(":")[0]
    return algorithm in ("sha256", "md5", "adler32")
