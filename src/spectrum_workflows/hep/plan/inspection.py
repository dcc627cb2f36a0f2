"""Inspection of a file before a run: how many events, where to cut, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from spectrum_workflows import storage
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.io import runs
from spectrum_workflows.hep.io.clusters import EXPANSION, clusters
from spectrum_workflows.hep.io.read import read_no_events, refuse
from spectrum_workflows.hep.io.rootfile import OpenTree, open_tree
from spectrum_workflows.hep.normalisation import Generated, sum_of_weights
from spectrum_workflows.hep.plan import partition
from spectrum_workflows.hep.plan.files import InputFile
from spectrum_workflows.hep.types import Events


@dataclass(frozen=True)
class FileInfo:
    """All that planning knows of a file that was opened; small, so that many can be kept.

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
        The generated events that it stands for.
    opening : int
        Bytes that are read to open it and to look into it, besides ``record``.
    record : int
        Bytes of ``bytes_to_read`` that are read whenever it is opened.
    bounded : bool
        Whether ``bytes_to_read`` is an upper bound.
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
    opening: int = 0
    record: int = 0
    bounded: bool = False

    @property
    def content(self) -> str:
        """Identity of the content."""
        return f"{self.uuid} {self.nbytes}"

    def partitions(self, file: InputFile) -> list[Events]:
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


def inspect(
    file: InputFile, columns: Mapping[str, RequestedColumns], max_events: int
) -> tuple[tuple[InputFile, FileInfo], ...]:
    """Open a file, read its structure and no events; runs on workers.

    The file stays open, so that the partitions this worker gets of it do not
    pay for that again.

    Parameters
    ----------
    file : InputFile
    columns : mapping of str to RequestedColumns
        What is read of the files of every sample.
    max_events : int
        Of a partition.

    Returns
    -------
    tuple of (InputFile, FileInfo)
        One, so that many can be added up.

    Raises
    ------
    DataNotFoundError, DataError
        The file is not there or damaged, or a branch or the sum of generator
        weights is missing.
    """
    requested = columns[file.sample]
    tree = open_tree(file.url, file.tree, requested.format)
    with storage.metering() as looking:
        info = _looked_into(file, tree, requested, max_events)
    opening = tree.opening + looking.bytes_read - info.record
    return ((file, replace(info, opening=max(0, opening))),)


def _looked_into(
    file: InputFile, tree: OpenTree, requested: RequestedColumns, max_events: int
) -> FileInfo:
    """What there is in a file, but for what it costs to open it."""
    generated = _generated(tree, requested)
    empty = FileInfo(file.url, tree.uuid, tree.nbytes, 0, (), 0, 0, (), generated=generated)
    if not tree.entries:  # such files have been seen without any branch
        return empty
    fallbacks_used = requested.fallbacks_used(tree.names)
    names = requested.read(fallbacks_used)
    refuse(tree, (*names, *requested.besides), requested=requested)
    stored = clusters(tree, names)
    cut = partition.cuts(stored.boundaries, max_events)
    largest = max(stop - start for start, stop in cut)
    return replace(
        empty,
        entries=tree.entries,
        cut=tuple(cut),
        bytes_to_read=partition.bytes_read(stored.baskets, cut),
        memory=EXPANSION * stored.uncompressed * largest // tree.entries,
        fallbacks_used=fallbacks_used,
        form=read_no_events(tree, names).layout.form.to_json() if file.typed else "",
        record=stored.record,
        bounded=tree.is_ntuple,
    )


def _generated(tree: OpenTree, requested: RequestedColumns) -> Generated:
    """The generated events that a file stands for, if its sample is normalised."""
    if not requested.normalisation:
        return Generated()
    generated = runs.read_generated(tree)
    if requested.generator_weighted:
        sum_of_weights(generated, tree.url, entries=tree.entries)
    elif generated.equal is not True:
        share, mean = runs.first_weights(tree) or (None, None)
        return replace(generated, negative=share, mean=mean)
    return generated
