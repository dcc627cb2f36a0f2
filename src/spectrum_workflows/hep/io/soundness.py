"""Checks of columns that were read, whatever is in the file: no list ends before it begins.

Where a format has checksums, damage is found by them.  Baskets that are compressed with
ZSTD or not at all have none: these checks keep what is damaged there from ending the
process, or from being taken for lists of other lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError

_REMEDY = "copy the file again"


def check(columns: Mapping[str, ak.Array], counted_by: Mapping[str, str], where: str) -> None:
    """Refuse columns that no undamaged file can hold.

    Parameters
    ----------
    columns : mapping of name to ak.Array, shape (n_events,)
        As they were read.
    counted_by : mapping of name to name
        For columns of lists, what counts their items; columns with the same counter
        have lists of the same lengths.
    where : str
        File and entries.

    Raises
    ------
    DataError
        Naming the column.
    """
    first: dict[str, tuple[str, NDArray[np.int64]]] = {}
    for name, column in columns.items():
        fault = ak.validity_error(column) or _impossible(column)
        if fault:
            raise DataError(f"damaged: {name} {_short(fault)}", where, _REMEDY)
    for name, counter in counted_by.items():
        counts = _counts(columns[name])
        if counts is None:
            continue
        other, expected = first.setdefault(counter, (name, counts))
        if counter in columns and counter not in (name, other):
            given = np.asarray(columns[counter])
            if given.ndim == 1 and given.dtype.kind in "iu":
                other, expected = counter, given.astype(np.int64)
        if expected is not counts and not np.array_equal(expected, counts):
            message = f"damaged: {name} and {other} do not have the same number of items"
            raise DataError(message, where, _REMEDY)


def _counts(column: ak.Array) -> NDArray[np.int64] | None:
    """Items per event of a column of lists."""
    layout = column.layout
    if isinstance(layout, ak.contents.ListOffsetArray):
        counts: NDArray[np.int64] = np.diff(np.asarray(layout.offsets)).astype(np.int64)
        return counts
    return None


def _impossible(column: ak.Array) -> str:
    """Fault of a column of bits: a value that is neither true nor false."""
    layout: Any = column.layout
    while isinstance(layout, ak.contents.ListOffsetArray | ak.contents.ListArray):
        layout = layout.content
    if isinstance(layout, ak.contents.NumpyArray) and layout.dtype == np.bool_:
        bits = np.ascontiguousarray(np.asarray(layout.data)).view(np.uint8)
        if bits.size and bits.max() > 1:
            return "holds what is neither true nor false"
    return ""


def _short(fault: str) -> str:
    return fault if fault.startswith("holds") else "has lists that end before they begin"
