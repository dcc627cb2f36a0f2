"""Objects with a hash of all of their content in front: what is damaged is seen."""

from __future__ import annotations

import hashlib

from spectrum_workflows.errors import DataError

MAGIC = b"spectrum-workflows sealed 1\n"
_HEAD = len(MAGIC) + 64


def sealed(content: bytes) -> bytes:
    """The content, and its hash in front."""
    return MAGIC + _hash(content) + content


def unsealed(data: bytes) -> memoryview:
    """What `sealed` was given.

    Raises
    ------
    DataError
        It is no such object, or not whole.
    """
    if not data.startswith(MAGIC):
        raise DataError("no object of this kind that this version can read")
    content = memoryview(data)[_HEAD:]
    if _hash(content) != data[len(MAGIC) : _HEAD]:
        raise DataError("an object that is damaged")
    return content


def _hash(content: bytes | memoryview) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
