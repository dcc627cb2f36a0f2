"""The inventory of a Zarr set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.inventory import (
    Inventory,
    ListedField,
    ListedWindow,
    RowBlock,
)
from spectrum_workflows.radio.read.msv4 import stored
from spectrum_workflows.radio.read.msv4.files import older
from spectrum_workflows.radio.read.msv4.observation import (
    SPECTRAL_FRAMES,
    antennas_of,
    direction_of,
    widths_of,
)
from spectrum_workflows.radio.read.units import UNIX_EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = {**stored.COLUMNS, "MODEL_DATA": "VISIBILITY_MODEL"}


def inventory(url: str) -> Inventory:
    """What a Zarr set says of itself.

    Raises
    ------
    DataError
        It is no complete set in the MSv4 schema.
    """
    with stored.opened(url) as (root, _):
        parts = stored.parts(root)
        first = parts[0]
        about: Any = first.group.attrs.get("observation_info", {})
        observers: Any = about.get("observer", [""])
        fields = {part.field: _field(part, url) for part in parts}
        windows = {part.described: _window(part) for part in parts}
        antennas: Any = first.group["antenna_xds"].attrs
        return Inventory(
            telescope=str(antennas.get("overall_telescope_name", "")),
            observer=", ".join(map(str, observers)),
            project=str(about.get("project_UID", "")),
            columns=tuple(name for name, array in COLUMNS.items() if array in first.group),
            fields=tuple(fields[number] for number in sorted(fields)),
            windows=tuple(windows[number] for number in sorted(windows)),
            antennas=antennas_of(first),
            time_scale=str(first.array("time").attrs.get("scale", "utc")).upper(),
            blocks=lambda: _blocks(url),
            notes=older(url, root.attrs),
        )


def _field(part: stored.StoredSet, url: str) -> ListedField:
    try:
        centre, frame = direction_of(part, np.inf, url)
    except DataError as error:
        return ListedField(part.field, part.field_name, (np.nan, np.nan), "", error.what)
    return ListedField(part.field, part.field_name, centre, frame)


def _window(part: stored.StoredSet) -> ListedWindow:
    frequency = part.array("frequency")
    hertz = np.asarray(frequency[:], np.float64)
    return ListedWindow(
        number=part.described,
        name=part.window_name,
        frequency=hertz,
        width=widths_of(part, frequency, len(hertz)),
        frame=SPECTRAL_FRAMES.get(str(frequency.attrs.get("observer")), ""),
        correlations=tuple(stored.text(part.array("polarization"))),
    )


def _blocks(url: str) -> Iterator[RowBlock]:
    """The cells that have a row, a chunk of times after the other."""
    with stored.opened(url) as (root, objects):
        for part in stored.parts(root):
            objects.strict = stored.is_whole(part)
            known, flag, uvw = stored.baselines(part), part.array("FLAG"), part.array("UVW")
            at = np.asarray(part.array("time")[:], np.float64) + UNIX_EPOCH
            scans = stored.scans(part) if "scan_name" in part.group else None
            step = flag.chunks[0]
            for start in range(0, len(at), step):
                times = slice(start, min(start + step, len(at)))
                present = stored.present(part, times)[:, known.order]
                time, baseline = np.nonzero(present)
                flags = np.count_nonzero(np.asarray(flag[times]), axis=(2, 3))[:, known.order]
                yield RowBlock(
                    window=part.described,
                    field=np.full(len(time), part.field, np.int64),
                    first=known.first[baseline],
                    second=known.second[baseline],
                    time=at[times][time],
                    uvw=np.asarray(uvw[times])[:, known.order][present],
                    flagged=flags[present],
                    scan=None if scans is None else scans[times][time],
                )
