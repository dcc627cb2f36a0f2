"""Opening HDF5 files wherever they are."""

from __future__ import annotations

import io
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.radio.read.rows.conventions import DAMAGED

if TYPE_CHECKING:
    from collections.abc import Iterator

FILTERS = "install hdf5plugin, or write it without (h5repack -f NONE)"


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """An h5py file; what HDF5 says of one that cannot be read becomes an error of ours.

    Raises
    ------
    DataError
        It is damaged, or compressed with a filter that is not installed.
    AccessError, StoreError
        Its store does not give it.
    """
    import h5py

    with suppress(ImportError):
        import_module("hdf5plugin")  # registers filters that some files need
    remote = None if storage.is_local(url) else _Watched(storage.open_read(url))
    source: Any = str(storage.local_path(url)) if remote is None else remote
    try:
        with h5py.File(source, "r", **({} if remote else {"locking": False})) as file:
            yield file
    except (SpectrumError, MemoryError):
        raise
    except (OSError, RuntimeError, LookupError, AttributeError, ValueError, TypeError) as error:
        if remote is not None and remote.failure is not None:
            raise remote.failure from error
        reason = (str(error).strip().strip("'\"").splitlines() or ["no reason given"])[0][:160]
        if "filter" in reason.lower() or "plugin" in reason.lower():
            message = f"compressed with a filter that is not installed ({reason})"
            raise DataError(message, url, FILTERS) from error
        raise DataError(f"damaged or incomplete UVH5 file ({reason})", url, DAMAGED) from error
    finally:
        if remote is not None:
            remote.close()


class _Watched(io.RawIOBase):
    """A file whose first error is remembered: HDF5 tells only that there was one."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.failure: SpectrumError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.file.read(len(buffer))
        except SpectrumError as error:
            self.failure = self.failure or error
            raise OSError(str(error)) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.file.close()
        super().close()
