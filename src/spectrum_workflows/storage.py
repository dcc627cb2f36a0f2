"""Every URL goes through here: one door over fsspec for local files and stores."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO, Any

import fsspec
from fsspec.core import url_to_fs

from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError


@dataclass(frozen=True)
class Stores:
    """Options per URL prefix, without secrets; travels with every task.

    Attributes
    ----------
    options : tuple
        ``(prefix, ((name, value), ...))`` pairs; the longest prefix that a
        URL starts with wins.
    """

    options: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = ()

    def for_url(self, url: str) -> dict[str, Any]:
        """The fsspec options for one URL."""
        fits = [(p, o) for p, o in self.options if url.startswith(p)]
        return dict(max(fits, key=lambda pair: len(pair[0]))[1]) if fits else {}


@dataclass
class Counter:
    """Bytes read while it was the innermost counter of its thread."""

    bytes_read: int = 0


@dataclass
class _Local(threading.local):
    stores: Stores = field(default_factory=Stores)
    counter: Counter | None = None


_local = _Local()


@contextmanager
def using(stores: Stores) -> Iterator[None]:
    """Resolve URLs with these stores, in this thread, inside the block."""
    before, _local.stores = _local.stores, stores
    try:
        yield
    finally:
        _local.stores = before


def current_stores() -> Stores:
    """The stores in force in this thread."""
    return _local.stores


@contextmanager
def counting() -> Iterator[Counter]:
    """Count the bytes that readers report inside the block, in this thread."""
    before, counter = _local.counter, Counter()
    _local.counter = counter
    try:
        yield counter
    finally:
        _local.counter = before
        if before is not None:
            before.bytes_read += counter.bytes_read


def count(nbytes: int) -> None:
    """Report bytes that were read; called by readers."""
    if _local.counter is not None:
        _local.counter.bytes_read += nbytes


def locate(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system and the path on it that a URL means.

    Raises
    ------
    DataError
        No file system is installed for the URL's scheme.
    """
    try:
        return url_to_fs(url, **_local.stores.for_url(url))  # type: ignore[no-any-return]
    except (ValueError, ImportError) as error:
        raise DataError(f"cannot open this kind of URL: {error}", url) from error


def join(root: str, name: str) -> str:
    """A name resolved against a root; URLs and absolute paths stay as they are."""
    if "://" in name or PurePath(name).is_absolute():
        return name
    return f"{root.rstrip('/')}/{name}" if root else name


def exists(url: str) -> bool:
    """Whether a file or folder is there."""
    fs, path = locate(url)
    return bool(fs.exists(path))


def missing(url: str) -> DataNotFoundError:
    """The error for data that is not there."""
    return DataNotFoundError(
        "no such file", url, "check the name, or say where the data is with --data"
    )


def _forbidden(url: str) -> DataError:
    return DataError("not allowed to read this", url, "check its permissions or your credentials")


def read_bytes(url: str) -> bytes:
    """The whole of one (small) file.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    DataError
        Reading it is not allowed.
    """
    fs, path = locate(url)
    try:
        data: bytes = fs.cat_file(path)
    except (FileNotFoundError, IsADirectoryError):
        raise missing(url) from None
    except PermissionError as error:
        raise _forbidden(url) from error
    count(len(data))
    return data


def open_read(url: str) -> IO[bytes]:
    """A seekable binary file.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    DataError
        Reading it is not allowed.
    """
    fs, path = locate(url)
    try:
        return fs.open(path, "rb")  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise missing(url) from None
    except PermissionError as error:
        raise _forbidden(url) from error


def write_bytes(url: str, data: bytes) -> None:
    """Write one object so that readers see all of it or nothing.

    On a local file system the data is written beside its place and renamed;
    on an object store it is one PUT (or one multipart completion).

    Raises
    ------
    OutputError
        The place cannot be written to.
    """
    fs, path = locate(url)
    try:
        if not is_local(url):
            fs.pipe_file(path, data)
            return
        part = f"{path}.{uuid.uuid4().hex[:8]}.part"
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            Path(part).write_bytes(data)
            Path(part).replace(path)
        finally:
            Path(part).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write ({error.strerror or error})", url, "choose another place with --out"
        ) from error


def check_writable(folder: str) -> None:
    """Try now what a run will do at its end.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    """
    url = join(folder, f".writable-{uuid.uuid4().hex[:8]}")
    write_bytes(url, b"")
    fs, path = locate(url)
    fs.rm_file(path)


def remove(folder: str) -> None:
    """Remove a folder and everything in it, if it is there."""
    fs, path = locate(folder)
    if fs.exists(path):
        fs.rm(path, recursive=True)


def is_local(url: str) -> bool:
    """Whether the URL is a path of this machine's file systems."""
    return "://" not in url or url.startswith(("file://", "local://"))


def local_path(url: str) -> Path:
    """The path of a local file, for libraries that read nothing else.

    Raises
    ------
    DataError
        The URL is remote.
    """
    if not is_local(url):
        raise DataError(
            "this format is read from local file systems only",
            url,
            "convert it to Zarr or stage it",
        )
    return Path(locate(url)[1])
