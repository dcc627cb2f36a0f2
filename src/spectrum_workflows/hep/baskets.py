"""Baskets of numbers and of lists of numbers, read with one copy: the fast path of `read`.

What remains of the time of a selection is reading, and of reading it is
decompression.  So every ZSTD basket is decompressed into one buffer that is
used again, and its numbers go from there, with their bytes in order, straight
to where the selection finds them.  Anything else (other codecs, other types,
baskets inside the tree's own record) is left to uproot.

Layout: TBasket and TKey of ROOT's documentation of its file format, as
uproot's ``models/TBasket.py`` reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from queue import Queue
from typing import Any

import awkward as ak
import numcodecs.zstd
import numpy as np
from numpy.typing import NDArray
from uproot.interpretation.jagged import AsJagged
from uproot.interpretation.numerical import AsDtype

from spectrum_workflows.hep import buffers

KEY, TAIL = struct.Struct(">ihiIhh"), struct.Struct(">Hiiii")
"""Beginning of a key (bytes, version, size, date, key length, cycle), and end of a
basket's (version, buffer size, offset size, entries, last byte), before one flag."""

BLOCK, ZSTD = 9, b"ZS"
"""Bytes before each compressed block, and its first two."""


class NotSimple(Exception):  # noqa: N818  (a reason to go another way, not an error)
    """A branch or basket that this module leaves to uproot."""


def arrays(tree: Any, names: Sequence[str], start: int, stop: int) -> dict[str, ak.Array]:
    """Those columns that can be read fast.

    Parameters
    ----------
    tree : uproot.TTree
        Open.
    names : sequence of str
        Branches.
    start, stop : int
        Entries ``start <= entry < stop``.

    Returns
    -------
    dict of ak.Array, shape (stop - start,)
        The same values and types as ``tree.arrays`` gives; branches that are
        missing here are for uproot.
    """
    out: dict[str, ak.Array] = {}
    first: dict[Any, NDArray[np.int64]] = {}  # by the leaf that counts
    confirmed: dict[Any, NDArray[np.int64]] = {}  # where a second column says the same
    for name in names:
        branch = tree[name]
        counter = branch.count_leaf
        try:
            content, offsets = _column(branch, start, stop, confirmed.get(counter))
        except NotSimple:
            continue
        if offsets is None:
            out[name] = ak.Array(ak.contents.NumpyArray(content))
            continue
        if counter is not None and counter not in confirmed:
            before = first.setdefault(counter, offsets)
            if before is not offsets and np.array_equal(before, offsets):
                confirmed[counter] = offsets = before
        index = ak.index.Index64(offsets)
        out[name] = ak.Array(ak.contents.ListOffsetArray(index, ak.contents.NumpyArray(content)))
    return out


def _column(
    branch: Any, start: int, stop: int, known: NDArray[np.int64] | None
) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Values of a branch, and where the list of each entry begins if it holds lists.

    ``known`` is what two other branches with the same counts agree in: every
    basket must then hold as many values as it says.
    """
    dtype, lists = _kind(branch)
    edges = branch.entry_offsets
    if branch.embedded_baskets or stop > edges[-1]:
        raise NotSimple
    numbers = [k for k in range(branch.num_baskets) if edges[k] < stop and edges[k + 1] > start]
    stored = _stored(branch, numbers)
    content = buffers.lent(sum(b.border for b in stored)).view(dtype.newbyteorder("="))
    fresh = None
    if lists and known is None:
        fresh = buffers.lent(8 * (stop - start + 1)).view(np.int64)
        fresh[0] = 0
    filled = entries = 0
    shift = dtype.itemsize.bit_length() - 1  # bytes to items, faster than a division
    for k, basket in zip(numbers, stored, strict=True):
        first, last = max(start - edges[k], 0), min(stop, edges[k + 1]) - edges[k]
        unpacked = basket.unpacked()
        if not lists:
            begin, end = first, last
        elif known is not None and last - first == basket.entries:
            begin, end = 0, basket.border >> shift
        else:
            within = basket.offsets(unpacked)[first : last + 1] >> shift
            begin, end = int(within[0]), int(within[-1])
            if fresh is not None:
                part = fresh[entries + 1 : entries + 1 + last - first]
                np.add(within[1:], filled - begin, out=part)
        if known is not None and end - begin != known[entries + last - first] - known[entries]:
            raise NotSimple
        values = unpacked[: basket.border].view(dtype)[begin:end]
        if len(values) != end - begin:
            raise NotSimple
        content[filled : filled + len(values)] = values
        filled += end - begin
        entries += last - first
    if entries != stop - start:
        raise NotSimple
    return content[:filled], known if fresh is None else fresh


def _kind(branch: Any) -> tuple[np.dtype[Any], bool]:
    """Type of the stored numbers, and whether an entry is a list of them."""
    found = branch.interpretation
    lists = isinstance(found, AsJagged)
    if lists and found.header_bytes:
        raise NotSimple
    number = found.content if lists else found
    if type(number) is not AsDtype or number.from_dtype.kind not in "biuf" or number.inner_shape:
        raise NotSimple
    if number.to_dtype != number.from_dtype.newbyteorder("="):
        raise NotSimple
    return number.from_dtype, lists


def _stored(branch: Any, numbers: Sequence[int]) -> list[_Basket]:
    """Some baskets of a branch, in one read."""
    if not numbers:
        return []
    seek, nbytes = branch.member("fBasketSeek"), branch.member("fBasketBytes")
    spans = [(int(seek[k]), int(seek[k]) + int(nbytes[k])) for k in numbers]
    chunks = branch.file.source.chunks(spans, Queue())
    sizes = np.diff(branch.entry_offsets)
    return [_Basket(c.raw_data, int(sizes[k])) for c, k in zip(chunks, numbers, strict=True)]


class _Basket:
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
