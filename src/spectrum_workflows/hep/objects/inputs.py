"""Columns of events as flat arrays, and the inputs of corrections made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from spectrum_workflows.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.objects.declared import Source

Lists = ak.contents.ListOffsetArray


@dataclass(frozen=True)
class _Taken:
    """Lists of some events: where they were, where they are now, and which items they hold."""

    before: NDArray[np.int64]
    offsets: ak.index.Index64
    items: NDArray[np.int64]


def packed(events: ak.Array) -> ak.Array:
    """The same events in memory without gaps; columns of one collection share their offsets."""
    layout = ak.to_layout(events)
    if isinstance(layout, ak.contents.IndexedArray) and layout.content.is_record:
        taken = _chosen(layout.content, np.asarray(layout.index.data))
        record = ak.to_packed(taken, highlevel=False)
    else:
        record = ak.to_packed(events, highlevel=False)
    known: list[Any] = []
    contents = []
    for layout in record.contents:
        if not layout.is_list:
            contents.append(layout)
            continue
        lists = layout.to_ListOffsetArray64(True)
        same = (o for o in known if np.array_equal(o.data, lists.offsets.data))
        offsets = next(same, lists.offsets)
        if offsets is lists.offsets:
            known.append(offsets)
        contents.append(Lists(offsets, lists.content, parameters=lists.parameters))
    return ak.Array(ak.contents.RecordArray(contents, record.fields, length=len(events)))


def _chosen(record: Any, rows: NDArray[np.int64]) -> Any:
    """Some rows of a record; columns of one collection are gathered with the same positions."""
    known: list[_Taken] = []
    contents = []
    for layout in record.contents:
        if not (isinstance(layout, Lists) and layout.content.is_numpy):
            contents.append(layout[rows])
            continue
        before = layout.offsets.data
        same = (k for k in known if k.before is before or np.array_equal(k.before, before))
        taken = next(same, None)
        if taken is None:
            taken = _taken(before, rows)
            known.append(taken)
        content = layout.content
        values = ak.contents.NumpyArray(content.data[taken.items], parameters=content.parameters)
        contents.append(Lists(taken.offsets, values, parameters=layout.parameters))
    return ak.contents.RecordArray(contents, record.fields, length=len(rows))


def _taken(before: NDArray[Any], rows: NDArray[np.int64]) -> _Taken:
    starts = before[rows].astype(np.int64)
    counts = before[rows + 1] - starts
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    items = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
    return _Taken(before, ak.index.Index64(offsets), items)


def with_columns(events: ak.Array, changed: Mapping[str, NDArray[Any]]) -> ak.Array:
    """Packed events with flat arrays in place of what some of their columns hold."""
    record = ak.to_layout(events)
    contents = list(record.contents)
    for name, values in changed.items():
        at = record.field_to_index(name)
        flat = ak.contents.NumpyArray(values)
        lists = contents[at] if contents[at].is_list else None
        contents[at] = flat if lists is None else Lists(lists.offsets, flat)
    return ak.Array(ak.contents.RecordArray(contents, record.fields, length=record.length))


def offsets_of(events: ak.Array, column: str) -> NDArray[np.int64]:
    """Where the items of each event begin, of a column of lists.

    Raises
    ------
    DataError
        It has no lists.
    """
    layout = ak.to_layout(events).content(column)
    if not layout.is_list:
        raise DataError(f"{column} is not one list per event", "objects", "name another column")
    offsets: NDArray[np.int64] = layout.offsets.data
    return offsets


def flat(events: ak.Array, column: str) -> NDArray[Any]:
    """What a column of packed events holds, one after the other.

    Raises
    ------
    DataError
        It holds no numbers, or lists of lists.
    """
    layout = ak.to_layout(events).content(column)
    content = layout.content if layout.is_list else layout
    text = layout.parameter("__array__") in ("string", "bytestring")
    if text or not content.is_numpy or content.data.ndim != 1:
        message = f"{column} is not one number per event or object"
        raise DataError(message, "objects", "name another column as the input")
    values: NDArray[Any] = content.data
    return values


def gathered(
    sources: Sequence[Source], events: ak.Array, offsets: NDArray[np.int64] | None
) -> list[Any]:
    """Inputs of a correction for every item, or for every event.

    Parameters
    ----------
    sources : sequence of Source
    events : ak.Array
        Packed, with the columns as they are now.
    offsets : ndarray, shape (n_events + 1,), optional
        Of the items; what is one number per event is repeated for each.  None asks for events.

    Returns
    -------
    list of ndarray or str
        All arrays have one length.

    Raises
    ------
    DataError
        A column belongs to another collection.
    """
    n = len(events) if offsets is None else int(offsets[-1])
    return [_gathered(source, events, offsets, n) for source in sources]


def _gathered(source: Source, events: ak.Array, offsets: NDArray[np.int64] | None, n: int) -> Any:
    if not source.column:
        return source.value if isinstance(source.value, str) else np.full(n, source.value)
    values = flat(events, source.column)
    values = np.abs(values) if source.absolute else values
    layout = ak.to_layout(events).content(source.column)
    if layout.is_list:
        own = layout.offsets.data
        if offsets is None or (own is not offsets and not np.array_equal(own, offsets)):
            asked = "of events" if offsets is None else "of this collection"
            message = f"{source.column} has other lists than the inputs {asked}"
            raise DataError(message, "objects", "name a column of the same objects, or of events")
        return values
    return values if offsets is None else np.repeat(values, np.diff(offsets))
