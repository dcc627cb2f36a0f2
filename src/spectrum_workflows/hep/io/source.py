"""The bytes of a ROOT file for uproot, read through `storage` from any store."""

from __future__ import annotations

from queue import Queue
from typing import Any

from uproot.source.chunk import Chunk, Source
from uproot.source.futures import TrivialFuture
from xxhash import xxh3_64_intdigest

from spectrum_workflows import storage
from spectrum_workflows.errors import SpectrumError

AHEAD = 64 * 1024
"""Bytes read at a time where a remote file is looked into; its records are small and near."""
SEAL = 8
"""Bytes of a checksum."""
KEPT = 8
"""Such pieces that are kept."""


class StoredChunk(Chunk):  # type: ignore[misc]
    """Bytes of a file; fewer than there should be are damage, not the store's fault."""

    def wait(self, insist: bool | int = True) -> None:
        """Check that all of them are there.

        Raises
        ------
        EOFError
            The file ends before.
        """
        try:
            super().wait(insist)
        except OSError as error:
            if isinstance(error, SpectrumError) or not str(error).startswith("expected Chunk"):
                raise
            raise EOFError(f"it ends before byte {self.stop}") from error


class StoreSource(Source):  # type: ignore[misc]
    """A file of a store, as uproot wants it.

    All baskets that uproot asks for at once are one vectored request.  What
    it asks for one by one, the records that describe the file, is read ahead.

    Parameters
    ----------
    file_path : str
        The URL.
    nbytes : int
        Size of the file.
    **_options
        uproot's own, which are not for us.

    Attributes
    ----------
    sealed : dict of int to int
        First byte and length of the ranges whose checksum follows them, as the
        pages of an RNTuple have it; they are checked when they are read.
    """

    def __init__(self, file_path: str, *, nbytes: int, **_options: Any) -> None:
        super().__init__()
        self._file_path, self._num_bytes, self._open = file_path, nbytes, True
        self._place = storage.to_read(file_path)
        self._ahead = 0 if self._place.is_local else AHEAD
        self._pieces: list[tuple[int, memoryview]] = []
        self.sealed: dict[int, int] = {}

    def chunk(self, start: int, stop: int) -> Chunk:
        """One range of bytes, shorter where the file ends."""
        self._check_open()
        self._account(1, start, stop)
        end = max(start, min(stop, self.num_bytes))
        if self.sealed.get(start) == stop - start:
            return Chunk(self, start, stop, TrivialFuture(self._unsealed(start, stop)))
        return StoredChunk(self, start, stop, TrivialFuture(self._piece(start, end)))

    def chunks(self, ranges: list[tuple[int, int]], notifications: Queue[Chunk]) -> list[Chunk]:
        """Many ranges in one vectored request."""
        self._check_open()
        chunks = []
        data = storage.read_ranges(self._place, ranges)
        for (start, stop), part in zip(ranges, data, strict=True):
            self._account(0, start, stop)
            chunks.append(StoredChunk(self, start, stop, TrivialFuture(part)))
            notifications.put(chunks[-1])
        self._num_requests += 1
        return chunks

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._open

    def __enter__(self) -> StoreSource:
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._pieces.clear()

    def _piece(self, start: int, stop: int) -> memoryview:
        if start == stop:
            return memoryview(b"")
        for first, data in self._pieces:
            if first <= start and stop <= first + len(data):
                return data[start - first : stop - first]
        end = max(stop, min(start + self._ahead, self.num_bytes))
        [data] = storage.read_ranges(self._place, [(start, end)])
        if self._ahead:
            self._pieces = [*self._pieces[1 - KEPT :], (start, data)]
        return data[: stop - start]

    def _unsealed(self, start: int, stop: int) -> memoryview:
        """A range whose checksum is right: XXH3 of 64 bits, little-endian, after it.

        As "Page locations" of ROOT's binary format specification of RNTuple has it.
        """
        whole = self._piece(start, min(stop + SEAL, self.num_bytes))
        data, seal = whole[: stop - start], whole[stop - start :]
        if len(seal) != SEAL or xxh3_64_intdigest(data) != int.from_bytes(seal, "little"):
            raise ValueError(f"checksum of the page at byte {start} is wrong")
        return data

    def _account(self, requests: int, start: int, stop: int) -> None:
        self._num_requests += requests
        self._num_requested_chunks += 1
        self._num_requested_bytes += stop - start

    def _check_open(self) -> None:
        if not self._open:
            raise OSError(f"{self._place.shown} is closed")
