"""ElementLinks: items of another container, by its persistent key and the position in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

NOWHERE = 0
"""Key of a link that leads nowhere."""


class NoItemError(ValueError):
    """A link leads where nothing is."""


@dataclass(frozen=True)
class Links:
    """One link for each event, or for each item of every event.

    Attributes
    ----------
    keys, positions : ndarray of int64, shape (n_links,)
        Container, and place in it.
    offsets : ndarray of int64, shape (n_events + 1,), optional
        Where the links of every event begin; one link for each event if left out.
    """

    keys: NDArray[np.int64]
    positions: NDArray[np.int64]
    offsets: NDArray[np.int64] | None

    def found(self, container: int | None) -> NDArray[np.bool_]:
        """Which links lead somewhere; shape (n_links,).

        Raises
        ------
        NoItemError
            They lead to several containers, of which none is chosen.
        """
        if container is not None:
            return np.equal(self.keys, container)
        somewhere = np.not_equal(self.keys, NOWHERE)
        containers = np.unique(self.keys[somewhere])
        if len(containers) > 1:
            keys = ", ".join(map(str, containers))
            raise NoItemError(f"its links lead to several containers ({keys}); choose container")
        return somewhere

    def column(self, content: NDArray[Any]) -> ak.Array:
        """One number for each link."""
        flat = ak.contents.NumpyArray(content)
        if self.offsets is None:
            return ak.Array(flat)
        return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(self.offsets), flat))


def links(keys: ak.Array, positions: ak.Array) -> Links:
    """Links of events or items; of a list of links for each item, the first.

    Parameters
    ----------
    keys, positions : ak.Array, shape (n_events,), (n_events, var) or (n_events, var, var)

    Raises
    ------
    NoItemError
        There is not a position for every key.
    """
    flat, depth = [], keys.ndim
    offsets = None
    for member in (keys, positions):
        first = ak.fill_none(ak.firsts(member, axis=2), NOWHERE) if depth == 3 else member
        layout: Any = ak.to_layout(ak.to_packed(first))
        if layout.is_list:
            layout = layout.to_ListOffsetArray64(True)
            offsets, layout = np.asarray(layout.offsets), layout.content
        flat.append(np.asarray(ak.to_numpy(layout), np.int64))
    if len(flat[0]) != len(flat[1]):
        raise NoItemError(f"{len(flat[0])} links have {len(flat[1])} positions")
    return Links(flat[0], flat[1], offsets)


def followed(to: Links, target: ak.Array, container: int | None, missing: Any) -> ak.Array:
    """The items that links lead to.

    Parameters
    ----------
    to : Links
    target : ak.Array, shape (n_events, var)
        A column of the container.
    container : int, optional
        Its key, where links lead to several.
    missing
        Value where a link leads nowhere.

    Returns
    -------
    ak.Array, shape of the links

    Raises
    ------
    NoItemError
        A link leads to where the container has nothing; or nowhere, and nothing stands in.
    """
    somewhere = to.found(container)
    layout: Any = ak.to_layout(target)
    layout = layout.to_ListOffsetArray64(True)
    begins = np.asarray(layout.offsets)
    content = np.asarray(ak.to_numpy(layout.content))
    events = np.arange(len(begins) - 1)
    event = events if to.offsets is None else np.repeat(events, np.diff(to.offsets))
    position = to.positions
    beyond = somewhere & ((position < 0) | (position >= np.diff(begins)[event]))
    if beyond.any():
        first = int(event[np.argmax(beyond)])
        items = int(begins[first + 1] - begins[first])
        which = f"item {int(position[np.argmax(beyond)])} of {items}"
        raise NoItemError(f"a link leads to {which} (event {first} of those read)")
    if missing is None and not somewhere.all():
        lost = int(np.count_nonzero(~somewhere))
        raise NoItemError(f"{lost} links lead nowhere; say in missing what stands there")
    at = np.where(somewhere, begins[event] + position, 0)
    if somewhere.any():
        values = content[at]
        values[~somewhere] = 0 if missing is None else missing
    else:
        values = np.full(len(at), 0 if missing is None else missing, content.dtype)
    return to.column(values)


def positions(to: Links, container: int | None) -> ak.Array:
    """Position that every link leads to, -1 where it leads nowhere; int32, shape of the links."""
    return to.column(np.where(to.found(container), to.positions, -1).astype(np.int32))
