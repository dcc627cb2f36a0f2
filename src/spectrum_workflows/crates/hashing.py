"""SHA-256 of input, wherever it lies: a number by which a single byte is missed."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from spectrum_workflows import storage

MOST_BYTES = 1 << 30
"""Bytes of all local input of a run together up to which it is read for its SHA-256; of more
there is the identity that the plan knows."""

PIECE = 8 << 20


def hashes(urls: list[str]) -> dict[str, str]:
    """SHA-256 of local files, by URL; none where together they are too large to be read again."""
    local = [url for url in urls if storage.is_local(url) and storage.local_path(url).is_file()]
    if sum(storage.local_path(url).stat().st_size for url in local) > MOST_BYTES:
        return {}
    return {url: _known(url, *_state(url)) for url in local}


def sha256_of(url: str) -> str:
    """SHA-256 of one file, read in pieces.

    Raises
    ------
    DataNotFoundError, AccessError, StoreError
        It cannot be read.
    """
    total = hashlib.sha256()
    with storage.open_read(url) as file:
        while piece := file.read(PIECE):
            total.update(piece)
    return total.hexdigest()


def _state(url: str) -> tuple[int, int, int]:
    state = storage.local_path(url).stat()
    return state.st_size, state.st_mtime_ns, state.st_ino


@lru_cache(maxsize=4096)
def _known(url: str, _size: int, _written: int, _inode: int) -> str:
    """SHA-256 of a file in one state: several runs of a session read the same input."""
    return sha256_of(url)
