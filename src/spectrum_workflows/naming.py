"""Names that people choose, and the names of files made of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

LONGEST = 200
"""Bytes of a name: files are named after it, and file systems take 255."""

RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{k}" for d in ("com", "lpt") for k in range(10))}
"""Names that are devices on some systems, whatever follows a dot."""


def _short_and_printable(name: str) -> str:
    if not name or re.search(r"[/\s]", name):
        raise ValueError("a name has no space and no slash, and is not empty")
    size = len(name.encode(errors="surrogatepass"))
    if size > LONGEST:
        raise ValueError(f"this name has {size} bytes; at most {LONGEST}")
    if not name.isprintable():
        raise ValueError("a name has printable characters only")
    return name


Name = Annotated[
    str,
    Field(json_schema_extra={"pattern": r"^[^/\s]+$"}),
    AfterValidator(_short_and_printable),
]
"""A name of a thing in a spec: no slash, no space, and short enough for a file."""


def file_names(names: Iterable[str]) -> list[str]:
    """For each name one that any file system, store and ROOT file can hold.

    A name that is safe stays as it is.  No two of them are the same file, even
    where files do not differ by case.

    Parameters
    ----------
    names : iterable of str
        All that go into one folder; the first come first.

    Returns
    -------
    list of str
        In the same order.
    """
    out: list[str] = []
    taken: set[str] = set()
    for name in names:
        file_name = _distinct(_safe(name), taken)
        taken.add(_folded(file_name))
        out.append(file_name)
    return out


def _safe(name: str) -> str:
    """Letters, digits and ``.+=,@~-`` stay; what has a meaning somewhere becomes ``_``."""
    safe = re.sub(r"[^\w.+=,@~-]", "_", name)
    if safe[:1] in (".", "-", "~") or safe.partition(".")[0].casefold() in RESERVED:
        safe = f"_{safe}"
    return safe


def _distinct(name: str, taken: set[str]) -> str:
    candidate, k = name, 1
    while _folded(candidate) in taken:
        k += 1
        stem, dot, ending = name.rpartition(".")
        candidate = f"{stem}~{k}{dot}{ending}" if stem else f"{name}~{k}"
    return candidate


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
