"""Archives are unpacked as what they should be: one data set, of a size that was to be expected."""

from __future__ import annotations

import gzip
import re
import shutil
import tarfile
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, OutputError

RATIO = 20
"""Times its own size that an archive may unpack to, where nothing is declared."""

LITTLE = 64 << 20
"""Bytes that any archive may unpack to."""

MEMBERS = 200_000
"""Files and folders that an archive may hold."""

BLOCK = 1 << 20
"""Bytes that are unpacked at a time; nothing in an archive's own tables is larger."""

_BY_HAND = "unpack it by hand"

_HIDDEN_DATA = {".zarray", ".zattrs", ".zgroup", ".zmetadata"}
"""Hidden files that belong to a data set: those of Zarr's second format."""


@dataclass
class _Bounded:
    """What an archive holds, read up to a limit and in pieces of a sensible size.

    Attributes
    ----------
    stream : file
    limit : int
        Bytes.
    archive : str
        For the error.
    """

    stream: IO[bytes]
    limit: int
    archive: str

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > BLOCK:
            raise DataError("its tables are larger than any archive's", self.archive)
        data = self.stream.read(size)
        if self.stream.tell() > self.limit:
            raise _too_large(self.limit, self.archive)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset > self.limit:
            raise _too_large(self.limit, self.archive)
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()


def _too_large(limit: int, archive: str) -> DataError:
    return DataError(
        f"it unpacks to more than {limit / 1e6:,.0f} MB",
        archive,
        "if that is right, say so in the catalogue (unpacked = BYTES) or with --unpacked",
    )


def unpack(archive: Path, folder: Path, *, unpacked: int | None = None) -> Path:
    """Unpack the one folder or file that an archive is named after, whole or not at all.

    Only files and folders below it, under plain names and with plain modes:
    links, devices, hidden files and names that lead elsewhere are refused, what
    macOS adds is left out.

    Parameters
    ----------
    archive : Path
        A tar file, compressed by gzip or not.
    folder : Path
        What it should hold, beside the archive; nothing is done if it is there.
    unpacked : int, optional
        Bytes that it may unpack to; without it `RATIO` times its own size, or
        `LITTLE` if that is more.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        It is damaged, or holds anything else.
    OutputError
        There is no room for it.
    """
    if folder.exists():
        return folder
    limit = unpacked or max(LITTLE, RATIO * archive.stat().st_size)
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.mkdir()
        with _opened(archive, limit + MEMBERS * 1024) as tar:
            _unpack_all(tar, folder.name, part, limit, str(archive))
        inside = part / folder.name
        if not inside.exists():
            raise DataError(
                f"the archive holds no {folder.name}", str(archive), "unpack it by hand"
            )
        inside.rename(folder)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"damaged archive ({error})", str(archive), "fetch it again") from error
    except (ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"damaged archive ({error})", str(archive), "fetch it again") from error
    finally:
        storage.remove(str(part))
    return folder


@contextmanager
def _opened(archive: Path, limit: int) -> Iterator[tarfile.TarFile]:
    with archive.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
        bounded: Any = _Bounded(stream, limit, str(archive))
        with tarfile.open(fileobj=bounded, mode="r:") as tar:
            yield tar


def _unpack_all(tar: tarfile.TarFile, name: str, part: Path, limit: int, archive: str) -> None:
    left, count = min(limit, shutil.disk_usage(part).free), 0
    declared = limit <= left
    while (member := tar.next()) is not None:
        count += 1
        if count > MEMBERS:
            raise DataError(f"it holds more than {MEMBERS:,} files", archive, _BY_HAND)
        tar.members = []  # type: ignore[attr-defined]  # or it would remember them all
        steps = [step for step in member.name.split("/") if step not in ("", ".")]
        if member.name.startswith("/") or ".." in steps or "\\" in member.name:
            raise DataError(f"it holds {member.name!r}, a name that leads elsewhere", archive)
        if not steps or steps[0] != name or _is_litter(steps[-1]):
            continue
        if any(step.startswith(".") and step not in _HIDDEN_DATA for step in steps):
            raise DataError(
                f"it holds {member.name!r}, a hidden file", archive, "unpack it by hand"
            )
        if not (member.isreg() or member.isdir()) or member.issparse():
            kind = "a link, a device or the like"
            raise DataError(f"it holds {member.name!r}, {kind}", archive, _BY_HAND)
        left -= member.size
        if left < 0 and declared:
            raise _too_large(limit, archive)
        if left < 0:
            raise OutputError("there is no room to unpack it", archive, "take another place")
        _write(tar, member, part.joinpath(*steps))


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """One file or folder, with the modes that any new one gets."""
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    with path.open("xb") as sink:
        left = member.size
        while left:
            data = source.read(min(left, BLOCK))
            if not data:
                raise tarfile.ReadError("it ends too early")
            sink.write(data)
            left -= len(data)


def _is_litter(name: str) -> bool:
    return name == ".DS_Store" or bool(re.match(r"\._", name))
