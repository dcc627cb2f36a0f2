"""Catalogue files: named data sets, their replicas, sizes and checksums."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from spectrum_workflows.specs import FrozenModel

PREFIX = "catalogue:"
"""What a spec writes before the name of an entry, instead of a file's name."""

RESERVED = ("catalogue.toml", "checksums.json")
"""Files of a data root that are ours."""


def _no_file_of_ours(name: str) -> str:
    if name in RESERVED or name.endswith((".part", ".part.from")):
        raise ValueError(f"{name} is a file of the catalogue's own")
    return name


Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$", max_length=200)]
FileName = Annotated[Name, AfterValidator(_no_file_of_ours)]
Named = Annotated[str, Field(pattern=r"\S", max_length=200)]
Checksum = Annotated[
    str, Field(pattern=r"^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}|adler32:[0-9a-f]{8})$")
]


class CatalogueFile(FrozenModel):
    """One file or set of an entry."""

    name: FileName
    """Below the data root and below every replica."""
    size: int | None = Field(None, gt=0)
    """Bytes, where they are known."""
    checksum: Checksum | None = None
    """``sha256:``, ``md5:`` or ``adler32:`` and hexadecimal digits, as it was published; absent
    where none was."""
    events: int | None = Field(None, ge=0)
    """Events in it, of collision data."""
    unpacked: int | None = Field(None, gt=0)
    """Bytes that an archive unpacks to, if that is far more than its size."""


class CatalogueEntry(FrozenModel):
    """A data set under a logical name."""

    title: str
    """What the data set is, in a few words."""
    replicas: tuple[str, ...] = ()
    """URLs of folders that hold all of the files."""
    files: Annotated[tuple[CatalogueFile, ...], Field(min_length=1)]
    """What belongs to it."""
    licence: str
    """Terms of use."""
    citation: str
    """How to cite it."""
    source: str
    """URL of the page that these facts are from."""
    access: Named = "open"
    """Who may read it: ``open`` for everybody, else the group that they belong to; see ``access``
    in the ``[policy]`` of a site."""
    embargo: date | None = None
    """The day from which on it may be read, in UTC; nobody's run reads it before."""
    residency: Annotated[tuple[Named, ...], Field(min_length=1)] | None = None
    """Sites, centres, countries or federations in which its bytes may be processed, as ``known_as``
    in the ``[policy]`` of a site has them."""
    fetched_in_tests: bool = False
    """Whether this project's tests have ever moved it."""
    note: str = ""
    """Anything else that its users should know."""

    @model_validator(mode="after")
    def _every_file_once(self) -> Self:
        names = [file.name for file in self.files]
        if len(set(names)) < len(names):
            raise ValueError("a file is listed twice")
        return self

    @property
    def size(self) -> int | None:
        """Bytes in all, if they are known of every file."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size)

    @property
    def events(self) -> int | None:
        """Events in all, if they are known of every file."""
        counts = [file.events for file in self.files]
        return None if None in counts else sum(count for count in counts if count)

    def row(self, name: str) -> dict[str, str | int]:
        """The entry for people, a line of a table."""
        return {
            "name": name,
            "what": self.title + ("" if self.fetched_in_tests else " - not fetched in our tests"),
            "files": len(self.files),
            "GB": f"{self.size / 1e9:.2f}" if self.size else "?",
            "events": f"{self.events:,}" if self.events else "",
            "licence": self.licence,
        }


class Catalogue(FrozenModel):
    """One ``catalogue.toml``: entries by their names."""

    entries: dict[Name, CatalogueEntry]
    """Data sets by their names."""
