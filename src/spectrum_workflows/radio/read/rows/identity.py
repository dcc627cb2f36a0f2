"""Identity of a file's content: of a small one the content itself, else what its store says."""

from __future__ import annotations

import hashlib

from spectrum_workflows import storage
from spectrum_workflows.radio.types.observation import CONTENT

SMALL_BYTES = 256 << 20
"""Largest file whose content is read for it."""

PIECE_BYTES = 8 << 20


def identity(url: str, size: int, stamp: str, described: bytes) -> str:
    """A text that tells one content of a file from another.

    Parameters
    ----------
    url : str
    size : int
        Bytes.
    stamp : str
        What its store says of it: `storage.stamp`.
    described : bytes
        Its headers.
    """
    if size > SMALL_BYTES:
        return f"file {hashlib.sha256(described).hexdigest()} {stamp}"
    total = hashlib.sha256()
    for start in range(0, size, PIECE_BYTES):
        [piece] = storage.read_ranges(url, [(start, min(start + PIECE_BYTES, size))])
        total.update(piece)
    return f"{CONTENT}{total.hexdigest()} {size}"
