"""Streaming a set into a Zarr set, block by block."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataNotFoundError, SpecError
from spectrum_workflows.radio.convert import from_ms, from_rows, schema
from spectrum_workflows.radio.convert.layout import blocks
from spectrum_workflows.radio.convert.parts import VisibilitySet, axes, stored
from spectrum_workflows.radio.convert.target import Target, begun
from spectrum_workflows.radio.read.formats import reader_of
from spectrum_workflows.radio.read.msv4.files import made_from
from spectrum_workflows.radio.read.uvfits import UVFITS
from spectrum_workflows.radio.read.uvh5 import UVH5

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.domain import Report
    from spectrum_workflows.radio.convert.origin import Origin, PartWords, SetWords

FORM = 2
"""Raised when the same source would be written otherwise."""


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
    origin = _origin(source, columns)
    job: dict[str, Any] = {"form": FORM, "source": origin.stamp, "columns": list(origin.columns)}
    job |= {"output_channels": output_channels}
    destination = begun(target, job, overwrite=overwrite)
    parts = origin.parts(output_channels)
    total = sum(part.cut.visibilities for part in parts)
    summary = {"url": target, "parts": len(parts), "visibilities": total}
    summary |= {"left_out": list(origin.left_out)}
    if destination is None:
        return summary | {"bytes": 0, "kept": sum(1 for p in parts for _ in blocks(p.cut))}
    kept = _filled(origin, parts, destination, report)
    words = origin.words()
    for part in parts:
        _described(words, origin.part_words(part), part, destination)
    noted = {"job": job} | made_from(source)
    destination.commit({"type": "processing_set", "spectrum_workflows": noted})
    return summary | {"bytes": destination.nbytes, "kept": kept}


def _origin(source: str, columns: Sequence[str]) -> Origin:
    """What is converted, by its format."""
    form = reader_of(source).name
    if form == UVFITS.name:
        from spectrum_workflows.radio.read.uvfits import groups

        return from_rows.origin(groups.opened(source), form, columns)
    if form == UVH5.name:
        from spectrum_workflows.radio.read.uvh5 import content

        return from_rows.origin(content.opened(source), form, columns)
    return from_ms.origin(source, columns)


def _filled(
    origin: Origin, parts: Sequence[VisibilitySet], target: Target, report: Report | None
) -> int:
    """Store every chunk that is not there yet; returns the number of blocks that were."""
    total, done, kept = sum(part.cut.visibilities for part in parts), 0, 0
    for part in parts:
        for name, variable in part.variables.items():
            shape, chunks = axes(part.cut, variable)
            target.create(f"{part.group}/{name}", shape, chunks, variable)
        for block in blocks(part.cut):
            missing = [name for name in part.variables if not stored(part, name, block, target)]
            window = (
                slice(block.time_start, block.time_stop),
                slice(None),
                slice(block.chan_start, block.chan_stop),
                slice(None),
            )
            for name, values in origin.filled(part, block, missing) if missing else ():
                own = window if "frequency" in part.variables[name].dims else window[:2]
                target.put(f"{part.group}/{name}", own, values)
            kept += not missing
            done += block.shape[0] * part.cut.shape[1] * block.shape[1]
            if report:
                report("convert", done, total)
    return kept


def _described(words: SetWords, own: PartWords, part: VisibilitySet, target: Target) -> None:
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
            "longest_baseline": words.longest,
            "every_chunk_is_stored": True,
            "times_without_cross_correlations": list(own.without_cross),
            "channel_width": None if np.isnan(widths).any() else widths.tolist(),
        },
    }
    target.add(part.group, schema.main(words, own, part, made))
    target.add(f"{part.group}/antenna_xds", schema.antennas(words, part.window.types.tolist()))
    target.add(f"{part.group}/{schema.FIELDS}", schema.field_and_source(part))
