"""Copying an entry below a local data root, and checking what is there.

pooch does this for http and a few other schemes; here every scheme of `storage`
is served, a download goes on where it was, and another replica may take over.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from spectrum_workflows import storage
from spectrum_workflows.catalogue.entries import CatalogueFile, Entry
from spectrum_workflows.catalogue.finding import ARCHIVES, candidates, set_name
from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    OutputError,
    StoreError,
)

BLOCK = 16 << 20
"""Bytes that are asked for at a time."""

NOTES = "checksums.json"
"""Beside the data: checksums that were computed here, with size and time of change."""

Progress = Callable[[int, int], None]
"""``progress(done, total)`` in bytes; total 0 while it is not known."""

State = Literal["verified", "unpublished", "missing", "different"]


def fetch(found: Entry, file: CatalogueFile, data: str, progress: Progress) -> tuple[str, str]:
    """Copy one file below the data root; an archive is unpacked too.

    An interrupted copy goes on where it was; where a replica fails in the
    middle, the next one goes on.

    Parameters
    ----------
    found : Entry
    file : CatalogueFile
        One of its files.
    data : str
        A local data root.
    progress : callable
        ``progress(done, total)``

    Returns
    -------
    place, replica : str
        Where it is now, and where it came from; empty if it was there.

    Raises
    ------
    DataNotFoundError
        No replica can be read.
    DataError
        What came is not what was published.
    OutputError
        The data root cannot be written to.
    """
    path = storage.local_path(storage.join(data, file.name))
    replica = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            part = path.with_name(f"{path.name}.part")
            replica = _copied(found, file, part, progress)
            _check(file, part, replica)
            part.replace(path)
        _noted(file, path)
        if path.name.endswith(ARCHIVES):
            path = _unpacked(path)
    except OSError as error:
        if isinstance(error, DataNotFoundError | AccessError | StoreError):
            raise
        said = f"cannot write ({error.strerror or error})"
        raise OutputError(said, str(path), "choose another place with --data") from error
    return str(path), replica


def verify(file: CatalogueFile, data: str) -> tuple[State, str]:
    """Read one file below the data root and compare it with what was published.

    Returns
    -------
    state : str
        ``verified``; ``different``; ``missing``; or ``unpublished``, where no
        checksum was: the one computed here, now or before, is given.
    what : str
        The checksum, or what is wrong.
    """
    path = storage.local_path(storage.join(data, file.name))
    if not path.is_file():
        return "missing", f"fetch it: {path} is not there"
    try:
        _check(file, path, str(path))
    except DataError as error:
        return "different", error.what
    before = _notes(path).get(path.name, {})
    now = file.checksum or f"sha256:{checksum(path, 'sha256')}"
    if not file.checksum and before.get("checksum", now) != now:
        return "different", f"{now} is not {before['checksum']}, computed when it came"
    _noted(file, path)
    return ("verified" if file.checksum else "unpublished"), now


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


def _copied(found: Entry, file: CatalogueFile, part: Path, progress: Progress) -> str:
    """Fill the part from the first replica that gives all of it."""
    troubles = []
    for url in candidates(found, file):
        try:
            _append(url, file, part, progress)
        except (DataNotFoundError, AccessError, StoreError) as error:
            troubles.append(str(error))
        else:
            return url
    said = "; ".join(troubles) or "the entry has no replicas"
    raise DataNotFoundError(f"no replica can be read ({said})", file.name, "try again later")


def _append(url: str, file: CatalogueFile, part: Path, progress: Progress) -> None:
    size = storage.info(url).get("size")
    if size is None:
        raise StoreError("the server does not say how large the file is", storage.shown(url))
    if file.size is not None and size != file.size:
        raise StoreError(f"{size} bytes, not the {file.size} published", storage.shown(url))
    with part.open("ab") as sink:
        if sink.tell() > size:
            sink.truncate(0)
            sink.seek(0)
        while (start := sink.tell()) < size:
            progress(start, size)
            [data] = storage.read_ranges(url, [(start, min(start + BLOCK, size))])
            sink.write(data)
            sink.flush()
    progress(size, size)


def _check(file: CatalogueFile, path: Path, origin: str) -> None:
    """Compare with what was published; a part that is not that is removed."""
    size, said = path.stat().st_size, ""
    if file.size is not None and size != file.size:
        said = f"{size} bytes, not the {file.size} published"
    elif file.checksum:
        algorithm, _, wanted = file.checksum.partition(":")
        if (found := checksum(path, algorithm)) != wanted:
            said = f"{algorithm} {found}, not the {wanted} published"
    if said:
        if path.suffix == ".part":
            path.unlink()
        raise DataError(said, storage.shown(origin), "fetch it again, or from another replica")


def _unpacked(archive: Path) -> Path:
    """What an archive holds, beside it; unpacked once, whole or not at all."""
    path = archive.with_name(set_name(archive.name))
    if path.exists():
        return path
    folder = archive.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        inside = folder / path.name
        if not inside.exists():
            raise DataError(f"the archive holds no {path.name}", str(archive), "unpack it by hand")
        inside.rename(path)
    except tarfile.TarError as error:
        raise DataError(f"damaged archive ({error})", str(archive), "fetch it again") from error
    finally:
        storage.remove(str(folder))
    return path


def _notes(path: Path) -> dict[str, Any]:
    notes = path.with_name(NOTES)
    found = json.loads(notes.read_bytes()) if notes.is_file() else {}
    return found if isinstance(found, dict) else {}


def _noted(file: CatalogueFile, path: Path) -> None:
    """Remember the checksum of this copy: the published one, or one computed now."""
    state = path.stat()
    stamp = {"size": state.st_size, "changed": state.st_mtime_ns}
    notes = _notes(path)
    before = notes.get(path.name, {})
    if {k: before.get(k) for k in stamp} == stamp:
        return
    known = file.checksum or f"sha256:{checksum(path, 'sha256')}"
    notes[path.name] = stamp | {"checksum": known}
    storage.write_bytes(str(path.with_name(NOTES)), json.dumps(notes, indent=1).encode())
