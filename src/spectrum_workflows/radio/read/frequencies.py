"""The channels of a set: whether they lie somewhere, and their order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Visibilities

PLAUSIBLE = (1e5, 1e15)
"""Between these frequencies, Hz, interferometers observe."""

HIGHEST = 1e20
"""Above this, Hz, a number is no frequency of light that anybody has seen interfere."""

LISTED = 3
"""Channels that a message names."""


def check_frequencies(frequency: NDArray[np.float64], of: str, url: str) -> tuple[str, ...]:
    """Refuse channels without a frequency; say what is odd about the others.

    Parameters
    ----------
    frequency : ndarray of float64, shape (nchan,)
        Hz.
    of : str
        The spectral window in words.
    url : str
        The data set, for the error.

    Returns
    -------
    tuple of str
        What a user should know.

    Raises
    ------
    DataError
        Naming the channels.
    """
    if frequency.ndim != 1 or not len(frequency):
        raise DataError(f"{of} has no channels", url, "choose another data_description")
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~((frequency > 0) & (frequency < HIGHEST)))
    if len(bad):
        value = f"CHAN_FREQ {frequency[bad[0]]:g}"
        message = (
            f"{_listed(bad)} of {of} {'has' if len(bad) == 1 else 'have'} no frequency ({value})"
        )
        raise DataError(message, url, "set it, or leave the channel out of the set")
    order = np.argsort(frequency, kind="stable")
    notes = []
    step = np.diff(frequency)
    if (same := np.flatnonzero(np.diff(frequency[order]) == 0)).size:
        pair = sorted(order[same[0] : same[0] + 2].tolist())
        notes.append(f"channels {pair[0]} and {pair[1]} of {of} have the same frequency")
    elif not ((step > 0).all() or (step < 0).all()):
        rises = step[0] > 0
        first = int(np.flatnonzero((step > 0) != rises)[0]) + 1
        notes.append(f"the channels of {of} are in no order of frequency: see channel {first}")
    low, high = PLAUSIBLE
    if frequency.min() < low or frequency.max() > high:
        channel = int(np.argmin(frequency) if frequency.min() < low else np.argmax(frequency))
        message = f"channel {channel} of {of} is at {frequency[channel]:g} Hz: is that right?"
        notes.append(message)
    return tuple(notes)


def _listed(channels: NDArray[np.int64]) -> str:
    """Some numbers of channels, for a message."""
    if len(channels) == 1:
        return f"channel {channels[0]}"
    more = f" and {len(channels) - LISTED} more" if len(channels) > LISTED else ""
    return f"channels {', '.join(str(n) for n in channels[:LISTED])}{more}"


def rising(data: Visibilities) -> Visibilities:
    """Channels in order of rising frequency, as the gridder wants them."""
    order = np.argsort(data.frequency, kind="stable")
    if np.array_equal(order, np.arange(len(order))):
        return data
    return replace(
        data,
        frequency=data.frequency[order],
        visibility=np.ascontiguousarray(data.visibility[:, order]),
        weight=np.ascontiguousarray(data.weight[:, order]),
    )
