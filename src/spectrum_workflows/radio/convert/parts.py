"""What is converted: the parts of a Measurement Set, its columns, its identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio.convert import schema
from spectrum_workflows.radio.convert.layout import Block, Layout, chunk_keys, layout
from spectrum_workflows.radio.read.measurement_set import correlations, index, opened
from spectrum_workflows.radio.read.observation import field_of, identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.convert.grid import Grid
    from spectrum_workflows.radio.convert.target import Target


@dataclass(frozen=True)
class Part:
    """One field and data description on its way: its group, grid, layout and variables."""

    group: str
    grid: Grid
    cut: Layout
    variables: dict[str, schema.Variable]


def part_of(source: str, grid: Grid, columns: Sequence[str], pieces: int, number: int) -> Part:
    """The part that one grid becomes; ``pieces`` are those of the frequency axis."""
    types, frequency = correlations(source, grid.data_description)
    frame = field_of(source, grid.field)[2].lower()
    name = storage.local_path(source).name.removesuffix(".ms")
    cut = layout((*grid.shape, len(frequency), len(types)), pieces)
    return Part(f"{name}_{number}", grid, cut, schema.variables(columns, frame))


def axes(cut: Layout, what: schema.Variable) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and chunk shape of a variable."""
    if "frequency" in what.dims:
        return cut.shape, cut.chunks
    rest = (3,) if "uvw_label" in what.dims else ()
    return (*cut.shape[:2], *rest), (*cut.chunks[:2], *rest)


def stored(part: Part, name: str, block: Block, there: Target) -> bool:
    """Whether all chunks of a variable in a block are there."""
    dims = part.variables[name].dims
    keys = chunk_keys(f"{part.group}/{name}", part.cut, block, axes=len(dims))
    return keys <= there.there


def data_columns(source: str, wanted: Sequence[str]) -> list[str]:
    """Data columns to convert."""
    with opened(source) as table:
        have = set(table.colnames())
    if unknown := [name for name in wanted if name not in schema.DATA]:
        raise SpecError(
            f"{unknown[0]} is no data column", source, f"known: {', '.join(schema.DATA)}"
        )
    if absent := [name for name in wanted if name not in have]:
        raise DataError(f"no column {absent[0]}", source, "leave it out")
    found = [name for name in schema.DATA if name in (wanted or have) and name in have]
    if not found:
        raise DataError("no data column", source, f"one of {', '.join(schema.DATA)} is needed")
    return found


def stamp(source: str) -> str:
    """Identity of the set's files and the time of their last change."""
    path = storage.local_path(source)
    times = [
        f.stat().st_mtime_ns for f in path.rglob("*") if f.is_file() and f.name != "table.lock"
    ]
    return f"{identity(path)} {max(times)}"


def without_cross(source: str, grid: Grid) -> list[int]:
    """Places of the times at which there are autocorrelations only."""
    with_cross = index(source, (grid.field, grid.data_description)).time
    return np.flatnonzero(~np.isin(grid.at.time, with_cross)).tolist()
