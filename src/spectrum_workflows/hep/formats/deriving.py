"""Columns of NanoAOD's names and units, from the branches of another format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.formats.definitions import DEFINITIONS
from spectrum_workflows.hep.formats.links import Links, NoItemError, followed, positions
from spectrum_workflows.hep.spec.formats import SourceSpec

UNITS = {"MeV": 1000, "mm": 10}
"""What a number of the file is divided by: in GeV, and in cm."""


class NotDerivedError(ValueError):
    """Branches are not what a column can be made of."""


def derived(
    name: str,
    source: SourceSpec,
    branches: Mapping[str, ak.Array],
    links: Mapping[str, Links],
    where: str,
) -> ak.Array:
    """One column of a selection.

    Numbers are divided by a unit's power of ten with the bits that they have, which gives the
    closest number there is: of 17 bits and less, MeV lose nothing.

    Parameters
    ----------
    name : str
        Of the column.
    source : SourceSpec
        What it is made of.
    branches : mapping of str to ak.Array, shape (n_events, ...)
        Those that it reads.
    links : mapping of str to Links
        Those that it follows.
    where : str
        File and entries.

    Raises
    ------
    DataError
        The branches hold what the column cannot be made of.
    """
    try:
        column = _plain(source, branches, links)
        if (bits := source.bits) is not None:
            column = _each([column], lambda flat: _whole(flat) & bits)
        if source.values:
            values = np.array(source.values)
            column = _each([column], lambda flat: values[_within(flat, len(values))])
        if source.unit and source.definition is not None:
            column = _each([column], lambda flat: _divided(flat, UNITS[source.unit]))
        if source.type:
            column = _each([column], lambda flat: _typed(flat, np.dtype(source.type)))
    except (NoItemError, NotDerivedError) as error:
        read = ", ".join((*source.read, *filter(None, [source.link])))
        remedy = f"say in [formats] what {name} is made of"
        raise DataError(f"{name} cannot be made of {read}: {error}", where, remedy) from None
    return column


def _plain(
    source: SourceSpec, branches: Mapping[str, ak.Array], links: Mapping[str, Links]
) -> ak.Array:
    """The column; of a definition in the file's own unit."""
    if source.constant is not None:
        return _each([branches[source.like]], lambda flat: np.full(len(flat), source.constant))
    if source.link and not source.read:
        return positions(links[source.link], source.container)
    read = [branches[name] for name in source.read]
    if source.unit and source.definition is None:  # before something stands in for what is missing
        unit = UNITS[source.unit]
        read = [ak.Array(_divided_lists(ak.to_layout(branch), unit)) for branch in read]
    if source.element is not None:
        number = source.element
        read = [ak.Array(_element(ak.to_layout(b), number, source.missing)) for b in read]
    if source.link:
        to = links[source.link]
        for column in read:
            if column.ndim != 2:
                raise NotDerivedError(f"a link leads to {column.type}, not to lists of numbers")
        read = [followed(to, column, source.container, source.missing) for column in read]
    if source.definition is None:
        return read[0]
    options = {} if source.fraction is None else {"fraction": source.fraction}
    compute = DEFINITIONS[source.definition]
    return _each(read, lambda *flat: compute(*flat, **options))


def _each(columns: Sequence[ak.Array], compute: Callable[..., NDArray[Any]]) -> ak.Array:
    """A column computed number by number of others, whose lists are as long as each other."""
    layouts: list[Any] = [ak.to_layout(column) for column in columns]
    first = layouts[0]
    if not first.is_list:
        return ak.Array(ak.contents.NumpyArray(compute(*map(_numbers, layouts))))
    if not all(layout.is_list for layout in layouts):
        raise NotDerivedError("one has a number for each event, another a list")
    layouts = [layout.to_ListOffsetArray64(True) for layout in layouts]
    offsets = layouts[0].offsets
    for layout in layouts[1:]:
        if not np.array_equal(np.asarray(offsets), np.asarray(layout.offsets)):
            raise NotDerivedError("they do not have the same number of items")
    ends = int(np.asarray(offsets)[-1])
    flat = compute(*(_numbers(layout.content)[:ends] for layout in layouts))
    return ak.Array(ak.contents.ListOffsetArray(offsets, ak.contents.NumpyArray(flat)))


def _numbers(layout: Any) -> NDArray[Any]:
    """The numbers of a flat column."""
    if not layout.is_numpy or layout.purelist_depth != 1:
        raise NotDerivedError(f"of type {layout.form.type}, not one number for each event or item")
    array: NDArray[Any] = np.asarray(layout.data)
    return array


def _element(layout: Any, number: int, missing: Any) -> Any:
    """One element of the innermost lists, in the place of each of them."""
    if not layout.is_list:
        raise NotDerivedError(f"no vector in {layout.form.type}")
    lists = layout.to_ListOffsetArray64(True)
    if lists.content.is_list:
        return ak.contents.ListOffsetArray(lists.offsets, _element(lists.content, number, missing))
    offsets, content = np.asarray(lists.offsets), _numbers(lists.content)
    begins, has = offsets[:-1], np.diff(offsets) > number
    if missing is None and not has.all():
        lost = int(np.count_nonzero(~has))
        raise NotDerivedError(f"{lost} vectors have no element {number}; say missing, or another")
    if not has.any():
        return ak.contents.NumpyArray(np.full(len(has), missing or 0, content.dtype))
    values = content[np.where(has, begins + number, 0)]
    values[~has] = missing or 0
    return ak.contents.NumpyArray(values)


def _whole(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Whole numbers, or a refusal."""
    if numbers.dtype.kind not in "biu":
        raise NotDerivedError(f"of type {numbers.dtype}, not whole numbers")
    return numbers.astype(np.int64)


def _within(numbers: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Whole numbers from 0 to below a count, or a refusal."""
    whole = _whole(numbers)
    outside = (whole < 0) | (whole >= count)
    if outside.any():
        number = whole[np.argmax(outside)]
        raise NotDerivedError(f"it is {number}, for which values has no entry")
    return whole


def _divided_lists(layout: Any, by: int) -> Any:
    """Numbers in another unit, in lists however deep."""
    if not layout.is_list:
        return ak.contents.NumpyArray(_divided(_numbers(layout), by))
    lists = layout.to_ListOffsetArray64(True)
    return ak.contents.ListOffsetArray(lists.offsets, _divided_lists(lists.content, by))


def _divided(numbers: NDArray[Any], by: int) -> NDArray[Any]:
    """Numbers in another unit, as exact as they are."""
    if numbers.dtype.kind not in "iuf":
        raise NotDerivedError(f"of type {numbers.dtype}, which has no unit")
    kind = numbers.dtype if numbers.dtype.kind == "f" else np.dtype(np.float64)
    divided: NDArray[Any] = numbers.astype(kind, copy=False) / kind.type(by)
    return divided


def _typed(numbers: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """Numbers of another type: whole ones as they are, those with a fraction as near as can be."""
    with np.errstate(invalid="ignore", over="ignore"):
        typed = numbers.astype(kind)
    if kind.kind != "f":
        changed = typed.astype(np.float64) != numbers.astype(np.float64)
        if changed.any():
            number = numbers[np.argmax(changed)]
            raise NotDerivedError(f"{number} is no {kind}")
    return typed
