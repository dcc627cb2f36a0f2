"""The skim of one partition as bytes: columns one after the other, packed for fast reading.

Numbers of a column are stored byte by byte (all first bytes, then all second), and
compressed with ZSTD; of lists their lengths.  What several columns share is stored once.  A
hash over everything stands in front.  No pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import awkward as ak
import numcodecs.zstd
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.exact.sums import exactly
from spectrum_workflows.hep.types import FileRead
from spectrum_workflows.hep.types.luminosity import Blocks
from spectrum_workflows.hep.types.sums import ExactSums
from spectrum_workflows.storage.sealed import sealed, unsealed

if TYPE_CHECKING:
    from spectrum_workflows.hep.types.sums import Sums

LEVEL = 3
"""Of ZSTD."""

_LENGTHS, _NUMBERS = "lengths", "numbers"
"""What a stored array is: lengths of lists, with the type of their offsets, or plain numbers."""


@dataclass(frozen=True)
class SkimmedPartition:
    """What a skim holds of one partition.

    Attributes
    ----------
    branches : ak.Array, shape (n_events,)
        The events that are kept, with the branches of the file.
    first : ak.Array, shape (n_first,), or None
        Some first events that pass the file's filters, whether they are kept or not; None where
        they were not asked for.
    absent : tuple of str
        Branches that the file does not have.
    start, stop : int
        Entries of the partition.
    file : FileRead
        Account of the file, as for the whole partition.
    left : mapping of str to ndarray or ExactSums, shape (3,)
        What is left of the partition by the file's filters, where that is counted.
    """

    branches: ak.Array
    first: ak.Array | None
    absent: tuple[str, ...]
    start: int
    stop: int
    file: FileRead
    left: Mapping[str, Sums] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenedSkim:
    """A skim that is whole.

    Attributes
    ----------
    header : dict
        What stands in front.
    content : memoryview
        Everything behind it.
    """

    header: dict[str, Any]
    content: memoryview


@dataclass(frozen=True)
class _Block:
    """Description of a stored array.

    Attributes
    ----------
    kind : str
        `_NUMBERS`, or `_LENGTHS` with a type.
    dtype : str
        Of its numbers, as they are stored.
    length, nbytes : int
        Numbers, and bytes that they take.
    """

    kind: str
    dtype: str
    length: int
    nbytes: int


def packed(skim: SkimmedPartition, about: Mapping[str, Any]) -> bytes:
    """A skim as bytes.

    Parameters
    ----------
    skim : SkimmedPartition
        The columns of which are packed.
    about : mapping
        For people, ready for JSON.
    """
    blocks = _Blocks()
    kept, first = (
        {name: blocks.column(array[name], f"{n}_{{id}}") for n, name in enumerate(array.fields)}
        for array in (skim.branches, ak.Array([]) if skim.first is None else skim.first)
    )
    lumis = skim.file.blocks
    header = {
        **about,
        "events": len(skim.branches),
        "first_events": None if skim.first is None else len(skim.first),
        "absent": skim.absent,
        "range": [skim.start, skim.stop],
        "file": asdict(replace(skim.file, blocks=None)),
        "left": {row: _exact_words(counts) for row, counts in skim.left.items()},
        "listed": None if lumis is None else lumis.listed,
        "luminosity": None
        if lumis is None
        else [blocks.add(a, _NUMBERS) for a in (lumis.place, lumis.events, lumis.read)],
        "columns": kept,
        "first": first,
        "blocks": [astuple(block) for block in blocks.described],
    }
    text = json.dumps(header).encode()
    content = b"".join([len(text).to_bytes(8, "little"), text, *blocks.pieces])
    return sealed(content)


def _exact_words(counts: Sums) -> tuple[Any, int]:
    sums = counts if isinstance(counts, ExactSums) else exactly(counts)
    return sums.digits.tolist(), sums.lowest


def opened(data: bytes) -> OpenedSkim:
    """A skim that is known to be whole, with nothing unpacked.

    Raises
    ------
    DataError
        It is no skim, or not whole.
    """
    content = unsealed(data)
    size = int.from_bytes(content[:8], "little")
    return OpenedSkim(json.loads(bytes(content[8 : 8 + size])), content[8 + size :])


def unpacked(data: bytes, columns: Collection[str], *, with_first: bool = True) -> SkimmedPartition:
    """Some columns of what `packed` was given, as far as they are there.

    Parameters
    ----------
    data : bytes
    columns : collection of str
    with_first : bool
        Whether the first events are asked for.

    Raises
    ------
    DataError
        It is no skim, or not whole.
    """
    skim = opened(data)
    header, blocks = skim.header, [_Block(*words) for words in skim.header["blocks"]]
    stored = _Stored(skim.content, blocks)
    kept = stored.columns(_chosen(header["columns"], columns), header["events"])
    first = None
    if with_first and header["first_events"] is not None:
        first = stored.columns(_chosen(header["first"], columns), header["first_events"])
    lumis = None
    if header["luminosity"] is not None:
        place, events, read = (stored.array(n) for n in header["luminosity"])
        lumis = Blocks(place, events, read, header["listed"])
    words = header["file"]
    file = FileRead(**{**words, "fallbacks_used": tuple(words["fallbacks_used"]), "blocks": lumis})
    start, stop = header["range"]
    left = {row: ExactSums(np.array(d), n) for row, (d, n) in header["left"].items()}
    return SkimmedPartition(kept, first, tuple(header["absent"]), start, stop, file, left)


def _chosen(described: Mapping[str, Any], columns: Collection[str]) -> dict[str, Any]:
    return {name: of for name, of in described.items() if name in columns}


class _Blocks:
    """Arrays that are to be stored, each content once."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.described: list[_Block] = []
        self.numbers: dict[tuple[str, str, bytes], int] = {}

    def column(self, column: ak.Array, key: str) -> tuple[str, dict[str, int]]:
        """The form of a column as JSON, and the numbers of its arrays."""
        form, _, arrays = ak.to_buffers(column, form_key=key)
        numbers = {}
        for name, array in arrays.items():
            flat = np.ascontiguousarray(array).reshape(-1)
            if name.endswith("-offsets"):
                numbers[name] = self.add(np.diff(flat), f"{_LENGTHS} {flat.dtype.str}")
            else:
                numbers[name] = self.add(flat, _NUMBERS)
        return form.to_json(), numbers

    def add(self, array: NDArray[Any], kind: str) -> int:
        """The number of an array, which is stored now if it was not."""
        if kind != _NUMBERS:
            array = array.astype(np.min_scalar_type(int(array.max(initial=0))))
        key = (kind, array.dtype.str, hashlib.sha256(array.tobytes()).digest())
        if key not in self.numbers:
            size = array.dtype.itemsize
            by_byte = array.view(np.uint8).reshape(-1, size).T
            piece = numcodecs.zstd.compress(np.ascontiguousarray(by_byte), LEVEL)
            piece = bytes(piece) if len(array) else b""
            self.numbers[key] = len(self.pieces)
            self.pieces.append(piece)
            self.described.append(_Block(kind, array.dtype.str, len(array), len(piece)))
        return self.numbers[key]


