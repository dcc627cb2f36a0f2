"""Awkward lists as the flat arrays an event loop wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import DTypeLike, NDArray

from spectrum_workflows.errors import DataError


def flat(events: ak.Array, columns: Mapping[str, DTypeLike]) -> list[NDArray[Any]]:
    """Offsets of a collection, then its columns as flat arrays.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        Records with one list per event and column, such as ``events.Jet_pt``.
    columns : mapping of str to dtype
        Columns of one collection, in the order wanted; a column that has its
        type already is not copied.

    Returns
    -------
    list of ndarray
        First the offsets, shape (n_events + 1,), int64: items of event i are
        at ``offsets[i]:offsets[i + 1]``; then one array per column, shape
        (n_items,).

    Raises
    ------
    DataError
        The lists of two columns differ in length: the file is damaged, or
        the columns belong to different collections.
    """
    first, *rest = layouts = [_list_layout(events[name]) for name in columns]
    offsets = np.asarray(first.offsets.data)
    for name, layout in zip(list(columns)[1:], rest, strict=True):
        others = np.asarray(layout.offsets.data)
        shared = others.ctypes.data == offsets.ctypes.data and len(others) == len(offsets)
        if not shared and not np.array_equal(offsets, others):
            raise DataError(
                f"lists of {next(iter(columns))} and {name} differ in length",
                remedy="copy the file again, or check which collection they belong to",
            )
    items = [ak.to_numpy(layout.content)[: offsets[-1]] for layout in layouts]
    types = columns.values()
    return [offsets, *(a.astype(t, copy=False) for a, t in zip(items, types, strict=True))]


def chosen_offsets(offsets: NDArray[np.int64], items: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Offsets of the lists that are left of some items; shape (n_events + 1,).

    Parameters
    ----------
    offsets : ndarray, shape (n_events + 1,)
        Of all items.
    items : ndarray of bool, shape (n_items,)
        Those that are left.
    """
    before = np.zeros(len(items) + 1, np.int64)
    np.cumsum(items, out=before[1:])
    return before[offsets]


def _list_layout(lists: ak.Array) -> ak.contents.ListOffsetArray:
    layout = ak.to_layout(lists)
    if not isinstance(layout, ak.contents.ListOffsetArray):
        layout = ak.to_packed(layout, highlevel=False)
    plain = layout.offsets.dtype == np.int64 and layout.offsets.data[0] == 0
    return layout if plain else layout.to_ListOffsetArray64(True)
