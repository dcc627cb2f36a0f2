"""What a bookkeeping knows of one file of a data set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spectrum_workflows.errors import DataError

_ADLER32 = re.compile(r"[0-9a-f]{1,8}")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class DataSetFile:
    """A file of a data set.

    Attributes
    ----------
    name : str
        Its logical name, the same at every site.
    size : int or None
        Bytes.
    checksum : str
        ``adler32:`` or ``md5:`` and hexadecimal digits; empty if none is known.
    events : int or None
        Events in it.
    replicas : tuple of str
        URLs, the most wanted first; empty where none can be read.
    """

    name: str
    size: int | None = None
    checksum: str = ""
    events: int | None = None
    replicas: tuple[str, ...] = ()


def file_of(row: Mapping[str, Any], name: str, events: str, where: str) -> DataSetFile:
    """A file from one row of an answer.

    Parameters
    ----------
    row : mapping
        Of the answer.
    name : str
        The file's logical name.
    events : str
        What the row calls the number of events.
    where : str
        The data set, for errors.

    Raises
    ------
    DataError
        A size or a number of events is none.
    """
    counts = {key: row.get(key) for key in ("bytes", "size", events)}
    for key, count in counts.items():
        whole = isinstance(count, int) and not isinstance(count, bool) and count >= 0
        if count is not None and not whole:
            raise not_understood(where, f"{key} of {name} is {count!r}")
    size = counts["bytes"] if counts["bytes"] is not None else counts["size"]
    return DataSetFile(name, size, _checksum(row), counts[events])


def not_understood(where: str, what: str) -> DataError:
    """The error of an answer that is not what the client's documentation says."""
    message = f"an answer that cannot be understood: {what}"
    return DataError(message, where, 'ask its own client, and list the files: files = ["@LIST"]')


def _checksum(row: Mapping[str, Any]) -> str:
    for kind, form, digits in (("adler32", _ADLER32, 8), ("md5", _MD5, 32)):
        text = str(row.get(kind) or "").lower()
        if form.fullmatch(text):
            return f"{kind}:{text.zfill(digits)}"
    return ""
