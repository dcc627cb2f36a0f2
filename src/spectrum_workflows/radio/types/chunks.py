"""The pieces of a data set that are read and imaged: small frozen values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from spectrum_workflows.radio.types.selection import EVERYTHING, Selection


@dataclass(frozen=True)
class Chunk:
    """A range of time steps × a range of channels of one window of a data set.

    Attributes
    ----------
    url, column : str
        The data set and the column of it that is imaged.
    field, data_description : int
        Rows of the FIELD and DATA_DESCRIPTION subtables.
    time_start, time_stop : int
        Half-open range among the window's times.
    chan_start, chan_stop : int
        Half-open range of channels.
    size : int
        Number of visibilities: cross-correlation rows × channels; 0 where it is not known, as
        of the halves of a chunk.
    planes : tuple of int
        Numbers of the planes that it feeds.
    selection : Selection
        Rows, hands and uv range that were chosen.
    """

    url: str
    column: str
    field: int
    data_description: int
    time_start: int
    time_stop: int
    chan_start: int
    chan_stop: int
    size: int
    planes: tuple[int, ...] = (0,)
    selection: Selection = EVERYTHING

    @property
    def where(self) -> str:
        """The chunk in words."""
        return f"{self.url} ({self.where_in_set})"

    @property
    def where_in_set(self) -> str:
        """The same without the set."""
        times = f"times {self.time_start}:{self.time_stop}"
        channels = f"channels {self.chan_start}:{self.chan_stop}"
        part = f"field {self.field}, data description {self.data_description}"
        return f"{part}, {times}, {channels}"

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """Itself, as a group of one."""
        return (self,)

    def halves(self) -> tuple[Chunk, ...]:
        """Its first times and the others; of a single time its channels; none of one of them."""
        for axis in ("time", "chan"):
            start, stop = getattr(self, f"{axis}_start"), getattr(self, f"{axis}_stop")
            if stop - start > 1:
                return self._cut(axis, start, (start + stop) // 2, stop)
        return ()

    def _cut(self, axis: str, start: int, middle: int, stop: int) -> tuple[Chunk, Chunk]:
        """Both sides of a time or channel; how many rows each has is not known here."""
        first: dict[str, Any] = {f"{axis}_start": start, f"{axis}_stop": middle, "size": 0}
        second: dict[str, Any] = {f"{axis}_start": middle, f"{axis}_stop": stop, "size": 0}
        return replace(self, **first), replace(self, **second)

    def is_of(self, count: int) -> bool:
        """Whether there may be so many visibilities in it: those that were planned, if known."""
        return self.size in (0, count)


@dataclass(frozen=True)
class ChunkGroup:
    """A partition of several chunks, which are gridded together: small ones of several windows.

    Attributes
    ----------
    chunks : tuple of Chunk
        Two or more of one field, which feed the same planes.
    """

    chunks: tuple[Chunk, ...]

    @property
    def size(self) -> int:
        """Number of visibilities of all of them."""
        return sum(chunk.size for chunk in self.chunks)

    @property
    def url(self) -> str:
        """The data set."""
        return self.chunks[0].url

    @property
    def field(self) -> int:
        """Row of the FIELD subtable."""
        return self.chunks[0].field

    @property
    def planes(self) -> tuple[int, ...]:
        """Numbers of the planes that each of them feeds."""
        return self.chunks[0].planes

    @property
    def where(self) -> str:
        """The group in words."""
        first, *others = self.chunks
        return f"{first.where} and {len(others)} more, to {others[-1].where_in_set}"

    def halves(self) -> tuple[Chunk | ChunkGroup, ...]:
        """The first half of its chunks and the others."""
        middle = len(self.chunks) // 2
        return tuple(map(grouped, (self.chunks[:middle], self.chunks[middle:])))


ImagingPartition: TypeAlias = Chunk | ChunkGroup
"""What a worker images at a time: its ``chunks`` are one or several."""


def grouped(chunks: tuple[Chunk, ...]) -> ImagingPartition:
    """One partition of some chunks."""
    return chunks[0] if len(chunks) == 1 else ChunkGroup(chunks)
