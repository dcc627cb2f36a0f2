"""Look into one file before a run: how many events, where to cut, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from spectrum_workflows.hep.columns import RequestedColumns, refuse_missing
from spectrum_workflows.hep.io import runs
from spectrum_workflows.hep.io.read import EXPANSION, facts, nothing
from spectrum_workflows.hep.io.rootfile import opened
from spectrum_workflows.hep.normalisation import Generated, sum_of_weights
from spectrum_workflows.hep.plan import partition
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
    form: bool = field(default=False, compare=False)

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
class FileInfo:
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
    fallbacks_used : tuple of str
        Columns and triggers that it does not have, and need not have.
    form : str
        Types of the columns as awkward's JSON, if they were asked for.
    generated : Generated
        What it says of the events it stands for.
    """

    url: str
    uuid: str
    nbytes: int
    entries: int
    cut: tuple[tuple[int, int], ...]
    bytes_to_read: int
    memory: int
    fallbacks_used: tuple[str, ...]
    form: str = ""
    generated: Generated = field(default_factory=Generated)

    @property
    def content(self) -> str:
        """Identity of the content."""
        return f"{self.uuid} {self.nbytes}"

    def partitions(self, file: File) -> list[Events]:
        """The partitions of this file; one without events if it has none."""
        return [
            Events(
                file.sample,
                self.url,
                file.tree,
                *(start, stop, self.uuid, self.nbytes),
                entries=self.entries,
                fallbacks_used=self.fallbacks_used,
            )
            for start, stop in self.cut or [(0, 0)]
        ]


def look(
    file: File, wanted: Mapping[str, RequestedColumns], max_events: int
) -> tuple[tuple[File, FileInfo], ...]:
    """Open a file, read its structure and no events; runs on workers.

    The file stays open, so that the partitions this worker gets of it do not
    pay for that again.

    Parameters
    ----------
    file : File
    wanted : mapping of str to RequestedColumns
        What is read of the files of every sample.
    max_events : int
        Of a partition.

    Returns
    -------
    tuple of (File, FileInfo)
        One, so that many can be added up.

    Raises
    ------
    DataNotFoundError, DataError
        The file is not there or damaged, or a branch or the sum of generator
        weights is missing.
    """
    asked = wanted[file.sample]
    tree = opened(file.url, file.tree)
    generated = _generated(file, asked, int(tree.tree.num_entries))
    if not tree.tree.num_entries:  # such files have been seen without any branch
        return ((file, FileInfo(file.url, tree.uuid, tree.nbytes, 0, (), 0, 0, (), "", generated)),)
    fallbacks_used = asked.fallbacks_used(tree.names)
    names = asked.read(fallbacks_used)
    refuse_missing(names, tree.names, tree=file.tree, url=file.url, wanted=asked)
    found = facts(file.url, file.tree, names)
    cut = partition.cuts(found.boundaries, max_events)
    largest = max((stop - start for start, stop in cut), default=0)
    form = nothing(file.url, file.tree, names).layout.form.to_json() if file.form else ""
    looked = FileInfo(
        file.url,
        found.uuid,
        found.nbytes,
        found.entries,
        tuple(cut),
        partition.bytes_read(found.baskets, cut),
        EXPANSION * found.uncompressed * largest // max(found.entries, 1),
        fallbacks_used,
        form,
        generated,
    )
    return ((file, looked),)


def _generated(file: File, wanted: RequestedColumns, entries: int) -> Generated:
    """What a file says of the events it stands for, if that matters."""
    if not wanted.normalisation:
        return Generated()
    found = runs.generated(file.url, file.tree)
    if wanted.generated:
        sum_of_weights(found, file.url, entries=entries)
    elif found.equal is not True:
        share, mean = runs.first_weights(file.url, file.tree) or (None, None)
        return replace(found, negative=share, mean=mean)
    return found
