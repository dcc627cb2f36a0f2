"""Skims: where they are, and what one holds of a partition."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectrum_workflows.hep.types.events import Events

SUFFIX = ".skim"


@dataclass(frozen=True)
class Skims:
    """The skims of a sample's partitions: those that serve, and where new ones go.

    Attributes
    ----------
    served : mapping of str to str
        URLs of those that serve, by the `first_entry` of the partition.
    folder : str
        URL of the folder of new ones; empty where none are kept.
    versions : mapping of str to str
        What tells the content of a file, by its URL; of others none are kept.
    stamps : mapping of str to str
        State of a file when the run was planned, by its URL.
    columns : tuple of str
        Branches that are kept besides those that are read.
    filtered, fulfilling : bool
        Whether those that serve were kept by the same filters, and by the same conditions.
    """

    served: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    stamps: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    filtered: bool = False
    fulfilling: bool = False

    def find(self, events: Events) -> str:
        """URL of the skim of a partition, or of the one that begins where it does."""
        return self.served.get(first_entry(events), "")

    def url(self, events: Events) -> str:
        """Where a new one goes; empty if none is kept."""
        version = self.versions.get(events.url, "")
        if not (self.folder and version):
            return ""
        return f"{self.folder}/{range_key(events)}.{version_key(version)}{SUFFIX}"


def first_entry(events: Events) -> str:
    """The file of a partition, and its first entry."""
    return f"{events.url} {events.start}"


def range_key(events: Events) -> str:
    """Hash of the entries of a partition, and of what is known of its file without its name."""
    identity = (events.tree, events.uuid, events.nbytes, events.entries)
    return _hash(repr((*identity, events.start, events.stop)))[:24]


def version_key(version: str) -> str:
    """Hash of what tells the content of a file."""
    return _hash(version)[:12]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
