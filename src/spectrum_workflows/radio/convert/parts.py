"""Visibility sets of a Measurement Set to convert: columns and identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio.convert import schema
from spectrum_workflows.radio.convert.layout import Block, ZarrLayout, chunk_keys, layout
from spectrum_workflows.radio.read.frequencies import check_frequencies
from spectrum_workflows.radio.read.msv2.cells import defined
from spectrum_workflows.radio.read.msv2.examining import Asked, check_rows, has_values
from spectrum_workflows.radio.read.msv2.fields import Field, Span, field_of
from spectrum_workflows.radio.read.msv2.observation import longest_baseline
from spectrum_workflows.radio.read.msv2.tables import opened
from spectrum_workflows.radio.read.msv2.visibilities import SpectralWindow, index, window_of
from spectrum_workflows.radio.read.phase_centre import beam_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.convert.grid import Grid
    from spectrum_workflows.radio.convert.target import Target


LOOKS = 64
"""Rows in which a column's first value is looked for."""

FULLEST = 20
"""Cells of times × baselines per row from which on nearly all of a Zarr set would be empty."""


@dataclass(frozen=True)
class VisibilitySet:
    """One field and data description on its way.

    Attributes
    ----------
    group : str
        Its name in the Zarr set.
    grid : Grid
    cut : ZarrLayout
    columns : tuple of str
        Data columns that hold values.
    window : SpectralWindow
    field : Field
    """

    group: str
    grid: Grid
    cut: ZarrLayout
    columns: tuple[str, ...]
    window: SpectralWindow
    field: Field

    @property
    def variables(self) -> dict[str, schema.Variable]:
        """The large arrays by their names."""
        return schema.variables(self.columns, self.field.frame.lower())


def part_of(
    source: str, grid: Grid, columns: Sequence[str], pieces: int, number: int
) -> VisibilitySet:
    """The part that one grid becomes; ``pieces`` are those of the frequency axis.

    Raises
    ------
    DataError
        It cannot be imaged, or has no such form.
    """
    window = window_of(source, grid.data_description)
    check_frequencies(window.frequency, f"spectral window {window.number}", source)
    first, last = int(grid.at.first[0]), int(grid.at.last[-1])
    held = tuple(name for name in columns if has_values(source, name, (first, last)))
    if not held:
        message = f"{', '.join(columns)} of field {grid.field} holds no values"
        raise DataError(message, source, "leave the field or the column out")
    shape = (len(window.frequency), len(window.types))
    check_rows(source, Asked(grid.field, grid.data_description, held, shape, True))
    check_filling(grid, source)
    longest = longest_baseline(source)
    times = grid.at.time
    span = Span(float(times[0]), float(times[-1]), beam_of(longest, window.frequency))
    field = field_of(source, grid.field, span)
    name = storage.local_path(source).name.removesuffix(".ms")
    cut = layout((*grid.shape, *shape), pieces)
    return VisibilitySet(f"{name}_{number}", grid, cut, held, window, field)


def check_filling(grid: Grid, source: str) -> None:
    """Refuse rows that share hardly any times, not even those of one integration time."""
    ntime, nbaseline = grid.shape
    rows = int(grid.at.count.sum())
    if ntime * nbaseline > FULLEST * rows:
        message = (
            f"{ntime:,} times × {nbaseline:,} baselines for {rows:,} rows: most would be empty"
        )
        remedy = (
            "image the set itself, which takes every row, or give rows of one integration one TIME"
        )
        raise DataError(message, source, remedy)


def axes(cut: ZarrLayout, variable: schema.Variable) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and chunk shape of a variable."""
    if "frequency" in variable.dims:
        return cut.shape, cut.chunks
    rest = (3,) if "uvw_label" in variable.dims else ()
    return (*cut.shape[:2], *rest), (*cut.chunks[:2], *rest)


def stored(part: VisibilitySet, name: str, block: Block, target: Target) -> bool:
    """Whether all chunks of a variable in a block are there."""
    dims = part.variables[name].dims
    keys = chunk_keys(f"{part.group}/{name}", part.cut, block, axes=len(dims))
    return keys <= target.names


def data_columns(source: str, chosen: Sequence[str]) -> list[str]:
    """Data columns to convert: those filled in every row, unless some are asked for."""
    with opened(source) as table:
        have, nrow = set(table.colnames()), table.nrows()
    if unknown := [name for name in chosen if name not in schema.DATA]:
        raise SpecError(
            f"{unknown[0]} is no data column", source, f"known: {', '.join(schema.DATA)}"
        )
    if absent := [name for name in chosen if name not in have]:
        raise DataError(f"no column {absent[0]}", source, "leave it out")
    columns = [name for name in schema.DATA if name in (chosen or have) and name in have]
    if chosen:
        return columns
    filled = [name for name in columns if _is_filled(source, name)]
    columns = filled or [name for name in columns if has_values(source, name, _looks(nrow))]
    if not columns:
        message = f"no data column holds values ({', '.join(schema.DATA)} may)"
        raise DataError(message, source, "name another set")
    return columns


def left_out(source: str, chosen: Sequence[str]) -> list[str]:
    """Data columns that the set has, and that are not converted."""
    with opened(source) as table:
        return [name for name in schema.DATA if name in table.colnames() and name not in chosen]


def _looks(nrow: int) -> range:
    return range(0, nrow, max(1, nrow // LOOKS))


def _is_filled(source: str, column: str) -> bool:
    """Whether a column holds something in every row."""
    with opened(source) as table:
        return not table.isvarcol(column) or bool(defined(table, column).all())


def without_cross(source: str, grid: Grid) -> list[int]:
    """Places of the times at which there are autocorrelations only."""
    with_cross = grid.crossed
    if with_cross is None:
        with_cross = index(source, (grid.field, grid.data_description)).time
    return np.flatnonzero(~np.isin(grid.at.time, with_cross)).tolist()
