"""The objects of a Zarr set, read through `storage` and counted."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from zarr.abc.store import Store

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.radio.read.msv4.checksums import ROOT, check, checksum, known

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype


class Objects(Store):
    """Whole objects below a URL: read only, never listed.

    zarr-python asks for several at a time; each is one `storage.read_bytes`, so
    that every store works that `storage` knows, with its errors and retries.

    Attributes
    ----------
    url : str
    nbytes : int
        Bytes read so far.
    strict : bool
        Whether a chunk that is not there is an error.  To Zarr it means the
        fill value, which would pass for flagged data.
    checksums : dict or None
        Of all objects, where the set carries them: everything read is compared.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = False

    def __init__(self, url: str) -> None:
        super().__init__(read_only=True)
        self.url, self.nbytes, self.strict = url, 0, False
        self.checksums: dict[str, str] | None = None
        self._root: bytes | None = None
        self._stores = storage.current_stores()
        self._lock = threading.Lock()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Objects) and (self.url, self._stores) == (other.url, other._stores)

    __hash__ = None  # type: ignore[assignment]

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """One object, or None."""
        if byte_range is not None:
            raise NotImplementedError("shards are not read: the schema has plain chunks")
        data = await asyncio.to_thread(self._read, key)
        return None if data is None else prototype.buffer.from_bytes(data)

    def _read(self, key: str) -> bytes | None:
        if key == ROOT and self._root is not None:  # moved once
            return self._root
        url = storage.join(self.url, key)
        try:
            with storage.using(self._stores):
                data = storage.read_bytes(url)
        except DataNotFoundError:
            lost = self.checksums is not None and key in self.checksums
            if lost or (self.strict and "/c/" in key):
                raise DataError(
                    "a chunk is missing" if "/c/" in key else "it is missing",
                    url,
                    "convert or copy the set again",
                ) from None
            return None
        with self._lock:
            self.nbytes += len(data)
        if self.checksums is not None:
            check(self.checksums, key, checksum(data), self.url)
        return data

    def verify(self) -> None:
        """Take up the set's checksums, if it carries any.

        Raises
        ------
        DataError
            They, or the set's metadata, are damaged.
        """
        with suppress(DataNotFoundError):
            root = storage.read_bytes(storage.join(self.url, ROOT))  # counted there
            self.checksums = known(self.url, checksum(root))
            self._root = root

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Several objects."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether an object is there."""
        return await asyncio.to_thread(self._read, key) is not None

    async def set(self, key: str, value: Buffer) -> None:
        """Nothing is written."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Nothing is deleted."""
        raise NotImplementedError

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Nothing is listed: the root's metadata name all that there is."""
        raise NotImplementedError
        yield prefix

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Nothing is listed."""
        raise NotImplementedError
        yield prefix

    async def list(self) -> AsyncIterator[str]:
        """Nothing is listed."""
        raise NotImplementedError
        yield ""
