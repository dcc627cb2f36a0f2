"""Look into one file before a run: how many events, where to cut, what is missing."""

from __future__ import annotations

from dataclasses import dataclass

from spectrum_workflows.hep import partition, runs
from spectrum_workflows.hep.columns import Wanted, refuse_missing
from spectrum_workflows.hep.read import EXPANSION, facts, nothing
from spectrum_workflows.hep.rootfile import opened
from spectrum_workflows.hep.types import Events


@dataclass(frozen=True)
class File:
    """A file nobody has looked into yet.

    Attributes
    ----------
    sample, url, tree : str
        Where it belongs and where it is.
    data : bool
        Data, not simulation.
    checksum : str
        As it was published, if it was.
    form : bool
        Whether the types of its columns are wanted: of one file, not of all.
    """

    sample: str
    url: str
    tree: str
    data: bool
    checksum: str = ""
    form: bool = False

    @property
    def size(self) -> int:
        """Files are counted here, not events."""
        return 1

    @property
    def source(self) -> str:
        """What must be opened."""
        return self.url

    @property
    def where(self) -> str:
        """The file in words."""
        return self.url


@dataclass(frozen=True)
class Looked:
    """What planning needs to know of a file; small, so that many can be kept.

    Attributes
    ----------
    url, uuid : str
        Where it is, and which content it has.
    nbytes, entries : int
        Size of the file, and events in it.
    cut : tuple of (start, stop)
        Entry ranges of its partitions.
    bytes_to_read : int
        Stored bytes of the columns, as often as they are read.
    memory : int
        Estimated bytes that the largest of its partitions takes.
    stand_ins : tuple of str
        Columns it does not have, and that another stands in for.
    form : str
        Types of the columns as awkward's JSON, if they were asked for.
    """

    url: str
    uuid: str
    nbytes: int
    entries: int
    cut: tuple[tuple[int, int], ...]
    bytes_to_read: int
    memory: int
    stand_ins: tuple[str, ...]
    form: str = ""

    def partitions(self, file: File) -> list[Events]:
        """The partitions of this file."""
        return [
            Events(
                file.sample,
                self.url,
                file.tree,
                *(start, stop, self.uuid, self.nbytes),
                entries=self.entries,
                stand_ins=self.stand_ins,
            )
            for start, stop in self.cut
        ]


def look(file: File, wanted: Wanted, max_events: int) -> tuple[Looked, ...]:
    """Open a file, read its structure and no events; runs on workers.

    The file stays open, so that the partitions this worker gets of it do not
    pay for that again.

    Returns
    -------
    tuple of Looked
        One, so that many can be added up.

    Raises
    ------
    DataNotFoundError, DataError
        The file is not there or damaged, or a branch or the sum of generator
        weights is missing.
    """
    have = opened(file.url, file.tree).tree.keys()
    stand_ins = wanted.stand_ins(have, data=file.data)
    names = wanted.read(stand_ins, data=file.data)
    columns = wanted.seen(data=file.data)
    refuse_missing(names, have, tree=file.tree, url=file.url, columns=columns)
    if wanted.generated and not file.data:
        runs.generated(file.url, file.tree)
    found = facts(file.url, file.tree, names)
    cut = partition.cuts(found.boundaries, max_events)
    largest = max((stop - start for start, stop in cut), default=0)
    form = nothing(file.url, file.tree, names).layout.form.to_json() if file.form else ""
    looked = Looked(
        file.url,
        found.uuid,
        found.nbytes,
        found.entries,
        tuple(cut),
        partition.bytes_read(found.baskets, cut),
        EXPANSION * found.uncompressed * largest // max(found.entries, 1),
        stand_ins,
        form,
    )
    return (looked,)
