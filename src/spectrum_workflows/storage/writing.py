"""Writing: all of an object or nothing of it."""

from __future__ import annotations

import io
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from spectrum_workflows.errors import (
    AccessError,
    DataNotFoundError,
    OutputError,
    SpectrumError,
    StoreError,
)
from spectrum_workflows.storage.atomic_file import atomic_file
from spectrum_workflows.storage.filesystems import open_filesystem
from spectrum_workflows.storage.limits import allow
from spectrum_workflows.storage.location import Location, location_of
from spectrum_workflows.storage.retry import persist
from spectrum_workflows.storage.urls import join

_REMEDY = "choose another place with --out"
PIECE = 8 << 20  # bytes sent at a time over XRootD
_dry: ContextVar[bool] = ContextVar("dry", default=False)
BLOCK = 1 << 16  # bytes written to see whether a place has room: a full disk takes an empty file


def write_bytes(url: str, data: bytes) -> None:
    """Write one object so that readers see all of it or nothing.

    On a local file system the data is written to a file that has no name
    until it is complete, over XRootD beside its place and renamed; on an
    object store it is one PUT, or one multipart completion.

    Raises
    ------
    OutputError
        The place cannot be written to.
    """
    place = location_of(url)
    _write(place, lambda fs, path: _put_bytes(place, fs, path, data))


def put_file(source: Path, url: str) -> None:
    """Write a local file to a URL, as `write_bytes` does; it need not fit in memory.

    Raises
    ------
    OutputError
        The place cannot be written to.
    """
    place = location_of(url)
    _write(place, lambda fs, path: _put_file(place, fs, path, source))


def check_writable(folder: str) -> None:
    """Try now what a run will do at its end.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    """
    url = join(folder, f".writable-{uuid.uuid4().hex[:8]}")
    write_bytes(url, bytes(BLOCK))
    persist(url, lambda fs, path: fs.rm_file(path))


def remove(folder: str) -> None:
    """Remove a folder and everything in it, if it is there."""
    persist(folder, _remove)


def _remove(fs: Any, path: str) -> None:
    if fs.exists(path):
        fs.rm(path, recursive=True)


@contextmanager
def writing_nothing() -> Iterator[None]:
    """Let nothing be written inside the block, by what is computed for its errors alone.

    What threads write is: of the run's others, which go on with their work.
    """
    token = _dry.set(True)
    try:
        yield
    finally:
        _dry.reset(token)


def _write(place: Location, action: Callable[[Any, str], None]) -> None:
    if _dry.get():
        return
    if place.is_http:
        raise OutputError("nothing can be written over http", place.shown, _REMEDY)
    try:
        if place.is_local:
            action(*open_filesystem(place))
        else:
            persist(place, action)
    except (AccessError, StoreError) as error:
        raise OutputError(f"cannot write: {error.what}", place.shown, error.remedy) from error
    except DataNotFoundError as error:
        raise OutputError(f"cannot write: {error.what}", place.shown, _REMEDY) from error
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot write ({reason})", place.shown, _REMEDY) from error
    except ValueError as error:  # a name that no file can have
        if isinstance(error, SpectrumError):
            raise
        raise OutputError(f"cannot write ({error})", place.shown, _REMEDY) from error


def _put_bytes(place: Location, fs: Any, path: str, data: bytes) -> None:
    if place.is_local:
        with atomic_file(path) as part:
            part.write_bytes(data)
    elif place.scheme == "root":
        _send(fs, path, io.BytesIO(data))
    else:
        allow(fs, len(data)).pipe_file(path, data)


def _put_file(place: Location, fs: Any, path: str, source: Path) -> None:
    if place.is_local:
        with atomic_file(path) as part:
            shutil.copyfile(source, part)
    elif place.scheme == "root":
        with source.open("rb") as file:
            _send(fs, path, file)
    else:
        allow(fs, source.stat().st_size).put_file(str(source), path)


def _send(fs: Any, path: str, source: IO[bytes]) -> None:
    """The same over XRootD, whose fsspec file system can neither put nor pipe."""
    part = f"{path}.{uuid.uuid4().hex[:8]}.part"
    fs.makedirs(part.rpartition("/")[0], exist_ok=True)
    try:
        with fs.open(part, "wb") as file:
            while data := source.read(PIECE):
                file.write(data)
        if fs.info(part)["size"] != source.tell():
            raise OSError("not all of it arrived")
        fs.mv(part, path)
    except BaseException:
        with suppress(Exception):
            fs.rm_file(part)
        raise
