"""A check that the input is at the end of a run what it was at its beginning."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError, SpectrumError

AT_A_TIME = 32
"""Files in stores that are asked for at a time."""
SILENT = 16
"""Files that a store does not tell of, from which on it is asked for no other."""

Silence = dict[str, int]
"""Files that it did not tell of, by store."""

HASTE = {"patience": 0.0, "timeout": 5.0}
"""Storage options of the second look: a store that has gone since is not waited for."""


def stamps(urls: Iterable[str]) -> dict[str, str]:
    """Texts that tell the inputs' versions, by URL; without those that cannot be asked."""
    urls = list(dict.fromkeys(urls))
    stores = storage.current_stores()
    local = [url for url in urls if storage.is_local(url)]
    remote = [url for url in urls if not storage.is_local(url)]
    versions = {url: _stamp(url, stores, {}) for url in local}
    if remote:
        silent: Silence = {}
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            asked = pool.map(lambda url: _stamp(url, stores, silent), remote)
            versions |= dict(zip(remote, asked, strict=True))
    return {url: version for url, version in versions.items() if version}


def check_unchanged(before: dict[str, str]) -> None:
    """Refuse a result whose input was exchanged while it was computed.

    Raises
    ------
    DataError
        A file or set is not what it was when the run was planned.
    """
    stores = storage.current_stores()
    for url in before:
        if not storage.is_local(url):
            stores = stores.changed(url, **HASTE)
    with storage.using(stores):
        now = stamps(before)
    changed = [url for url in now if now[url] != before[url]]
    gone = [u for u in before if u not in now and storage.is_local(u) and not storage.exists(u)]
    if changed or gone:
        more = f" (and {len(changed + gone) - 1} more)" if len(changed + gone) > 1 else ""
        raise DataError(
            f"it was exchanged while the run read it{more}: the result would be a mixture",
            storage.shown((changed + gone)[0]),
            "run it again when the data no longer changes",
        )


def _stamp(url: str, stores: storage.Stores, silent: Silence) -> str:
    """What a store tells of a file, or nothing; in ``silent`` is counted what it did not tell."""
    store = "/".join(url.split("/", 3)[:3])
    if silent.get(store, 0) >= SILENT:
        return ""
    try:
        with storage.using(stores):
            return storage.stamp(url)
    except DataNotFoundError:
        return ""
    except (OSError, SpectrumError):
        silent[store] = silent.get(store, 0) + 1
        return ""
