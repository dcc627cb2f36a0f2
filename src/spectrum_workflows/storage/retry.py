"""Tries of what may pass, with a back-off and a limit in seconds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from spectrum_workflows.storage.errors import Kind, describe, is_ours, kind_of
from spectrum_workflows.storage.filesystems import forget, open_filesystem
from spectrum_workflows.storage.limits import Limited
from spectrum_workflows.storage.location import Location, location_of

T = TypeVar("T")

DENIED = 5.0  # seconds in which new credentials may come
FIRST, LONGEST = 0.1, 4.0  # seconds between two tries
TRY = 1.5  # time-outs that one try may take, and what its bytes need

_jitter = random.Random()  # noqa: S311  # when to try again, never a result


def persist(url: str | Location, action: Callable[[Any, str], T]) -> T:
    """Do something at a store, and try again what may pass.

    Refused credentials are read anew, from wherever the library finds them,
    before the next try: a token that was renewed on disk is taken up in the
    middle of a run.

    Parameters
    ----------
    url : str or Location
        What it is about.
    action : callable
        ``action(fs, path)``; called again after a failure, so it may keep
        what it has got so far.
        It has to end in time; `limits.allow` gives it more for many bytes.

    Raises
    ------
    DataNotFoundError
        There is no such object, bucket or file.
    AccessError
        The credentials are not accepted, or there are none.
    StoreError
        The store does not answer, or its certificate is not valid.
    """
    place = location_of(url)
    begun, tries = time.monotonic(), 0
    while True:
        fs, path = open_filesystem(place)
        try:
            return action(_in_time(fs, place, begun), path)
        except Exception as error:
            if (ours := is_ours(error)) is not None:
                raise ours from None
            kind = kind_of(error, place)
            if kind == "unknown":
                raise
            failure = describe(kind, error, place, Limited(fs, place.timeout, place.slowest))
        if time.monotonic() - begun >= _limit(kind, place):
            raise failure  # without what led to it: aiohttp's errors hold the token that was sent
        _before_another(kind, place, fs)
        time.sleep(min(FIRST * 2**tries, LONGEST) * _jitter.uniform(0.5, 1.0))
        tries += 1


def _in_time(fs: Any, place: Location, begun: float) -> Any:
    """The file system for one try: it and all of them end within time-out and patience."""
    if place.is_local:
        return fs
    left = begun + place.patience + place.timeout - time.monotonic()
    return Limited(fs, max(0.1, min(TRY * place.timeout, left)), place.slowest)


def _limit(kind: Kind, place: Location) -> float:
    """Seconds after the beginning in which another try of this kind makes sense."""
    within = place.patience
    renewable = min(within, DENIED) if place.has_credentials else 0.0
    return {"passing": within, "denied": renewable}.get(kind, 0.0)


def _before_another(kind: Kind, place: Location, fs: Any) -> None:
    if kind == "denied":
        forget(fs)
    elif place.scheme == "root":
        fs.invalidate_cache()  # file handles of a server that is gone
