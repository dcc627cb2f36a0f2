"""The checksums that a Zarr set carries of its own objects.

Every chunk ends in a checksum of its own, which finds bits that changed in it;
that chunks were exchanged, or words about the sky changed, is found by this
list only: the name of every object and the hash of its bytes, as they were
written.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "checksums.json"
ROOT = "zarr.json"
REMEDY = "convert or copy the set again"


def checksum(data: bytes) -> str:
    """The hash of an object: the first half of its SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


def encode(objects: Mapping[str, str]) -> bytes:
    """The list as an object that carries its own hash."""
    listed = json.dumps(dict(sorted(objects.items())), indent=0)
    whole = {
        "hash": "sha256, first 128 bits",
        "of_objects": checksum(listed.encode()),
        "objects": None,
    }
    return json.dumps(whole).replace("null", listed).encode()


@lru_cache(maxsize=8)
def known(url: str, root: str) -> dict[str, str] | None:
    """The checksums of a set, read once; ``None`` where it carries none.

    Parameters
    ----------
    url : str
        The set.
    root : str
        `checksum` of its ``zarr.json`` as it is now.

    Raises
    ------
    DataError
        The list is damaged, or is not of that ``zarr.json``.
    """
    place = storage.join(url, NAME)
    try:
        data = storage.read_bytes(place)
    except DataNotFoundError:
        return None
    try:
        whole = json.loads(data)
        objects = {str(name): str(value) for name, value in whole["objects"].items()}
        own = whole["of_objects"] == checksum(json.dumps(objects, indent=0).encode())
    except (ValueError, KeyError, TypeError, AttributeError):
        own = False
    if not own:
        raise DataError("the set's list of checksums is damaged", place, REMEDY)
    check(objects, ROOT, root, url)
    return objects


def check(objects: Mapping[str, str], name: str, own: str, url: str) -> None:
    """Refuse an object whose checksum is not the listed one.

    Raises
    ------
    DataError
        It has changed since it was written, or was not written then.
    """
    if objects.get(name) != own:
        message = "not what was written when the set was converted (its checksum differs)"
        raise DataError(message, storage.join(url, name), REMEDY)
