"""Visibilities cut into strips, packed for the way, and put together again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

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
    return tuple(
        _packed(data, owner, number, data.unflagged if number == 0 else 0)
        for number in range(len(layout.strips))
    )


def joined(parts: Sequence[StripData]) -> StripData:
    """The pieces of one strip, in order, on the channels of all of them."""
    frequency = np.unique(np.concatenate([part.frequency for part in parts]))
    shifted = [
        part.channels + np.int32(np.searchsorted(frequency, part.frequency[:1]).sum())
        for part in parts
    ]
    return StripData(
        uvw=np.concatenate([part.uvw for part in parts]),
        frequency=frequency,
        channels=np.concatenate(shifted),
        visibility=np.concatenate([part.visibility for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        unflagged=sum(part.unflagged for part in parts),
    )


def unpacked(data: StripData) -> Visibilities:
    """The strip's visibilities as the gridder wants them, with weight 0 in the gaps.

    Channels that no row of the strip has are left out.
    """
    first = int(data.channels[:, 0].min(initial=len(data.frequency)))
    last = max(int(data.channels[:, 1].max(initial=0)), first)
    shape = (len(data.uvw), last - first)
    visibility, weight = np.zeros(shape, np.complex64), np.zeros(shape, np.float32)
    _unpack(data.channels - np.int32(first), (data.visibility, data.weight), visibility, weight)
    return Visibilities(data.uvw, data.frequency[first:last], visibility, weight, data.unflagged)


def _packed(data: Visibilities, owner: NDArray[np.int16], number: int, unflagged: int) -> StripData:
    own = owner == number
    rows = np.flatnonzero(own.any(axis=1))
    own = own[rows]
    nchan = own.shape[1]
    first, last = np.argmax(own, axis=1), nchan - np.argmax(own[:, ::-1], axis=1)
    channels = np.stack([first, last], axis=1).astype(np.int32)
    size = int((last - first).sum())
    visibility, weight = np.empty(size, np.complex64), np.empty(size, np.float32)
    _pack(rows, channels, own, (data.visibility, data.weight), (visibility, weight))
    return StripData(data.uvw[rows], data.frequency, channels, visibility, weight, unflagged)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
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


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
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


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
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
