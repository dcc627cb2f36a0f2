"""The inventory of a file of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.inventory import (
    Inventory,
    ListedField,
    ListedWindow,
    RowBlock,
)
from spectrum_workflows.radio.read.rows.index import spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spectrum_workflows.radio.read.rows.rowfile import RowFile


def inventory(file: RowFile) -> Inventory:
    """What a file of rows says of itself."""
    return Inventory(
        telescope=file.telescope,
        observer=file.about.get("observer", ""),
        project=file.about.get("project", ""),
        columns=("DATA",),
        fields=tuple(
            ListedField(field.number, field.name, field.centre, field.frame, field.fault)
            for field in file.fields
        ),
        windows=tuple(
            ListedWindow(
                number=band.number,
                name=band.name,
                frequency=band.frequency,
                width=band.width,
                frame=band.frame,
                correlations=tuple(stokes.NAMES.get(kind, f"type {kind}") for kind in band.types),
            )
            for band in file.bands
        ),
        antennas=file.antennas,
        time_scale=file.time_scale,
        blocks=lambda: _blocks(file),
        notes=file.notes,
    )


def _blocks(file: RowFile) -> Iterator[RowBlock]:
    """All rows of every band, each row read once."""
    known = file.rows
    with file.reading() as reading:
        for setup in np.unique(known.setup).tolist():
            bands = [band for band in file.bands if band.setup == setup]
            rows = np.flatnonzero(known.setup == setup)
            for some, start, stop in spans(rows, file.row_bytes):
                own, here = rows[some], rows[some] - start
                for band, block in zip(bands, reading.blocks(start, stop, bands), strict=True):
                    yield RowBlock(
                        window=band.number,
                        field=known.field[own].astype(np.int64),
                        first=known.first[own].astype(np.int64),
                        second=known.second[own].astype(np.int64),
                        time=known.time[own],
                        uvw=block.uvw[here],
                        flagged=np.count_nonzero(block.flag[here], axis=(1, 2)),
                    )