class _Stored:
    """Arrays that were stored, each unpacked when it is first asked for."""

    def __init__(self, content: memoryview, described: list[_Block]) -> None:
        self.content, self.described = content, described
        self.starts = np.cumsum([0, *(block.nbytes for block in described)]).tolist()
        self.unpacked: dict[int, NDArray[Any]] = {}

    def columns(
        self, described: Mapping[str, tuple[str, Mapping[str, int]]], size: int
    ) -> ak.Array:
        """A record per event."""
        if not described:
            return ak.Array(ak.contents.RecordArray([], [], length=size))
        numbers = {name: n for _, own in described.values() for name, n in own.items()}
        forms = [ak.forms.from_json(form) for form, _ in described.values()]
        arrays = {name: self.array(number) for name, number in numbers.items()}
        return ak.from_buffers(ak.forms.RecordForm(forms, [*described]), size, arrays)

    def array(self, number: int) -> NDArray[Any]:
        if number not in self.unpacked:
            block, start = self.described[number], self.starts[number]
            kind, dtype, length = block.kind, block.dtype, block.length
            size, piece = np.dtype(dtype).itemsize, self.content[start : start + block.nbytes]
            raw = np.frombuffer(numcodecs.zstd.decompress(piece) if length else b"", np.uint8)
            array = raw.reshape(size, length).T.copy().reshape(-1).view(dtype)
            if kind != _NUMBERS:
                offsets = np.zeros(length + 1, kind.partition(" ")[2])
                np.cumsum(array, out=offsets[1:])
                array = offsets
            self.unpacked[number] = array
        return self.unpacked[number]
