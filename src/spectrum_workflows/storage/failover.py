"""Copies of catalogued files: where a read goes when a store fails in the middle of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    SpectrumError,
    StoreError,
)
from spectrum_workflows.replicas import Replica
from spectrum_workflows.storage.location import Location, location_of
from spectrum_workflows.storage.metering import note_copy, note_itself, reading_from
from spectrum_workflows.storage.options import current_stores
from spectrum_workflows.storage.retry import persist
from spectrum_workflows.storage.stamps import stamp, version_of
from spectrum_workflows.storage.urls import shown

T = TypeVar("T")

DOWN = 300.0
"""Seconds for which a store that failed is asked after the others."""

_failed: dict[str, float] = {}
_sizes: dict[str, int] = {}


def anywhere(place: Location, action: Callable[[Any, str], T]) -> T:
    """Do something at a store, else where a copy of the file lies.

    Each place is tried as `persist` does; one that has failed is then asked
    last for a while, so that its time-out is paid once.  A copy of another
    size than the file had where it was planned is none.

    Parameters
    ----------
    place : Location
        A file to read.
    action : callable
        ``action(fs, path)``, as for `persist`; it may be called for another
        place after a failure.

    Raises
    ------
    DataNotFoundError, AccessError, StoreError
        What the place that was planned says, if no copy can be read either.
    """
    planned = place.url
    copies = current_stores().copies_of(planned)
    if not copies:
        with reading_from(planned):
            return persist(place, action)
    errors: dict[str, SpectrumError] = {}
    for root, url in sorted(copies, key=lambda copy: _is_down(copy[0])):
        copy = place if url == planned else location_of(url)
        version = ""
        try:
            if url != planned:
                version = _version(planned, copy)
            with reading_from(copy.url):
                result = persist(copy, action)
        except (AccessError, DataError, DataNotFoundError, StoreError) as error:
            if isinstance(error, AccessError | StoreError):
                _failed[root] = time.monotonic()
            errors[url] = error
        else:
            if url == planned:
                note_itself(planned)
            else:
                note_copy(shown(root), Replica(planned, url, version))
            return result
    raise errors[planned]


def remember_size(url: str, size: int | None) -> None:
    """Note the size of a file where it was planned to be read."""
    if size is not None and current_stores().copies_of(url):
        _sizes[url] = size


def _version(planned: str, copy: Location) -> str:
    """What tells the version of a copy; an error where it has another size than was planned."""
    described: dict[str, Any] = persist(copy, lambda fs, path: fs.info(path))
    expected, size = _sizes.get(planned), described.get("size")
    if expected is not None and size != expected:
        message = f"has {size} bytes, not the {expected} of the replica that was planned"
        raise DataError(message, copy.shown, "correct the catalogue's replicas")
    return stamp(copy.url) if copy.is_local else version_of(described)


def _is_down(root: str) -> bool:
    return time.monotonic() - _failed.get(root, -DOWN) < DOWN
