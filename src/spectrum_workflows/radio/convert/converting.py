"""Streaming a Measurement Set into a Zarr set, block by block."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError
from spectrum_workflows.radio.convert import columns as read
from spectrum_workflows.radio.convert import schema
from spectrum_workflows.radio.convert.grid import cells, grids
from spectrum_workflows.radio.convert.layout import Block, blocks
from spectrum_workflows.radio.convert.parts import (
    VisibilitySet,
    axes,
    data_columns,
    left_out,
    part_of,
    stored,
    without_cross,
)
from spectrum_workflows.radio.convert.target import Target, begun
from spectrum_workflows.radio.read.msv2.examining import check_columns
from spectrum_workflows.radio.read.msv2.files import stamp
from spectrum_workflows.radio.read.msv2.observation import longest_baseline
from spectrum_workflows.radio.read.msv2.probing import probe
from spectrum_workflows.radio.read.msv2.tables import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.domain import Report

FORM = 2
"""Raised when the same source would be written otherwise."""

COORDINATES = ("UVW", "TIME_CENTROID", "EFFECTIVE_INTEGRATION_TIME")


def write(
    source: str,
    target: str,
    *,
    columns: Sequence[str],
    output_channels: int,
    overwrite: bool,
    report: Report | None,
) -> dict[str, Any]:
    """Convert a set, block by block: see `radio.convert.convert`."""
    if not target.rstrip("/").endswith(".zarr"):
        raise SpecError("the target's name must end in .zarr", target, "readers look for that")
    if output_channels < 1:
        raise SpecError("output_channels must be at least 1", str(output_channels))
    if not storage.exists(source):
        raise DataNotFoundError("no such data set", source, "check the name")
    probe(source)
    chosen = data_columns(source, columns)
    job = {"form": FORM, "source": stamp(source), "columns": chosen}
    job |= {"output_channels": output_channels}
    destination = begun(target, job, overwrite=overwrite)
    with opened(source) as table:
        check_columns(table, source)
        all_grids = grids(table)
        if not all_grids:
            raise DataError("the set has no rows", source, "name another one")
    parts = [part_of(source, grid, chosen, output_channels, n) for n, grid in enumerate(all_grids)]
    total = sum(part.cut.visibilities for part in parts)
    summary = {"url": target, "parts": len(parts), "visibilities": total}
    summary |= {"left_out": [] if columns else left_out(source, chosen)}
    if destination is None:
        return summary | {"bytes": 0, "kept": sum(1 for p in parts for _ in blocks(p.cut))}
    kept = _filled(source, parts, destination, report)
    for part in parts:
        _described(source, part, destination)
    destination.commit({"type": "processing_set", "spectrum_workflows": {"job": job}})
    return summary | {"bytes": destination.nbytes, "kept": kept}


def _filled(
    source: str, parts: Sequence[VisibilitySet], there: Target, report: Report | None
) -> int:
    """Store every chunk that is not there yet; returns the number of blocks that were."""
    total, done, kept = sum(part.cut.visibilities for part in parts), 0, 0
    for part in parts:
        for name, variable in part.variables.items():
            shape, chunks = axes(part.cut, variable)
            there.create(f"{part.group}/{name}", shape, chunks, variable)
        for block in blocks(part.cut):
            missing = [name for name in part.variables if not stored(part, name, block, there)]
            if missing:
                with opened(source) as table:  # anew: casacore keeps all that it has read
                    _copy(table, source, part, block, (missing, there))
            kept += not missing
            done += block.shape[0] * part.cut.shape[1] * block.shape[1]
            if report:
                report("convert", done, total)
    return kept


def _copy(
    table: Any, source: str, part: VisibilitySet, block: Block, missing: tuple[list[str], Target]
) -> None:
    """Read one block and store the variables that are missing, one after the other."""
    names, destination = missing
    times = slice(block.time_start, block.time_stop)
    rows = cells(table, part.grid, times, source)
    shape = (block.shape[0], part.cut.shape[1], part.cut.shape[3])
    block_source = read.Source(source, table, rows, block, shape)
    window = (times, slice(None), slice(block.chan_start, block.chan_stop), slice(None))
    if coordinates := [name for name in names if name in COORDINATES]:
        values = read.coordinates(block_source)
        for name in coordinates:
            destination.put(f"{part.group}/{name}", window[: values[name].ndim][:2], values[name])
    by_name = {name: column for column, name in schema.DATA.items()}
    for name in names:
        path = f"{part.group}/{name}"
        if name == "FLAG":
            destination.put(path, window, read.flags(block_source))
        elif name == "WEIGHT":
            destination.put(path, window, read.weights(block_source))
        elif name in by_name:
            destination.put(path, window, read.visibilities(block_source, by_name[name]))


def _described(source: str, part: VisibilitySet, there: Target) -> None:
    """Coordinates, attributes, antennas and field of one part."""
    widths = part.window.width
    made = {
        "creator": {
            "software_name": "spectrum-workflows",
            "version": version("spectrum-workflows"),
        },
        "creation_date": datetime.now(UTC).isoformat(),
        "spectrum_workflows": {
            "field_id": part.grid.field,
            "data_desc_id": part.grid.data_description,
            "longest_baseline": longest_baseline(source),
            "every_chunk_is_stored": True,
            "times_without_cross_correlations": without_cross(source, part.grid),
            "channel_width": None if np.isnan(widths).any() else widths.tolist(),
        },
    }
    there.add(part.group, schema.main(source, part, made))
    there.add(f"{part.group}/antenna_xds", schema.antennas(source, part.window.types.tolist()))
    there.add(f"{part.group}/{schema.FIELDS}", schema.field_and_source(part))
