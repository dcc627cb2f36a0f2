"""Copying an entry below a local data root, and checking what is there.

pooch does this for http and a few other schemes; here every scheme of `storage`
is served, a download goes on where it was, and another replica may take over.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from spectrum_workflows import storage
from spectrum_workflows.catalogue.entries import CatalogueEntry, CatalogueFile
from spectrum_workflows.catalogue.finding import ARCHIVES, candidates, set_name
from spectrum_workflows.catalogue.trusting import BLOCK, checksum, distrust, note, notes
from spectrum_workflows.catalogue.unpacking import unpack
from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    OutputError,
    SpectrumError,
    StoreError,
)

Progress = Callable[[int, int], None]
"""``progress(done, total)`` in bytes; total 0 while it is not known."""

State = Literal["verified", "unpublished", "missing", "different"]


def fetch(
    entry: CatalogueEntry,
    file: CatalogueFile,
    data: str,
    progress: Progress,
    *,
    unpacked: int | None = None,
) -> tuple[str, str]:
    """Copy one file below the data root; an archive is unpacked too.

    An interrupted copy goes on where it was; where a replica fails in the
    middle, the next one goes on.  What is there and is no longer what was
    fetched is fetched again.

    Parameters
    ----------
    entry : CatalogueEntry
    file : CatalogueFile
        One of its files.
    data : str
        A local data root.
    progress : callable
        ``progress(done, total)``
    unpacked : int, optional
        Bytes that an archive may unpack to, in place of what the entry says.

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
        if not path.is_file() or distrust(file, path):
            part = path.with_name(f"{path.name}.part")
            replica = _copied(entry, file, part, progress)
            _check(file, part, replica)
            part.replace(path)
            _origin(part).unlink(missing_ok=True)
        note(file, path)
        if path.name.endswith(ARCHIVES):
            folder = path.with_name(set_name(path.name))
            path = unpack(path, folder, unpacked=unpacked or file.unpacked)
    except OSError as error:
        if isinstance(error, SpectrumError):
            raise
        message = f"cannot write ({error.strerror or error})"
        raise OutputError(message, str(path), "choose another place with --data") from error
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
    before = notes(path).get(path.name, {})
    now = file.checksum or f"sha256:{checksum(path, 'sha256')}"
    if not file.checksum and before.get("checksum", now) != now:
        return "different", f"{now} is not {before['checksum']}, computed when it came"
    note(file, path)
    return ("verified" if file.checksum else "unpublished"), now


def _copied(entry: CatalogueEntry, file: CatalogueFile, part: Path, progress: Progress) -> str:
    """Fill the part from the first replica that gives all of it."""
    errors = []
    for url in candidates(entry, file):
        try:
            _append(url, file, part, progress)
        except (DataNotFoundError, AccessError, StoreError) as error:
            errors.append(str(error))
        else:
            return url
    reason = "; ".join(errors) or "the entry has no replicas"
    raise DataNotFoundError(f"no replica can be read ({reason})", file.name, "try again later")


def _append(url: str, file: CatalogueFile, part: Path, progress: Progress) -> None:
    """Copy what is missing; from the beginning if the source is not what it was."""
    before = storage.stamp(url)
    size = storage.info(url).get("size")
    if size is None:
        raise StoreError("the server does not say how large the file is", storage.shown(url))
    if file.size is not None and size != file.size:
        raise StoreError(f"{size} bytes, not the {file.size} published", storage.shown(url))
    if _noted_origin(part).get(storage.shown(url), before) != before:
        part.unlink(missing_ok=True)
    with part.open("ab") as sink:
        if sink.tell() > size:
            sink.truncate(0)
            sink.seek(0)
        _check_room(part, size - sink.tell())
        _origin(part).write_text(json.dumps({storage.shown(url): before}))
        while (start := sink.tell()) < size:
            progress(start, size)
            [data] = storage.read_ranges(url, [(start, min(start + BLOCK, size))])
            sink.write(data)
            sink.flush()
    if storage.stamp(url) != before:
        part.unlink()
        raise StoreError("it was changed while it was copied", storage.shown(url), "fetch it again")
    progress(size, size)


def _origin(part: Path) -> Path:
    """The note beside an unfinished copy: from where it is, and which version of it."""
    return part.with_name(f"{part.name}.from")


def _noted_origin(part: Path) -> dict[str, str]:
    try:
        origin = json.loads(_origin(part).read_bytes())
    except (OSError, ValueError):
        return {}
    return origin if isinstance(origin, dict) else {}


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        message = f"{needed / 1e9:.2f} GB are to come, and {free / 1e9:.2f} GB are free"
        raise OutputError(message, str(part.parent), "choose another place with --data")


def _check(file: CatalogueFile, path: Path, origin: str) -> None:
    """Compare with what was published; a part that is not that is removed."""
    size, fault = path.stat().st_size, ""
    if file.size is not None and size != file.size:
        fault = f"{size} bytes, not the {file.size} published"
    elif file.checksum:
        algorithm, _, published = file.checksum.partition(":")
        if (actual := checksum(path, algorithm)) != published:
            fault = f"{algorithm} {actual}, not the {published} published"
    if fault:
        if path.suffix == ".part":
            path.unlink()
            _origin(path).unlink(missing_ok=True)
        raise DataError(fault, storage.shown(origin), "fetch it again, or from another replica")
