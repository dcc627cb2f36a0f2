"""Tries of what may pass, with a back-off and a limit in seconds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from spectrum_workflows.storage.errors import Kind, describe, is_ours, kind_of
from spectrum_workflows.storage.filesystems import (
    forget,
    has_credentials,
    locate,
    patience,
    slowest,
    timeout,
)
from spectrum_workflows.storage.limits import Limited
from spectrum_workflows.storage.urls import is_local, scheme_of

T = TypeVar("T")

DENIED = 5.0  # seconds in which new credentials may come
FIRST, LONGEST = 0.1, 4.0  # seconds between two tries
TRY = 1.5  # time-outs that one try may take, and what its bytes need

_jitter = random.Random()  # noqa: S311  # when to try again, never a result


def persist(url: str, action: Callable[[Any, str], T]) -> T:
    """Do something at a store, and try again what may pass.

    Refused credentials are read anew, from wherever the library finds them,
    before the next try: a token that was renewed on disk is taken up in the
    middle of a run.

    Parameters
    ----------
    url : str
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
    begun, tries = time.monotonic(), 0
    while True:
        fs, path = locate(url)
        try:
            return action(_in_time(fs, url, begun), path)
        except Exception as error:
            if (ours := is_ours(error)) is not None:
                raise ours from None
            kind = kind_of(error, url)
            if kind == "unknown":
                raise
            failure = describe(kind, error, url, Limited(fs, timeout(url), slowest(url)))
        if time.monotonic() - begun >= _limit(kind, url):
            raise failure  # without what led to it: aiohttp's errors hold the token that was sent
        _before_another(kind, url, fs)
        time.sleep(min(FIRST * 2**tries, LONGEST) * _jitter.uniform(0.5, 1.0))
        tries += 1


def _in_time(fs: Any, url: str, begun: float) -> Any:
    """The file system for one try: it and all of them end within time-out and patience."""
    if is_local(url):
        return fs
    left = begun + patience(url) + timeout(url) - time.monotonic()
    return Limited(fs, max(0.1, min(TRY * timeout(url), left)), slowest(url))


def _limit(kind: Kind, url: str) -> float:
    """Seconds after the beginning in which another try of this kind makes sense."""
    within = patience(url)
    renewable = min(within, DENIED) if has_credentials(url) else 0.0
    return {"passing": within, "denied": renewable}.get(kind, 0.0)


def _before_another(kind: Kind, url: str, fs: Any) -> None:
    if kind == "denied":
        forget(fs)
    elif scheme_of(url) == "root":
        fs.invalidate_cache()  # file handles of a server that is gone
