"""Chunks of a Zarr set, and the blocks in which they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES = 16 << 20
"""Largest chunk of visibilities; most are at least half as large."""

BLOCK_BYTES = 32 << 20
"""Visibilities of one column that are in memory at a time."""

OUTPUT_CHANNELS = 8
"""Pieces the frequency axis is cut into unless the user says otherwise."""

VISIBILITY = 8
"""Bytes of a complex64."""


@dataclass(frozen=True)
class ZarrLayout:
    """Lengths of the axes time, baseline, frequency and polarization, and of the chunks.

    A chunk holds all baselines and polarizations of ``time_chunk`` times and
    ``chan_chunk`` channels.
    """

    shape: tuple[int, int, int, int]
    time_chunk: int
    chan_chunk: int

    @property
    def chunks(self) -> tuple[int, int, int, int]:
        """Lengths of a chunk along the four axes."""
        return self.time_chunk, self.shape[1], self.chan_chunk, self.shape[3]

    @property
    def visibilities(self) -> int:
        """Cells of time, baseline and frequency."""
        return self.shape[0] * self.shape[1] * self.shape[2]


@dataclass(frozen=True)
class Block:
    """Unit of reading and writing: one row of chunks, or a part of it."""

    time_start: int
    time_stop: int
    chan_start: int
    chan_stop: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of times and of channels."""
        return self.time_stop - self.time_start, self.chan_stop - self.chan_start


def layout(shape: tuple[int, int, int, int], output_channels: int) -> ZarrLayout:
    """Chunks of 8 to 16 MB, as far as the axes allow.

    Parameters
    ----------
    shape : tuple of int
        Times, baselines, channels, polarizations.
    output_channels : int
        Into how many pieces the frequency axis is cut, so that each is a
        chunk of its own; more where a single time would not fit.
    """
    ntime, nbaseline, nchan, npol = shape
    one = nbaseline * npol * VISIBILITY
    chan_chunk = -(-nchan // min(output_channels, nchan))
    chan_chunk = max(1, min(chan_chunk, CHUNK_BYTES // one))
    longest = max(1, CHUNK_BYTES // (one * chan_chunk))
    pieces = -(-ntime // longest)
    return ZarrLayout(shape, -(-ntime // pieces), chan_chunk)


def blocks(cut: ZarrLayout) -> Iterator[Block]:
    """All blocks, in time and then frequency order."""
    ntime, _, nchan, _ = cut.shape
    chunk = VISIBILITY * cut.time_chunk * cut.shape[1] * cut.chan_chunk * cut.shape[3]
    width = cut.chan_chunk * max(1, BLOCK_BYTES // chunk)
    for start in range(0, ntime, cut.time_chunk):
        for chan in range(0, nchan, width):
            yield Block(start, min(start + cut.time_chunk, ntime), chan, min(chan + width, nchan))


def chunk_keys(name: str, cut: ZarrLayout, block: Block, *, axes: int) -> set[str]:
    """Names of a variable's chunks in a block (Zarr v3, default key encoding).

    Parameters
    ----------
    name : str
        Path of the variable in its store.
    cut : ZarrLayout
    block : Block
    axes : int
        Number of the variable's axes; with 4, the third is frequency.
    """
    time = f"{name}/c/{block.time_start // cut.time_chunk}"
    if axes < 4:
        return {time + "/0" * (axes - 1)}
    first, last = block.chan_start // cut.chan_chunk, -(-block.chan_stop // cut.chan_chunk)
    return {f"{time}/0/{chan}/0" for chan in range(first, last)}
