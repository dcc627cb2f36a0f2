"""A crate, brought here: from a folder, a zip file or any store, and believed in nothing."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.crates import layout
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.record.believing import is_inside
from spectrum_workflows.record.writing import RECORD, damaged, read_record

LARGEST_TEXT = 256 << 20
"""Bytes of a record or of metadata that are read."""
MOST_FILES = 200_000
SWELLING = 200
"""Times its own size that a zip file may unpack to, besides `GRANTED`."""
GRANTED = 64 << 20


@dataclass(frozen=True)
class Crate:
    """A saved run on this machine.

    Attributes
    ----------
    folder : str
        Where its files are.
    record : mapping
        Its record, checked for its form.
    origin : str
        What it was opened as.
    """

    folder: str
    record: Mapping[str, Any]
    origin: str

    @property
    def damaged(self) -> list[str]:
        """Names of the files that are not what the record says."""
        return damaged(self.folder, dict(self.record))

    def has(self, name: str) -> bool:
        """Whether the record lists a file."""
        return any(entry["name"] == name for entry in self.record["objects"])

    def table(self, name: str) -> dict[str, Any]:
        """The JSON table in a file.

        Raises
        ------
        DataError
            It is not listed, or is no table.
        """
        if not self.has(name):
            remedy = "only runs that were saved with one can be verified or exported"
            raise DataError(f"no {name} in this run", self.origin, remedy)
        try:
            path = storage.local_path(storage.join(self.folder, name))
            if path.stat().st_size > LARGEST_TEXT:
                raise DataError(f"{name} is too large", self.origin)
            table = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            fault = f"{name} cannot be read ({type(error).__name__})"
            raise DataError(fault, self.origin) from error
        if not isinstance(table, dict):
            raise DataError(f"{name} is not a JSON table", self.origin)
        return table


@contextmanager
def opened(crate: str) -> Iterator[Crate]:
    """A crate as long as it is looked at; what was unpacked or fetched for that goes again.

    Parameters
    ----------
    crate : str
        A run's folder or a zip file of one, on this file system or in a store.

    Raises
    ------
    DataNotFoundError
        There is none.
    DataError
        It is none, or names files outside itself, or unpacks to absurdly much.
    """
    with TemporaryDirectory(prefix="spectrum-crate-") as scratch:
        folder = Path(scratch, "crate")
        if crate.rstrip("/").lower().endswith(".zip") and not _is_folder(crate):
            local = str(_unpacked(_fetched(crate, Path(scratch, "crate.zip")), folder, crate))
        elif storage.is_local(crate):
            local = crate
        else:
            local = str(_copied(crate, folder))
        yield Crate(local, _record_in(local, crate), crate)


def _is_folder(crate: str) -> bool:
    return storage.is_local(crate) and storage.local_path(crate).is_dir()


def _record_in(folder: str, origin: str) -> dict[str, Any]:
    path = storage.local_path(storage.join(folder, RECORD))
    if path.is_file() and path.stat().st_size > LARGEST_TEXT:
        raise DataError(f"{RECORD} is too large", origin)
    try:
        return read_record(folder)
    except (DataError, DataNotFoundError) as error:
        raise error.at(origin) from None


def _fetched(crate: str, target: Path) -> Path:
    """A zip file, on this machine."""
    if storage.is_local(crate):
        path = storage.local_path(crate)
        if not path.is_file():
            raise DataNotFoundError("no such crate", crate, "give a run's folder or a zip file")
        return path
    _fetch(crate, target)
    return target


def _fetch(url: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with storage.open_read(url) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, GRANTED)


def _copied(crate: str, folder: Path) -> Path:
    """The files that the record of a run in a store lists."""
    record = read_record(crate)
    for name in [RECORD, *(entry["name"] for entry in record["objects"])]:
        try:
            _fetch(storage.join(crate, name), folder / name)
        except DataNotFoundError:
            continue  # it is among the damaged
    return folder


def _unpacked(archive: Path, folder: Path, origin: str) -> Path:
    """The folder of a zip file that has the record."""
    try:
        with zipfile.ZipFile(archive) as packed:
            members = _members(packed, archive.stat().st_size, origin)
            for member in members:
                target = folder / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, GRANTED)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"not a zip file that can be unpacked ({reason})", origin) from error
    inside = [p.parent for p in (*folder.glob(RECORD), *folder.glob(f"*/{RECORD}"))]
    if not inside:
        raise DataError(f"no {RECORD} in it: not an exported run", origin)
    return inside[0]


def _members(packed: zipfile.ZipFile, size: int, origin: str) -> list[zipfile.ZipInfo]:
    """The files of an archive, if they all go into its own folder and are not absurdly many."""
    members = [member for member in packed.infolist() if not member.is_dir()]
    for member in members:
        mode = member.external_attr >> 16
        if not is_inside(member.filename):
            raise DataError(f"it names {member.filename!r}, which is not inside it", origin)
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise DataError(f"{member.filename!r} in it is no plain file", origin)
    names = [member.filename for member in members]
    if len({*names}) < len(names):
        raise DataError("it holds two files of one name", origin)
    if len(names) > MOST_FILES:
        raise DataError(f"it holds {len(names):,} files; at most {MOST_FILES:,}", origin)
    total = sum(member.file_size for member in members)
    if total > SWELLING * size + GRANTED:
        raise DataError(f"it would unpack to {total / 1e9:.1f} GB from {size:,} bytes", origin)
    return members


def spec_table(crate: Crate) -> dict[str, Any]:
    """The spec of a crate, as a table that names files in the crate.

    Raises
    ------
    DataError
        There is none.
    """
    return crate.table(layout.SPEC)


def recorded_hashes(crate: Crate) -> dict[str, str]:
    """SHA-256 of input that was read for it, by the URL that the record has.

    Raises
    ------
    DataError
        The metadata is none.
    """
    graph = crate.table(layout.METADATA).get("@graph")
    if not isinstance(graph, list):
        raise DataError(f"{layout.METADATA} has no @graph", crate.origin)
    entities = [entity for entity in graph if isinstance(entity, dict)]
    return {
        entity["contentUrl"]: entity["sha256"]
        for entity in entities
        if isinstance(entity.get("contentUrl"), str) and isinstance(entity.get("sha256"), str)
    }
