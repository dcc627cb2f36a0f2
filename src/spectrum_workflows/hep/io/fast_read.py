"""Columns of numbers and of lists of numbers, read with one copy: the fast path of `read`.

What remains of the time of a selection is reading, and of reading it is
decompression.  So every ZSTD basket is decompressed into one buffer that is
used again, and its numbers go from there, with their bytes in order, straight
to where the selection finds them.  Anything else (other codecs, other types,
baskets inside the tree's own record) is left to uproot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Queue
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray
from uproot.interpretation.jagged import AsJagged
from uproot.interpretation.numerical import AsDtype

from spectrum_workflows.hep.io import buffers
from spectrum_workflows.hep.io.basket import Basket, NotSimple

HEAD = 160
"""Bytes of a basket in which its key ends and its first block begins."""
NOT_FAST = (b"ZL", b"XZ", b"L4", b"CS")
"""Codecs that are left to uproot, as blocks begin with them: ZLIB, LZMA, LZ4, and the old one."""


@dataclass(frozen=True)
class _Column:
    """A branch that is read fast: its type as stored, and which of its baskets."""

    branch: Any
    dtype: np.dtype[Any]
    lists: bool
    numbers: tuple[int, ...]

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Bytes of the file that the baskets take."""
        seek, nbytes = (self.branch.member(m) for m in ("fBasketSeek", "fBasketBytes"))
        return [(int(seek[k]), int(seek[k]) + int(nbytes[k])) for k in self.numbers]


def arrays(tree: Any, names: Sequence[str], start: int, stop: int) -> dict[str, ak.Array]:
    """Those columns that can be read fast; the bytes of all of them are asked for at once.

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
    columns = {}
    for name in names:
        with suppress(NotSimple):
            columns[name] = _column(tree[name], start, stop)
    columns = _left_to_us(tree, columns)
    out: dict[str, ak.Array] = {}
    first: dict[Any, NDArray[np.int64]] = {}  # by the leaf that counts
    confirmed: dict[Any, NDArray[np.int64]] = {}  # where a second column says the same
    for (name, column), packed in zip(columns.items(), _packed(tree, columns), strict=True):
        counter = column.branch.count_leaf
        try:
            content, offsets = _values(column, packed, (start, stop), confirmed.get(counter))
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


def _column(branch: Any, start: int, stop: int) -> _Column:
    """The type and the baskets of a branch that hold some entries."""
    dtype, lists = _kind(branch)
    edges = branch.entry_offsets
    if branch.embedded_baskets or stop > edges[-1]:
        raise NotSimple
    numbers = [k for k in range(branch.num_baskets) if edges[k] < stop and edges[k + 1] > start]
    return _Column(branch, dtype, lists, tuple(numbers))


def _left_to_us(tree: Any, columns: Mapping[str, _Column]) -> dict[str, _Column]:
    """The columns without those whose first basket has a codec that uproot must read.

    What a branch says of its compression is not what its baskets have, where a program has merged
    files; and baskets of which all were read in vain would be read twice.
    """
    heads = {name: column.spans[0] for name, column in columns.items() if column.numbers}
    spans = [(start, min(stop, start + HEAD)) for start, stop in heads.values()]
    chunks = tree.file.source.chunks(spans, Queue()) if spans else ()
    other = set()
    for name, chunk in zip(heads, chunks, strict=True):
        head = bytes(chunk.raw_data)
        key = int.from_bytes(head[14:16], "big")
        if head[key : key + 2] in NOT_FAST:
            other.add(name)
    return {name: column for name, column in columns.items() if name not in other}


def _packed(tree: Any, columns: Mapping[str, _Column]) -> Iterator[list[Any]]:
    """The baskets of every column as they are stored, from one read."""
    spans = [span for column in columns.values() for span in column.spans]
    chunks = iter(tree.file.source.chunks(spans, Queue()) if spans else ())
    for column in columns.values():
        yield [chunk.raw_data for chunk in islice(chunks, len(column.numbers))]


def _values(
    column: _Column,
    packed: Sequence[Any],
    entries: tuple[int, int],
    known: NDArray[np.int64] | None,
) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Values of a column, and where the list of each entry begins if it holds lists.

    ``known`` is what two other columns with the same counts agree in: every
    basket must then hold as many values as it says.
    """
    edges, dtype, (start, stop) = column.branch.entry_offsets, column.dtype, entries
    stored = [
        Basket(raw, edges[k + 1] - edges[k]) for raw, k in zip(packed, column.numbers, strict=True)
    ]
    content = buffers.borrow(sum(b.border for b in stored)).view(dtype.newbyteorder("="))
    fresh = None
    if column.lists and known is None:
        fresh = buffers.borrow(8 * (stop - start + 1)).view(np.int64)
        fresh[0] = 0
    filled = done = 0
    shift = dtype.itemsize.bit_length() - 1  # bytes to items, faster than a division
    for k, basket in zip(column.numbers, stored, strict=True):
        first, last = max(start - edges[k], 0), min(stop, edges[k + 1]) - edges[k]
        unpacked = basket.unpacked()
        if not column.lists:
            begin, end = first, last
        elif known is not None and last - first == basket.entries:
            begin, end = 0, basket.border >> shift
        else:
            within = basket.offsets(unpacked)[first : last + 1] >> shift
            begin, end = int(within[0]), int(within[-1])
            if fresh is not None:
                part = fresh[done + 1 : done + 1 + last - first]
                np.add(within[1:], filled - begin, out=part)
        if known is not None and end - begin != known[done + last - first] - known[done]:
            raise NotSimple
        values = unpacked[: basket.border].view(dtype)[begin:end]
        if len(values) != end - begin:
            raise NotSimple
        content[filled : filled + len(values)] = values
        filled += end - begin
        done += last - first
    if done != stop - start:
        raise NotSimple
    return content[:filled], known if fresh is None else fresh


def _kind(branch: Any) -> tuple[np.dtype[Any], bool]:
    """Type of the stored numbers, and whether an entry is a list of them."""
    interpretation = branch.interpretation
    lists = isinstance(interpretation, AsJagged)
    if lists and interpretation.header_bytes:
        raise NotSimple
    number = interpretation.content if lists else interpretation
    if type(number) is not AsDtype or number.from_dtype.kind not in "biuf" or number.inner_shape:
        raise NotSimple
    if number.to_dtype != number.from_dtype.newbyteorder("="):
        raise NotSimple
    return number.from_dtype, lists
