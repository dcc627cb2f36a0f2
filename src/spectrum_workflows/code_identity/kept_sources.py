"""Sources of our own modules that were parsed before, on this machine: in the user's cache.

A process would otherwise spend a second on the syntax trees of a science.  An entry is found
by the content of a file, so that an edited one is parsed anew.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from spectrum_workflows.code_identity.content import sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spectrum_workflows.code_identity.source import Source

MOST = 800
"""Entries that are kept at most, of a few versions of the package: every run reads them all."""


def recall(parser: str) -> Mapping[str, Source]:
    """Sources by the SHA-256 of their content; nothing where the file is not there or damaged.

    Parameters
    ----------
    parser : str
        Identity of the code that parses: what another one has kept is left alone.
    """
    return _read(_file(parser))


def keep(sources: Mapping[str, Source], parser: str) -> None:
    """Add sources to those that are kept; a cache that cannot be written to is none.

    Parameters
    ----------
    sources : mapping of str to Source
        By the SHA-256 of their content.
    parser : str
        As in `recall`.
    """
    file = _file(parser)
    before = dict(_read(file))
    merged = {**(before if len(before) + len(sources) <= MOST else {}), **sources}
    text = json.dumps({content: _words(source) for content, source in merged.items()})
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as written:
                written.write(f"{sha256(text.encode())}\n{text}")
            Path(name).replace(file)
        finally:
            Path(name).unlink(missing_ok=True)
    _read.cache_clear()


def _file(parser: str) -> Path:
    return user_cache_path("spectrum-workflows") / f"sources-{parser[:16]}.json"


@lru_cache(maxsize=1)
def _read(file: Path) -> Mapping[str, Source]:
    try:
        digest, _, text = file.read_text(encoding="utf-8").partition("\n")
    except (OSError, ValueError):
        return {}
    if digest != sha256(text.encode()):
        return {}
    return {content: _source(words) for content, words in json.loads(text).items()}


def _words(source: Source) -> dict[str, Any]:
    words = asdict(source)
    return words | {name: sorted(words[name]) for name in ("names", "paths")}


def _source(words: Mapping[str, Any]) -> Source:
    from spectrum_workflows.code_identity.source import Source

    imports = tuple((level, module, tuple(names)) for level, module, names in words["imports"])
    return Source(
        words["content"],
        words["tree"],
        imports,
        frozenset(words["names"]),
        words["by_name"],
        frozenset(words["paths"]),
        tuple(words["full"]),
    )
