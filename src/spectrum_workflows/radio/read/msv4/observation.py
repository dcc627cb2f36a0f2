"""Description of a Zarr set, and whether it can be imaged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.choices import chosen, not_corrected
from spectrum_workflows.radio.read.frequencies import check_frequencies
from spectrum_workflows.radio.read.msv4 import stored
from spectrum_workflows.radio.read.msv4.files import older
from spectrum_workflows.radio.read.phase_centre import beam_of, still
from spectrum_workflows.radio.read.units import UNIX_EPOCH, units_factor
from spectrum_workflows.radio.types import Antennas, Observation

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.msv4.objects import Objects
    from spectrum_workflows.radio.read.reader import Choice

FRAMES = {"fk5": "FK5", "icrs": "ICRS"}
"""Direction frames that can be imaged, and FITS' RADESYS."""

SPECTRAL_FRAMES = {"lsrk": "LSRK", "lsrd": "LSRD", "BARY": "BARYCENT", "gcrs": "GEOCENTR"}
SPECTRAL_FRAMES |= {"TOPO": "TOPOCENT", "GALACTO": "GALACTOC", "LGROUP": "LOCALGRP"}
SPECTRAL_FRAMES |= {"CMB": "CMBDIPOL"}
"""MSv4's spectral frames and FITS' SPECSYS."""


def describe(choice: Choice, url: str) -> Observation:
    """Read everything about a Zarr set but its visibilities.

    Raises
    ------
    DataError
        It is not a complete set in the MSv4 schema, or cannot be imaged.
    SpecError
        More must be chosen, or chooses what the set does not hold.
    """
    with stored.opened(url) as (root, objects):
        known = stored.parts(root)
        fields = sorted({part.field for part in known})
        field = chosen(choice.field, fields, "field", url)
        descriptions = sorted({p.data_description for p in known if p.field == field})
        description = chosen(choice.data_description, descriptions, "data_description", url)
        [part, *more] = [p for p in known if (p.field, p.data_description) == (field, description)]
        if more:
            remedy = "convert the Measurement Set with spectrum data convert"
            raise DataError(f"field {field} is in {1 + len(more)} datasets", url, remedy)
        objects.strict = stored.is_whole(part)
        types = stored.types(part)
        stokes.hands(types, url)
        _check_column(part, choice.column, url)
        rows = stored.rows_per_time(part)
        if not rows.any():
            remedy = "choose another field or data_description"
            raise DataError("no cross-correlations of this field", url, remedy)
        frequency = part.array("frequency")
        hertz = np.asarray(frequency[:], np.float64)
        window = str(frequency.attrs.get("spectral_window_name", description))
        notes = check_frequencies(hertz, f"spectral window {window}", url)
        _check_arrays(part, choice.column, (len(hertz), len(types)), url)
        longest = _longest_baseline(part)
        centre, frame = _direction(part, beam_of(longest, hertz), url)
        antennas: Any = part.group["antenna_xds"].attrs
        return Observation(
            url=url,
            column=choice.column,
            telescope=str(antennas.get("overall_telescope_name", "")),
            object_name=part.field_name,
            field=field,
            data_description=description,
            phase_centre=centre,
            frame=frame,
            spectral_frame=SPECTRAL_FRAMES.get(str(frequency.attrs.get("observer")), ""),
            frequency=hertz,
            rows_per_time=rows[rows > 0],
            longest_baseline=longest,
            visibility_bytes=len(types) * (8 + 1 + 4),
            identity=_identity(url, objects),
            channel_width=_widths(part, frequency, len(hertz)),
            times=_times(part, rows),
            antennas=_antennas(part),
            time_scale=str(part.array("time").attrs.get("scale", "utc")).upper(),
            notes=(*notes, *_other(part, choice.column), *_unverified(objects), *older(url)),
        )


def _identity(url: str, objects: Objects) -> str:
    """Digest of the set's description; of all its objects where that does not vouch for them.

    Objects whose checksums the set carries cannot differ from them unnoticed, wherever the set
    is copied to.  Without checksums, what the store says of each object counts, if it can list
    them: then a copy is another set.
    """
    described = hashlib.sha256(storage.read_bytes(storage.join(url, "zarr.json"))).hexdigest()
    if objects.checksums is not None:
        return described
    return f"{described} {storage.stamp_below(url)}".strip()


def _factor(array: zarr.Array[Any], unit: str, name: str, url: str) -> float:
    return units_factor(array.attrs.get("units", unit), unit, name, url)


