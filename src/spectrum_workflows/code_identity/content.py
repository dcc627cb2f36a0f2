"""Digests of texts and files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SMALL_BYTES = 8 << 20
"""Size up to which a data file counts that is not spelt out: by a pattern, or listed."""


def content_of(path: Path) -> str:
    """SHA-256 of a data file; of a large one, its size and the time of its last change."""
    state = path.stat()
    if state.st_size > SMALL_BYTES:
        return f"{state.st_size} {state.st_mtime_ns}"
    return sha256(path.read_bytes())


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest_of_all(parts: Mapping[str, str]) -> str:
    """SHA-256 of named digests, in the order of their names."""
    return sha256(repr(sorted(parts.items())).encode())
