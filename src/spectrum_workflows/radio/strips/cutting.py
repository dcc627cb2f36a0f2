"""Visibilities cut into strips, packed for the way, and put together again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.compiled import compiled
from spectrum_workflows.radio.strips.types import StripData
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Visibilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.strips.types import StripLayout

UNUSABLE = -1


def within_layout(data: Visibilities, layout: StripLayout) -> bool:
    """Whether the layout was made for a coverage that these visibilities lie in."""
    scale = float(data.frequency.max(initial=0.0)) / SPEED_OF_LIGHT
    return bool(np.all(np.abs(data.uvw).max(axis=0, initial=0.0) * scale <= layout.limits))


def cut(data: Visibilities, layout: StripLayout) -> tuple[StripData, ...]:
    """Each usable visibility in exactly one strip.

    Parameters
    ----------
    data : Visibilities
        With imaging weights.
    layout : StripLayout
        Made for all of them, see `within_layout`.
    """
    scale = data.frequency / SPEED_OF_LIGHT
    edges = np.array([strip.u_start for strip in layout.strips[1:]])
    owner = np.empty(data.weight.shape, np.int16)
    _assign(np.abs(data.uvw[:, 0]), scale, data.weight, edges, owner)
    parts = (_packed(data, owner, number) for number in range(len(layout.strips)))
    first, *others = parts
    return (replace(first, unflagged=data.unflagged, outside=data.outside), *others)


def joined(parts: Sequence[StripData]) -> StripData:
    """The pieces of one strip, in order, on the channels of all of them.

    Windows keep lists of frequencies of their own, which may overlap.  Pieces of other channels
    of one window share a list where they follow one another.

    Parameters
    ----------
    parts : sequence of StripData
        As they are cut: of one list each.
    """
    lists = _lists(parts)
    starts = np.cumsum([0, *(len(each.frequency) for each in lists)])
    place = {
        (each.window, piece): int(start) + offset
        for each, start in zip(lists, starts, strict=False)
        for piece, offset in each.pieces
    }
    shifted = [
        part.channels + np.int32(place[part.windows[0], part.frequency.tobytes()]) for part in parts
    ]
    return StripData(
        uvw=np.concatenate([part.uvw for part in parts]),
        frequency=np.concatenate([each.frequency for each in lists]),
        channels=np.concatenate(shifted),
        visibility=np.concatenate([part.visibility for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        unflagged=sum(part.unflagged for part in parts),
        starts=tuple(starts[:-1].tolist()),
        windows=tuple(each.window for each in lists),
        outside=sum(part.outside for part in parts),
    )


@dataclass(frozen=True)
class _List:
    """Rising frequencies (Hz) of one window.

    ``pieces`` are those that it was joined from, as bytes, and the place of each in it.
    """

    window: int
    frequency: NDArray[np.float64]
    pieces: tuple[tuple[bytes, int], ...]


def _lists(parts: Sequence[StripData]) -> list[_List]:
    """The lists of frequencies of all parts, windows in the order in which they come."""
    of_window: dict[int, dict[bytes, NDArray[np.float64]]] = {}
    for part in parts:
        of_window.setdefault(part.windows[0], {})[part.frequency.tobytes()] = part.frequency
    lists: list[_List] = []
    for window, own in of_window.items():
        for name, frequency in sorted(own.items(), key=lambda item: float(item[1][0])):
            last = lists[-1] if lists else None
            if last is not None and last.window == window and last.frequency[-1] < frequency[0]:
                pieces = (*last.pieces, (name, len(last.frequency)))
                lists[-1] = _List(window, np.append(last.frequency, frequency), pieces)
            else:
                lists.append(_List(window, frequency, ((name, 0),)))
    return lists


def unpacked(data: StripData) -> tuple[Visibilities, ...]:
    """The strip's visibilities as the gridder wants them, with weight 0 in the gaps.

    Those of every list of frequencies are a rectangle of rows and channels; channels that no row
    has are left out.
    """
    if len(data.starts) == 1:
        return (_unpacked(data, data.channels, 0),)
    length = data.channels[:, 1] - data.channels[:, 0]
    ends = np.cumsum(length)
    number = np.searchsorted(data.starts, data.channels[:, 0], side="right") - 1
    wholes = []
    for which, window in enumerate(data.windows):
        of_list = np.flatnonzero(number == which)
        rows: slice | NDArray[np.int64] = of_list
        kept: slice | NDArray[np.bool_] = np.repeat(number == which, length)
        if len(of_list) and of_list[-1] - of_list[0] + 1 == len(of_list):  # as a rule: no copy
            rows = slice(int(of_list[0]), int(of_list[-1]) + 1)
            kept = slice(int(ends[of_list[0]] - length[of_list[0]]), int(ends[of_list[-1]]))
        values, weights = data.visibility[kept], data.weight[kept]
        own = replace(data, uvw=data.uvw[rows], visibility=values, weight=weights)
        wholes.append(_unpacked(own, data.channels[rows], window))
    return tuple(wholes)


def _unpacked(data: StripData, channels: NDArray[np.int32], window: int) -> Visibilities:
    """Rows of one list of frequencies as a rectangle."""
    first = int(channels[:, 0].min(initial=len(data.frequency)))
    last = max(int(channels[:, 1].max(initial=0)), first)
    shape = (len(data.uvw), last - first)
    visibility, weight = np.zeros(shape, np.complex64), np.zeros(shape, np.float32)
    _unpack(channels - np.int32(first), (data.visibility, data.weight), visibility, weight)
    frequency = data.frequency[first:last]
    return Visibilities(data.uvw, frequency, visibility, weight, data.unflagged, window=window)


def _packed(data: Visibilities, owner: NDArray[np.int16], number: int) -> StripData:
    own = owner == number
    rows = np.flatnonzero(own.any(axis=1))
    own = own[rows]
    nchan = own.shape[1]
    first, last = np.argmax(own, axis=1), nchan - np.argmax(own[:, ::-1], axis=1)
    channels = np.stack([first, last], axis=1).astype(np.int32)
    size = int((last - first).sum())
    visibility, weight = np.empty(size, np.complex64), np.empty(size, np.float32)
    _pack(rows, channels, own, (data.visibility, data.weight), (visibility, weight))
    return StripData(
        uvw=data.uvw[rows],
        frequency=data.frequency,
        channels=channels,
        visibility=visibility,
        weight=weight,
        unflagged=0,
        windows=(data.window,),
    )


@compiled()
def _assign(
    u: NDArray[np.float64],
    scale: NDArray[np.float64],
    weight: NDArray[np.float32],
    edges: NDArray[np.float64],
    owner: NDArray[np.int16],
) -> None:
    for row in range(u.shape[0]):
        n = 0
        for chan in range(scale.shape[0]):
            distance = u[row] * scale[chan]
            while n < edges.shape[0] and distance >= edges[n]:
                n += 1
            while n > 0 and distance < edges[n - 1]:
                n -= 1
            owner[row, chan] = n if weight[row, chan] > 0 else UNUSABLE


@compiled()
def _pack(
    rows: NDArray[np.int64],
    channels: NDArray[np.int32],
    own: NDArray[np.bool_],
    source: tuple[NDArray[np.complex64], NDArray[np.float32]],
    target: tuple[NDArray[np.complex64], NDArray[np.float32]],
) -> None:
    (vis, weight), (packed, packed_weight) = source, target
    n = 0
    for k in range(rows.shape[0]):
        for chan in range(channels[k, 0], channels[k, 1]):
            packed[n] = vis[rows[k], chan] if own[k, chan] else 0
            packed_weight[n] = weight[rows[k], chan] if own[k, chan] else 0
            n += 1


@compiled()
def _unpack(
    channels: NDArray[np.int32],
    source: tuple[NDArray[np.complex64], NDArray[np.float32]],
    vis: NDArray[np.complex64],
    weight: NDArray[np.float32],
) -> None:
    packed, packed_weight = source
    n = 0
    for row in range(channels.shape[0]):
        for chan in range(channels[row, 0], channels[row, 1]):
            vis[row, chan], weight[row, chan] = packed[n], packed_weight[n]
            n += 1
