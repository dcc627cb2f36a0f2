"""Open ROOT files through storage, with errors in words; each worker keeps a few open.

Their bytes come through `storage`, from any store.  Damage is found where the
format lets one find it: ZLIB, LZMA and LZ4 baskets carry checksums, and so do the
pages of an RNTuple where their writer stored them.  ZSTD and uncompressed TTree
baskets have none, for any reader; only damage that breaks their structure is seen.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import uproot
from uproot.source.futures import TrivialExecutor
from xxhash import xxh3_64_intdigest

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep.io.source import SEAL, StoreSource
from spectrum_workflows.specs import closest

KEEP_OPEN = 8
"""Files kept open per thread: opening a real NanoAOD file costs up to a second, and 15 MB."""

SAMPLED = 4096
"""Bytes that are looked at to tell two files of one UUID and size apart, at two places."""

_DAMAGED = "copy the file again"


@dataclass(frozen=True, eq=False)
class OpenTree:
    """A TTree or RNTuple of an open file.

    Attributes
    ----------
    url, name : str
        The file, and what the tree is called in it.
    tree : uproot.TTree or uproot RNTuple
        The tree.
    uuid : str
        Identity of the file's content: the UUID in its header, and a checksum of
        its middle and its end, as some programs give every file the same UUID.
    nbytes : int
        Size of the file.
    """

    url: str
    name: str
    tree: Any
    uuid: str
    nbytes: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Branches of the tree."""
        return tuple(self.tree.keys())

    @cached_property
    def entries(self) -> int:
        """Events in the tree."""
        return int(self.tree.num_entries)

    @cached_property
    def is_ntuple(self) -> bool:
        """Whether it is an RNTuple, not a TTree."""
        return not hasattr(self.tree, "common_entry_offsets")


@dataclass
class _Cache(threading.local):
    trees: OrderedDict[tuple[Any, ...], OpenTree] = field(default_factory=OrderedDict)


_cache = _Cache()


def open_tree(url: str, tree: str) -> OpenTree:
    """Open a tree, or take it from those this thread has open.

    Each call asks the store for the file's state, so that a file that was replaced in
    the meantime is opened anew: a task calls it once, and hands the tree down.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    DataError
        It is a folder, empty, not a ROOT file, truncated, damaged, or has no
        such tree.
    AccessError, StoreError
        The store does not let us in, or does not answer.
    """
    info = storage.info(url)
    key = (url, tree, storage.current_stores(), repr(sorted(info.items(), key=str)))
    if key not in _cache.trees:
        if info["type"] == "directory":
            remedy = f"name a file in it, or all: {url.rstrip('/')}/*.root"
            raise DataError("is a folder, not a ROOT file", url, remedy)
        _cache.trees[key] = _open(url, tree, int(info["size"]))
        while len(_cache.trees) > KEEP_OPEN:
            _close(_cache.trees.popitem(last=False)[1])
    _cache.trees.move_to_end(key)
    return _cache.trees[key]


def close_all() -> None:
    """Close the files this thread has open."""
    while _cache.trees:
        _close(_cache.trees.popitem()[1])


def _close(tree: OpenTree) -> None:
    tree.tree.file.close()


def _open(url: str, tree: str, nbytes: int) -> OpenTree:
    _check_header(url, nbytes)
    single = TrivialExecutor()  # one thread inside a task
    options: dict[str, Any] = {
        "object_cache": None,
        "array_cache": None,
        "decompression_executor": single,
        "interpretation_executor": single,
        "use_threads": False,
    }
    try:
        file = uproot.open({url: None}, handler=StoreSource, nbytes=nbytes, **options)
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        raise damaged(url, error) from error
    try:
        uuid = f"{file.file.uuid}.{_checksum(url, nbytes):08x}"
        return OpenTree(url, tree, _tree(file, tree, url), uuid, nbytes)
    except BaseException:
        file.file.close()
        raise


def _tree(file: Any, name: str, url: str) -> Any:
    try:
        names = {key.partition(";")[0]: kind for key, kind in file.classnames().items()}
        if name not in names:
            trees = [n for n, kind in names.items() if is_tree(kind)]
            remedy = closest(name, trees) or "it holds no tree at all"
            raise DataError(f"no tree {name!r}", url, remedy)
        if not is_tree(names[name]):
            raise DataError(f"{name!r} is a {names[name]}, not a tree", url, "name a tree")
        tree = file[name]
        if hasattr(tree, "ntuple"):
            _seal(tree.ntuple)
        return tree
    except (OSError, MemoryError, SpectrumError):
        raise
    except Exception as error:
        raise damaged(url, error) from error


def _seal(ntuple: Any) -> None:
    """Check the lists of an RNTuple's pages, and have every page checked that has a checksum.

    The header, the footer and the anchor are checked by uproot.
    """
    for record in ntuple.footer.cluster_group_records:
        link = record.page_list_link
        chunk, _ = ntuple.read_locator(link.locator, link.env_uncomp_size)
        content = bytes(chunk.raw_data)[: link.env_uncomp_size]
        if xxh3_64_intdigest(content[:-SEAL]) != int.from_bytes(content[-SEAL:], "little"):
            raise ValueError("checksum of a list of pages is wrong")
    pages = (p for c in ntuple.page_link_list for column in c for p in column.pages)
    ntuple.file.source.sealed |= {
        int(p.locator.offset): int(p.locator.num_bytes) for p in pages if p.has_checksum
    }


def damaged(where: str, error: BaseException) -> DataError:
    """The error for bytes that do not decode."""
    line = f"{type(error).__name__}: {error}".strip().splitlines()[0][:120]
    return DataError(f"damaged ROOT file ({line})", where, _DAMAGED)


def is_tree(classname: str) -> bool:
    """Whether uproot's name of a class is one of trees."""
    return classname in ("TTree", "TNtuple", "ROOT::RNTuple", "ROOT::Experimental::RNTuple")


def _checksum(url: str, nbytes: int) -> int:
    """CRC-32 of bytes in the middle and at the end of a file, where data and its directory are."""
    middle = max(0, nbytes // 2 - SAMPLED)
    ranges = [(middle, nbytes // 2), (max(nbytes // 2, nbytes - SAMPLED), nbytes)]
    checksum = 0
    for piece in storage.read_ranges(url, ranges):
        checksum = zlib.crc32(piece, checksum)
    return checksum


def _check_header(url: str, nbytes: int) -> None:
    """Compare the size the file says it has with the size it has.

    Layout: ROOT file header (root.cern, TFile): "root", version, fBEGIN, fEND;
    fEND has 8 bytes in versions from 1,000,000 (large files).
    """
    if not nbytes:
        raise DataError("empty file, not a ROOT file", url, _DAMAGED)
    header = bytes(storage.read_ranges(url, [(0, min(32, nbytes))])[0])
    if header[:4] != b"root":
        raise DataError("not a ROOT file", url, "the hep workflow reads ROOT files only")
    if len(header) < 20:
        raise DataError(f"truncated ROOT file: only {nbytes} bytes", url, _DAMAGED)
    (version,) = struct.unpack_from(">i", header, 4)
    (end,) = struct.unpack_from(">q" if version >= 1_000_000 else ">I", header, 12)
    if nbytes < end:
        raise DataError(f"truncated ROOT file: {nbytes} of {end} bytes", url, _DAMAGED)
