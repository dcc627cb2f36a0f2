"""A check that the input is at the end of a run what it was at its beginning."""

from __future__ import annotations

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError


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
        more = f" (and {len(changed + gone) - 1} more)" if len(changed + gone) > 1 else ""
        raise DataError(
            f"it was exchanged while the run read it{more}: the result would be a mixture",
            storage.shown((changed + gone)[0]),
            "run it again when the data no longer changes",
        )
