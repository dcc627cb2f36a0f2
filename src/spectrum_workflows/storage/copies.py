"""Copies of catalogued files: where a read goes when a store fails in the middle of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from spectrum_workflows.errors import AccessError, DataNotFoundError, SpectrumError, StoreError
from spectrum_workflows.storage.attempts import persist
from spectrum_workflows.storage.counting import note_copy
from spectrum_workflows.storage.names import shown
from spectrum_workflows.storage.stores import current_stores

T = TypeVar("T")

DOWN = 300.0
"""Seconds for which a store that failed is asked after the others."""

_failed: dict[str, float] = {}


def anywhere(url: str, action: Callable[[Any, str], T]) -> T:
    """Do something at a store, else where a copy of the file lies.

    Each place is tried as `persist` does; one that has failed is then asked
    last for a while, so that its time-out is paid once.

    Parameters
    ----------
    url : str
        A file to read.
    action : callable
        ``action(fs, path)``, as for `persist`; it may be called for another
        place after a failure.

    Raises
    ------
    DataNotFoundError, AccessError, StoreError
        What the first place said, if no copy can be read either.
    """
    copies = current_stores().copies_of(url)
    if not copies:
        return persist(url, action)
    trouble: SpectrumError | None = None
    for root, place in sorted(copies, key=lambda copy: _is_down(copy[0])):
        try:
            found = persist(place, action)
        except (AccessError, DataNotFoundError, StoreError) as error:
            if not isinstance(error, DataNotFoundError):
                _failed[root] = time.monotonic()
            trouble = trouble or error
        else:
            if place != url:
                note_copy(shown(root))
            return found
    assert trouble is not None
    raise trouble


def _is_down(root: str) -> bool:
    return time.monotonic() - _failed.get(root, -DOWN) < DOWN
