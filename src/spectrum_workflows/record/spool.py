"""The spool: results kept on this machine until they are where they should go.

Below a spool folder, which nobody else may enter, every result has a folder with
the contents that it will have there, ``record.json`` last, and beside it a note
of where it was to go and why it did not.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError, SpectrumError
from spectrum_workflows.record.writing import RECORD, damaged, read_record

NOTE = ".spooled.json"
PARTIAL = ".partial"
ROOM = 16 << 20
"""Bytes that have to be free before a run begins."""

HASTE = {"patience": 0.0, "timeout": 3.0}
"""Storage options with which leftovers are removed from a store that has just failed."""


@dataclass(frozen=True)
class Spooled:
    """A result that is kept here.

    Attributes
    ----------
    name : str
        Of its folder, here and where it should go.
    folder : str
        Where it is.
    results : str
        The results root it was meant for; empty if nobody knows.
    reason : str
        Why it is not there; empty if the session ended before that was known.
    nbytes : int
    """

    name: str
    folder: str
    results: str
    reason: str
    nbytes: int


def check_spool(spools: Sequence[str]) -> None:
    """Refuse to begin a run whose result could not be kept here at its end.

    Raises
    ------
    OutputError
        No spool folder can be written to, or none has room.
    """
    reasons = []
    for spool in spools:
        try:
            _private(Path(spool))
            storage.check_writable(spool)
            if shutil.disk_usage(spool).free >= ROOM:
                return
            reasons.append(f"{spool}: less than {ROOM >> 20} MB free")
        except (OSError, SpectrumError) as error:
            reasons.append(_in_a_line(error, spool))
    raise OutputError(
        f"no folder to keep results in until they are in the store ({'; '.join(reasons)})",
        remedy="name one that has room with spool in the site profile",
    )


def keep(write: Callable[[str], None], name: str, results: str, spools: Sequence[str]) -> str:
    """Write a result into the first spool that takes it.

    Parameters
    ----------
    write : callable
        ``write(folder)``.
    name, results : str
        How its folder is called, and the results root it is meant for.
    spools : sequence of str
        Folders of this machine; they are made if they are missing.

    Returns
    -------
    str
        The folder it is in.

    Raises
    ------
    OutputError
        No spool takes it.
    """
    reasons = []
    for spool in spools:
        folder, part = Path(spool, name), Path(spool, f".{name}{PARTIAL}")
        try:
            _private(Path(spool))
            write(str(part))
            note = {"results": storage.shown(results), "reason": ""}
            storage.write_bytes(str(part / NOTE), json.dumps(note).encode())
            part.rename(folder)
        except (OSError, SpectrumError) as error:
            reasons.append(_in_a_line(error, spool))
            shutil.rmtree(part, ignore_errors=True)
        else:
            return str(folder)
    raise OutputError(f"no spool takes the result ({'; '.join(reasons) or 'there is none'})")


def note_reason(folder: str, reason: str) -> None:
    """Remember why a result is still here, if that can be written."""
    with suppress(OSError, SpectrumError):
        note = _noted(Path(folder)) | {"reason": reason}
        storage.write_bytes(str(Path(folder, NOTE)), json.dumps(note).encode())


def spooled(spools: Sequence[str]) -> list[Spooled]:
    """Results that are kept in the spools, in order of name."""
    return sorted((one for spool in spools for one in _in(Path(spool))), key=lambda one: one.name)


def send(folder: str, results: str) -> str:
    """Put a result of the spool below a results root, and read it back.

    Parameters
    ----------
    folder : str
        As `keep` gave it; it stays as it is.
    results : str
        URL.

    Returns
    -------
    str
        URL of the run's folder.

    Raises
    ------
    DataNotFoundError
        There is no result in the folder.
    DataError
        It is damaged.
    OutputError
        The results root cannot be written to; nothing is left there that looks
        like a result.
    """
    record = read_record(folder)
    if bad := damaged(folder, record):
        raise DataError(f"{', '.join(bad)} is not what was recorded", folder, "run it again")
    names = [entry["name"] for entry in record["objects"]] + [RECORD]
    target = storage.join(results, Path(folder).name)
    local = storage.is_local(results)
    place = storage.join(results, f".{Path(folder).name}{PARTIAL}") if local else target
    try:
        for name in names:
            storage.put_file(Path(folder, name), storage.join(place, name))
        _check(place, record)
        if local:
            move_into_place(place, target)
    except BaseException:
        sweep(place)
        raise
    return target


def move_into_place(part: str, folder: str) -> None:
    """Give a local folder its name, now that it is whole.

    Raises
    ------
    OutputError
        There is another of that name.
    """
    try:
        storage.local_path(part).rename(storage.local_path(folder))
    except OSError as error:
        raise OutputError(f"cannot write ({error.strerror or error})", folder) from error


def sweep(folder: str) -> None:
    """Remove what is half-written, as far as a place that failed lets us, and not for long."""
    hasty = storage.current_stores().changed(folder, **HASTE)
    with suppress(OSError, SpectrumError), storage.using(hasty):
        storage.remove(folder)


def discard(folder: str) -> None:
    """Remove a result from the spool."""
    shutil.rmtree(folder, ignore_errors=True)


def _check(folder: str, record: dict[str, Any]) -> None:
    try:
        bad = damaged(folder, record)
    except SpectrumError as error:
        raise OutputError(f"cannot be read back: {error.what}", storage.shown(folder)) from error
    if bad:
        raise OutputError(f"{', '.join(bad)} did not arrive as it was sent", storage.shown(folder))


def _in(spool: Path) -> Iterator[Spooled]:
    try:
        folders = sorted(path.parent for path in spool.glob(f"[!.]*/{RECORD}"))
    except OSError:
        return
    for folder in folders:
        note = _noted(folder)
        with suppress(SpectrumError):
            sizes = [entry["size"] for entry in read_record(str(folder))["objects"]]
            where, reason = str(note.get("results", "")), str(note.get("reason", ""))
            yield Spooled(folder.name, str(folder), where, reason, sum(sizes))


def _noted(folder: Path) -> dict[str, Any]:
    try:
        note = json.loads(folder.joinpath(NOTE).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _private(spool: Path) -> None:
    """Make the folder for us alone; one that is somebody else's is not used."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = spool.lstat()
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        raise OutputError("not a folder of yours", str(spool), "name another with spool")
    if stat.S_IMODE(status.st_mode) & 0o077:
        spool.chmod(0o700)


def find(name: str, spools: Sequence[str]) -> Spooled:
    """One of the spooled results, by its name or folder.

    Raises
    ------
    DataNotFoundError
        It is not there.
    """
    known = spooled([*spools, str(Path(name).parent)] if os.sep in name else spools)
    for one in known:
        if name.rstrip("/") in (one.name, one.folder):
            return one
    names = ", ".join(one.name for one in known)
    remedy = f"there is: {names}" if names else "nothing is spooled here"
    raise DataNotFoundError("no such result in the spool", name, remedy)


def _in_a_line(error: Exception, spool: str) -> str:
    text = str(error)
    return text if spool in text else f"{spool}: {text}"
