"""A run's partitions, and what one partition becomes: observables and filled histograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.types.columns_out import ColumnFile
    from spectrum_workflows.hep.types.luminosity import Blocks
    from spectrum_workflows.hep.types.sums import Filling, Sums


@dataclass(frozen=True)
class Observable:
    """Values and weights of the events selected in one region.

    Attributes
    ----------
    values : ndarray, shape (n_selected,)
        One number per selected event.
    weights : ndarray, shape (n_selected,), optional
        Weight of each of them; 1 if left out.
    index : ndarray of int, shape (n_selected,), optional
        Which events they are, counted from 0 in what ``select`` was given;
        asked for by ``normalisation = "genweight"`` only.
    variations : mapping of str to Observable
        What the region holds under a systematic variation: other events and
        values (kinematic variations), or the same with other weights.
    """

    values: NDArray[Any]
    weights: NDArray[Any] | None = None
    index: NDArray[Any] | None = None
    variations: Mapping[str, Observable] = field(default_factory=dict)


@dataclass(frozen=True)
class Events:
    """A partition: a range of entries of one file, and which file exactly.

    Attributes
    ----------
    sample, url, tree : str
        Where the events belong and where they are.
    start, stop : int
        Entries ``start <= entry < stop``.
    uuid, nbytes
        Identity of the file when the run was planned; empty if it was not opened.
    entries : int, optional
        Entries of the whole file: no event is lost by a wrong number.
    fallbacks_used : tuple of str
        Columns and triggers that the file does not have, and need not have; of a
        file that was not opened, those of which all files of the sample have none.
    """

    sample: str
    url: str
    tree: str
    start: int
    stop: int
    uuid: str
    nbytes: int
    entries: int | None = None
    fallbacks_used: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of events."""
        return self.stop - self.start

    @property
    def source(self) -> str:
        """URL of the file that must be opened to read them."""
        return self.url

    @property
    def where(self) -> str:
        """File, tree and entry range in words."""
        return f"{self.url} ({self.tree} entries {self.start} to {self.stop})"

    def halves(self) -> tuple[Events, ...]:
        """Its first events and the others; none of a single one."""
        if self.size < 2:
            return ()
        middle = (self.start + self.stop) // 2
        return replace(self, stop=middle), replace(self, start=middle)


@dataclass(frozen=True)
class FileRead:
    """Account of one file: how much of it was processed, and its identity.

    Attributes
    ----------
    read, entries : int
        Events processed, and events in the file.
    sum_of_weights : float
        Of generator weights of all events that the file stands for, from its
        ``Runs`` tree; 0 where it is not asked for.
    content : str
        Identity of what was read.
    fallbacks_used : tuple of str
        Columns and triggers that it did not have.
    beginning : str
        Digest of its first events, whatever file they are in; empty where there
        are too few to tell.
    synthetic : bool
        Whether this package generated its events.
    blocks : Blocks or None
        Its luminosity blocks; None where they are not asked for.
    skimmed : int
        Events of partitions of which a skim was read, not the file.
    unchecked : str
        Why the conditions of a skim could not be compared with the selection, where they were to.
    """

    read: int
    entries: int
    sum_of_weights: float = 0.0
    content: str = ""
    fallbacks_used: tuple[str, ...] = ()
    beginning: str = ""
    synthetic: bool = False
    blocks: Blocks | None = field(default=None, compare=False)
    skimmed: int = field(default=0, compare=False)
    unchecked: str = field(default="", compare=False)

    def __add__(self, other: FileRead) -> FileRead:
        return FileRead(
            self.read + other.read,
            max(self.entries, other.entries),
            max(self.sum_of_weights, other.sum_of_weights),
            self.content or other.content,
            self.fallbacks_used or other.fallbacks_used,
            self.beginning or other.beginning,
            self.synthetic or other.synthetic,
            self.blocks + other.blocks if self.blocks and other.blocks else None,
            self.skimmed + other.skimmed,
            self.unchecked or other.unchecked,
        )


@dataclass(frozen=True)
class Filled:
    """Unnormalised histograms of some partitions.

    Attributes
    ----------
    histograms : mapping of (sample, histogram) to hist.Hist or ExactHistogram
        Sums of weights and of squared weights, with flow bins, and of profiles
        four sums, see `profiles.SUMS`; those of systematic variations are named
        ``histogram_variation``.  Numbers of events, or exact.
    selected : mapping of (sample, region) to int
        Events selected.
    events : mapping of sample to int
        Events processed.
    files : mapping of (sample, url) to FileRead
        What was read of each file.
    fates : mapping of (sample, region, variation) to ndarray or ExactSums, shape (n_cuts + 1, 2, 3)
        What became of events, where the spec combines cuts; see `combining.counts_of_fates`.
    written : tuple of ColumnFile
        Files of columns.
    left : mapping of (sample, row) to ndarray or ExactSums, shape (3,)
        Events that were left before the selection, where the spec counts them: their number, and
        their sums of generator weights and of squared weights.
    replicas : mapping of (sample, histogram) to ndarray or ExactSums, shape (…, n_replicas)
        Where the spec asks for them; see `bootstrap.filling.replicas_of`.
    lowest_keys : mapping of sample to ndarray of uint64
        Of its events, which show whether each has numbers of its own; see
        `bootstrap.keys.lowest_keys`.
    shared : mapping of (sample, region, region) to int
        Events that are in two regions of the fit.
    """

    histograms: Mapping[tuple[str, str], Filling]
    selected: Mapping[tuple[str, str], int]
    events: Mapping[str, int]
    files: Mapping[tuple[str, str], FileRead] = field(default_factory=dict)
    fates: Mapping[tuple[str, str, str], Sums] = field(default_factory=dict)
    written: tuple[ColumnFile, ...] = ()
    left: Mapping[tuple[str, str], Sums] = field(default_factory=dict)
    replicas: Mapping[tuple[str, str], Sums] = field(default_factory=dict)
    lowest_keys: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    shared: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
