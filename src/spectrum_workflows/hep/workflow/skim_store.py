"""Where skims are: a folder below the results root for those of one content."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.engine.ledger import CONTENT, SKIMS
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.types.skims import SUFFIX
from spectrum_workflows.hep.workflow.skim_content import (
    SkimContent,
    content_as_words,
    content_from_words,
)

if TYPE_CHECKING:
    from spectrum_workflows.engine.ledger import Ledger


@dataclass(frozen=True)
class KeptSkims:
    """Skims of one content.

    Attributes
    ----------
    folder : str
        URL.
    content : SkimContent
    written : str
        When a run that adds to them began, UTC.
    urls : mapping of str to dict of str to str
        Of all of them, by `range_key` and by `version_key`.
    """

    folder: str
    content: SkimContent
    written: str
    urls: Mapping[str, Mapping[str, str]]


def kept_skims(root: str) -> list[KeptSkims]:
    """All skims below a folder, the latest first; what is damaged is not there."""
    urls: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    listed = storage.files_below(root)
    for url in listed:
        folder, _, name = url.rpartition("/")
        if name.endswith(SUFFIX):
            of_range, _, of_version = name.removesuffix(SUFFIX).partition(".")
            urls[folder][of_range][of_version] = url
    out = []
    for url in listed:
        folder, _, name = url.rpartition("/")
        kept = _read_folder(folder, urls[folder]) if name == CONTENT else None
        if kept is not None and kept.content.key == folder.rpartition("/")[2]:
            out.append(kept)
    return sorted(out, key=lambda kept: kept.written, reverse=True)


def _read_folder(url: str, urls: Mapping[str, Mapping[str, str]]) -> KeptSkims | None:
    """The skims of a folder, as it says itself; None where that is damaged."""
    try:
        words = json.loads(storage.read_bytes(storage.join(url, CONTENT)))
        return KeptSkims(url, content_from_words(words["content"]), str(words["written"]), urls)
    except (SpectrumError, OSError, ValueError, KeyError, TypeError):
        return None


def folder_of(content: SkimContent, ledger: Ledger) -> str:
    """URL of the folder of the skims of a content."""
    return storage.join(ledger.known, f"{SKIMS}/{content.key}")


def begin_folder(content: SkimContent, ledger: Ledger) -> str:
    """Write what the skims of a folder will hold; returns its URL.

    Raises
    ------
    SpectrumError, OSError
        It cannot be written.
    """
    folder = folder_of(content, ledger)
    words = {
        "content": content_as_words(content),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "workflow": "hep",
        "name": ledger.about.get("name", ""),
    }
    storage.write_bytes(storage.join(folder, CONTENT), json.dumps(words, indent=1).encode())
    return folder
