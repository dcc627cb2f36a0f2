"""One basket of a branch: its key, and its content unpacked.

Layout: TBasket and TKey of ROOT's documentation of its file format, as
uproot's ``models/TBasket.py`` reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numcodecs.zstd
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.io import buffers

KEY, TAIL = struct.Struct(">ihiIhh"), struct.Struct(">Hiiii")
"""Beginning of a key (bytes, version, size, date, key length, cycle), and end of a
basket's (version, buffer size, offset size, entries, last byte), before one flag."""

BLOCK, ZSTD = 9, b"ZS"
"""Bytes before each compressed block, and its first two."""


class NotSimple(Exception):  # noqa: N818  (a reason to go another way, not an error)
    """A branch or basket that this module leaves to uproot."""


class Basket:
    """One basket as stored: its key is read, its content still packed."""

    def __init__(self, raw: Any, expected: int) -> None:
        self.raw = raw
        nbytes, _, self.size, _, self.key, _ = KEY.unpack_from(self.raw)
        tail = TAIL.unpack_from(self.raw, self.key - TAIL.size - 1)
        *_, self.entries, last = tail
        self.border = last - self.key
        sound = nbytes == len(self.raw) and 0 <= self.border <= self.size
        if not sound or self.entries != expected:
            raise NotSimple  # uproot says what is wrong with it

    def unpacked(self) -> NDArray[np.uint8]:
        """Content; valid until the next basket is unpacked by this thread."""
        packed = self.raw[self.key :]
        if len(packed) == self.size:
            return np.frombuffer(packed, np.uint8)
        out, filled = buffers.scratch(self.size), 0
        for block, nbytes in _blocks(packed):
            if filled + nbytes > self.size:
                raise NotSimple
            if _content_size(block) != nbytes:
                raise NotSimple
            try:  # in one call: a stream would copy everything once more
                numcodecs.zstd.decompress(block, out[filled : filled + nbytes])
            except (RuntimeError, ValueError) as error:
                raise NotSimple from error
            filled += nbytes
        if filled != self.size:
            raise NotSimple
        return out

    def offsets(self, unpacked: NDArray[np.uint8]) -> NDArray[np.int32]:
        """First byte of the list of every entry, and one more for the end."""
        stored = unpacked[self.border :]
        if len(stored) != 4 * (self.entries + 2):
            raise NotSimple
        first = stored.view(">i4")[1:].astype(np.int32)
        first -= self.key
        first[-1] = self.border
        return first


def _content_size(frame: Any) -> int | None:
    """Unpacked size that a ZSTD frame declares, if it does (RFC 8878, 3.1.1.1)."""
    descriptor = frame[4] if len(frame) > 4 else 0
    single, flag = descriptor >> 5 & 1, descriptor >> 6
    at = 6 - single + (0, 1, 2, 4)[descriptor & 3]
    width = (single, 2, 4, 8)[flag]
    size = int.from_bytes(frame[at : at + width], "little") + (256 if flag == 1 else 0)
    return size if width else None


def _blocks(packed: Any) -> Iterator[tuple[Any, int]]:
    """Compressed blocks, each with its unpacked size."""
    at, view = 0, memoryview(packed)
    while at < len(view):
        header = bytes(view[at : at + BLOCK])
        if len(header) < BLOCK or header[:2] != ZSTD:
            raise NotSimple
        nbytes, unpacked = (int.from_bytes(header[k : k + 3], "little") for k in (3, 6))
        yield view[at + BLOCK : at + BLOCK + nbytes], unpacked
        at += BLOCK + nbytes
