"""A check that the input is at the end of a run what it was at its beginning."""

from __future__ import annotations

from collections.abc import Iterable

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.replicas import Replica


def check_unchanged(before: dict[str, str]) -> None:
    """Refuse a result whose input was exchanged while it was computed.

    Raises
    ------
    DataError
        A file or set is not what it was when the run was planned.
    """
    now = storage.stamps_of(before, hasty=True)
    changed = [url for url in now if now[url] != before[url]]
    gone = [u for u in before if u not in now and storage.is_local(u) and not storage.exists(u)]
    if changed or gone:
        raise _exchanged((changed + gone)[0], len(changed + gone))


def check_replicas(replicas: Iterable[Replica]) -> None:
    """Refuse a result for which a copy was read that was exchanged meanwhile.

    Raises
    ------
    DataError
        A copy that stood in for an input was not the same all the time.
    """
    versions: dict[str, str] = {}
    for replica in replicas:
        if replica.version and versions.setdefault(replica.url, replica.version) != replica.version:
            raise _exchanged(replica.url, 1)
    check_unchanged(versions)


def _exchanged(url: str, count: int) -> DataError:
    more = f" (and {count - 1} more)" if count > 1 else ""
    return DataError(
        f"it was exchanged while the run read it{more}: the result would be a mixture",
        storage.shown(url),
        "run it again when the data no longer changes",
    )
