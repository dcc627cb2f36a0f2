"""What a Zarr set says about itself, and whether it can be imaged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read import zarr_set
from spectrum_workflows.radio.read.observation import chosen
from spectrum_workflows.radio.types import Observation

if TYPE_CHECKING:
    from spectrum_workflows.radio.spec import RadioSpec

FRAMES = {"fk5": "FK5", "icrs": "ICRS"}
"""Direction frames that can be imaged, and FITS' RADESYS."""

SPECTRAL_FRAMES = {"lsrk": "LSRK", "lsrd": "LSRD", "BARY": "BARYCENT", "gcrs": "GEOCENTR"}
SPECTRAL_FRAMES |= {"TOPO": "TOPOCENT", "GALACTO": "GALACTOC", "LGROUP": "LOCALGRP"}
SPECTRAL_FRAMES |= {"CMB": "CMBDIPOL"}
"""MSv4's spectral frames and FITS' SPECSYS."""


def describe(spec: RadioSpec, url: str) -> Observation:
    """Read everything about a Zarr set but its visibilities.

    Raises
    ------
    DataError
        It is not a complete set in the MSv4 schema, or cannot be imaged.
    SpecError
        The spec must choose, or chooses what the set does not hold.
    """
    with zarr_set.opened(url) as (root, objects):
        known = zarr_set.parts(root)
        fields = sorted({part.field for part in known})
        field = chosen(spec.field, fields, "field", url)
        there = sorted({p.data_description for p in known if p.field == field})
        description = chosen(spec.data_description, there, "data_description", url)
        [part, *more] = [p for p in known if (p.field, p.data_description) == (field, description)]
        if more:
            remedy = "convert the Measurement Set with spectrum data convert"
            raise DataError(f"field {field} is in {1 + len(more)} datasets", url, remedy)
        objects.strict = zarr_set.is_whole(part)
        types = zarr_set.types(part)
        stokes.hands(types, url)
        _check_column(part, spec.column, url)
        rows = zarr_set.rows_per_time(part)
        if not rows.any():
            remedy = "choose another field or data_description"
            raise DataError("no cross-correlations of this field", url, remedy)
        centre, frame = _direction(part, url)
        frequency = part.array("frequency")
        antennas: Any = part.group["antenna_xds"].attrs
        return Observation(
            url=url,
            column=spec.column,
            telescope=str(antennas.get("overall_telescope_name", "")),
            object_name=part.field_name,
            field=field,
            data_description=description,
            phase_centre=centre,
            frame=frame,
            spectral_frame=SPECTRAL_FRAMES.get(str(frequency.attrs.get("observer")), ""),
            frequency=np.asarray(frequency[:], np.float64),
            rows_per_time=rows[rows > 0],
            longest_baseline=_longest_baseline(part),
            visibility_bytes=len(types) * (8 + 1 + 4),
            identity=hashlib.sha256(storage.read_bytes(storage.join(url, "zarr.json"))).hexdigest(),
        )


def _check_column(part: zarr_set.Part, column: str, url: str) -> None:
    names = zarr_set.COLUMNS
    if names[column] not in part.group:
        there = [name for name in names if names[name] in part.group]
        remedy = f"it has {', '.join(there) or 'neither DATA nor CORRECTED_DATA'}"
        raise DataError(f"no column {column}", url, remedy)


def _direction(part: zarr_set.Part, url: str) -> tuple[tuple[float, float], str]:
    """Phase centre (rad) and its frame."""
    groups: Any = part.group.attrs["data_groups"]
    name = groups["base"]["field_and_source"]
    direction = part.array(f"{name}/FIELD_PHASE_CENTER_DIRECTION")
    frame = str(direction.attrs.get("frame"))
    if frame not in FRAMES:
        remedy = "convert it with CASA's fixvis or chgcentre"
        raise DataError(f"phase centre in {frame}, not fk5 or icrs", url, remedy)
    ra, dec = np.asarray(direction[:]).reshape(-1, 2)[0]
    return (float(ra) % (2 * np.pi), float(dec)), FRAMES[frame]


def _longest_baseline(part: zarr_set.Part) -> float:
    """Largest hypot(u, v), m."""
    if "longest_baseline" in part.own:
        return float(part.own["longest_baseline"])
    uvw, longest = part.array("UVW"), 0.0
    for start in range(0, uvw.shape[0], uvw.chunks[0]):
        u, v, _ = np.moveaxis(np.asarray(uvw[start : start + uvw.chunks[0]]), 2, 0)
        longest = max(longest, float(np.nanmax(np.hypot(u, v), initial=0.0)))
    return longest