def _other(part: stored.StoredSet, column: str) -> tuple[str, ...]:
    """A warning where calibrated data are there, and are not what is imaged."""
    present = stored.COLUMNS["CORRECTED_DATA"] in part.group
    return (not_corrected(),) if present and column == "DATA" else ()


def _unverified(objects: Objects) -> tuple[str, ...]:
    """A warning for a set in which damage would pass."""
    if objects.checksums is not None:
        return ()
    message = "the Zarr set carries no checksums: damage in it may pass"
    return (f"{message}; spectrum data convert writes them",)


def _check_arrays(part: stored.StoredSet, column: str, shape: tuple[int, int], url: str) -> None:
    """Refuse arrays that do not fit together."""
    ntime, nbaseline = (part.array(name).shape[0] for name in ("time", "baseline_antenna1_name"))
    cell = (ntime, nbaseline)
    shapes: dict[str, tuple[int, ...]] = {
        stored.COLUMNS[column]: (*cell, *shape),
        "FLAG": (*cell, *shape),
    }
    shapes |= {"WEIGHT": (*cell, *shape), "UVW": (*cell, 3)}
    for name, axes in shapes.items():
        if (own := part.array(name).shape) != axes:
            message = f"{name} has shape {tuple(own)}, not {axes}"
            raise DataError(message, url, "convert or copy the set again")
    for name, unit in (("UVW", "m"), ("frequency", "Hz")):
        if _factor(part.array(name), unit, name, url) != 1.0:
            raise DataError(f"{name} is not in {unit}", url, "convert it again")


def _widths(part: stored.StoredSet, frequency: zarr.Array[Any], nchan: int) -> NDArray[np.float64]:
    """Widths of the channels, Hz; NaN where the set does not say."""
    own = part.own.get("channel_width")
    if own is not None and np.shape(own) == (nchan,):
        return np.asarray(own, np.float64)
    stated: Any = frequency.attrs.get("channel_width")
    width = abs(float(stated["data"])) if isinstance(stated, dict) and "data" in stated else np.nan
    return np.full(nchan, width if width > 0 else np.nan)


def _antennas(part: stored.StoredSet) -> Antennas:
    names = tuple(stored.text(part.array("antenna_xds/antenna_name")))
    unknown = (np.full((len(names), 3), np.nan), np.full(len(names), np.nan))
    columns = ("ANTENNA_POSITION", "ANTENNA_DISH_DIAMETER")
    position, diameter = (
        np.asarray(part.array(f"antenna_xds/{column}")[:], np.float64)
        if f"antenna_xds/{column}" in part.group
        else nan
        for column, nan in zip(columns, unknown, strict=True)
    )
    return Antennas(names, position, diameter)


def _times(part: stored.StoredSet, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Times with cross-correlations, s of the Modified Julian Date."""
    return np.asarray(part.array("time")[:], np.float64)[rows > 0] + UNIX_EPOCH


def _check_column(part: stored.StoredSet, column: str, url: str) -> None:
    names = stored.COLUMNS
    if names[column] not in part.group:
        present = [name for name in names if names[name] in part.group]
        remedy = f"it has {', '.join(present) or 'neither DATA nor CORRECTED_DATA'}"
        raise DataError(f"no column {column}", url, remedy)


def _direction(part: stored.StoredSet, beam: float, url: str) -> tuple[tuple[float, float], str]:
    """Phase centre (rad) and its frame."""
    groups: Any = part.group.attrs["data_groups"]
    name = groups["base"]["field_and_source"]
    direction = part.array(f"{name}/FIELD_PHASE_CENTER_DIRECTION")
    frame = str(direction.attrs.get("frame"))
    if frame not in FRAMES:
        remedy = "convert it with CASA's fixvis or chgcentre"
        raise DataError(f"phase centre in {frame}, not fk5 or icrs", url, remedy)
    scale = _factor(direction, "rad", "FIELD_PHASE_CENTER_DIRECTION", url)
    path = scale * np.asarray(direction[:], np.float64).reshape(-1, 2)
    return still(path, beam, f"field {part.field}", url), FRAMES[frame]


def _longest_baseline(part: stored.StoredSet) -> float:
    """Largest hypot(u, v), m."""
    if "longest_baseline" in part.own:
        return float(part.own["longest_baseline"])
    uvw, longest = part.array("UVW"), 0.0
    for start in range(0, uvw.shape[0], uvw.chunks[0]):
        u, v, _ = np.moveaxis(np.asarray(uvw[start : start + uvw.chunks[0]]), 2, 0)
        length = np.hypot(u, v)
        longest = max(longest, float(np.max(length[np.isfinite(length)], initial=0.0)))
    return longest
