"""Description of a Zarr set, and whether it can be imaged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.choices import (
    Described,
    Named,
    channels_in,
    describe_times,
    field_in,
    not_corrected,
    nothing_left,
    remarks,
    selection_in,
    windows_in,
    with_channels,
)
from spectrum_workflows.radio.read.frequencies import check_frequencies
from spectrum_workflows.radio.read.msv4 import stored
from spectrum_workflows.radio.read.msv4.files import older
from spectrum_workflows.radio.read.phase_centre import beam_of, still
from spectrum_workflows.radio.read.units import UNIX_EPOCH, units_factor
from spectrum_workflows.radio.types import Antennas, Observation, Responsible, Window
from spectrum_workflows.radio.types.observation import CHECKSUMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import zarr
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.msv4.objects import Objects
    from spectrum_workflows.radio.read.reader import Choice
    from spectrum_workflows.radio.types import Selection

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
        field = field_in(choice.field, _fields(known), url)
        own = [part for part in known if part.field == field]
        described = [Described(p.described, Named(p.spectral_window, p.window_name)) for p in own]
        ordered = sorted(dict.fromkeys(described), key=lambda each: each.number)
        chosen = windows_in(choice, ordered, url)
        antennas = antennas_of(own[0])
        selection = selection_in(choice, antennas, url)
        if not selection.any_baseline:
            _check_antennas(own, antennas, url)
        parts = _parts([part for part in own if part.described in chosen], selection)
        if not parts:
            held = _held([part for part in own if part.described in chosen])
            raise nothing_left(choice, selection, held, url)
        windows = with_channels([_window(part, choice) for part in parts], url)
        parts = [part for part in parts if part.number in {window.number for window in windows}]
        notes: dict[str, None] = {}
        for part, window in zip(parts, windows, strict=True):
            types = stored.types(part.stored)
            objects.strict = stored.is_whole(part.stored)
            stokes.hands(types, url, choice.hands)
            _check_column(part.stored, choice.column, url)
            of = f"spectral window {part.stored.window_name or window.spectral_window}"
            notes |= dict.fromkeys(check_frequencies(window.frequency, of, url))
            _check_arrays(part.stored, choice.column, (len(window.frequency), len(types)), url)
            notes |= dict.fromkeys(_other(part.stored, choice.column))
        longest = max(_longest_baseline(part.stored) for part in parts)
        highest = np.array([window.frequency.max() for window in windows])
        first = parts[0].stored
        centre, frame = direction_of(first, beam_of(longest, highest), url)
        about: Any = first.group["antenna_xds"].attrs
        lost = [number for number in chosen if number not in {p.stored.described for p in parts}]
        return Observation(
            url=url,
            column=choice.column,
            telescope=str(about.get("overall_telescope_name", "")),
            object_name=first.field_name,
            field=field,
            phase_centre=centre,
            frame=frame,
            windows=windows,
            longest_baseline=longest,
            identity=_identity(url, objects),
            antennas=antennas,
            time_scale=str(first.array("time").attrs.get("scale", "utc")).upper(),
            notes=(
                *notes,
                *_unverified(objects),
                *older(url, root.attrs),
                *remarks(choice, lost, windows),
            ),
            selection=selection,
            responsible=responsible(first.group.attrs),
        )


def fields(url: str) -> list[Named]:
    """The fields of a set.

    Raises
    ------
    DataError
        It is not a complete set in the MSv4 schema.
    """
    with stored.opened(url) as (root, _):
        return _fields(stored.parts(root))


def _fields(known: Sequence[stored.StoredSet]) -> list[Named]:
    names = dict(sorted((part.field, part.field_name) for part in known))
    return [Named(*pair) for pair in names.items()]


@dataclass(frozen=True)
class _SetRows:
    """A part of the set of the chosen field, and the chosen rows at each time of its axis."""

    stored: stored.StoredSet
    rows: NDArray[np.int64]

    @property
    def number(self) -> int:
        """Of the data description."""
        return self.stored.data_description


def _parts(chosen: Sequence[stored.StoredSet], selection: Selection) -> list[_SetRows]:
    """The parts that have chosen rows, in order of their numbers."""
    ordered = sorted(chosen, key=lambda part: part.data_description)
    parts = [_SetRows(part, stored.rows_per_time(part, selection)) for part in ordered]
    return [part for part in parts if part.rows.any()]


def _check_antennas(parts: Sequence[stored.StoredSet], antennas: Antennas, url: str) -> None:
    """Refuse to choose antennas by their numbers where parts number them differently."""
    for part in parts:
        if tuple(stored.text(part.array("antenna_xds/antenna_name"))) != antennas.name:
            message = f"{part.group.path} lists other antennas than the other windows of its field"
            raise DataError(message, url, "choose antennas of one window at a time")


def _window(part: _SetRows, choice: Choice) -> Window:
    """What is imaged of a part."""
    frequency = part.stored.array("frequency")
    hertz = np.asarray(frequency[:], np.float64)
    types = stored.types(part.stored)
    return Window(
        number=part.number,
        frequency=hertz,
        rows_per_time=part.rows[part.rows > 0],
        times=_times(part.stored, part.rows),
        visibility_bytes=len(types) * (8 + 1 + 4),
        spectral_window=part.stored.spectral_window,
        name=part.stored.window_name,
        width=widths_of(part.stored, frequency, len(hertz)),
        spectral_frame=SPECTRAL_FRAMES.get(str(frequency.attrs.get("observer")), ""),
        correlations=tuple(stored.text(part.stored.array("polarization"))),
        chosen=channels_in(choice.select, hertz),
    )


def _held(parts: Sequence[stored.StoredSet]) -> str:
    """Times and scans of some parts, in words."""
    times = [_times(part, stored.rows_per_time(part)) for part in parts]
    scans = [stored.scans(part) for part in parts if "scan_name" in part.group]
    numbers = np.unique(np.concatenate(scans)).tolist() if scans else None
    return describe_times(np.unique(np.concatenate(times)), numbers)


def responsible(attributes: Mapping[str, Any]) -> Responsible:
    """Observer and project in a dataset's attributes, as far as they are there."""
    info = attributes.get("observation_info")
    if not isinstance(info, dict):
        return Responsible()
    names = info.get("observer") or ""
    observer = names if isinstance(names, str) else ", ".join(map(str, names))
    return Responsible(observer, str(info.get("project_UID") or ""))


def _identity(url: str, objects: Objects) -> str:
    """Digest of the set's description; of all its objects where that does not vouch for them.

    Objects whose checksums the set carries cannot differ from them unnoticed, wherever the set
    is copied to.  Without checksums, what the store says of each object counts, if it can list
    them: then a copy is another set.
    """
    described = hashlib.sha256(storage.read_bytes(storage.join(url, "zarr.json"))).hexdigest()
    if objects.checksums is not None:
        return f"{CHECKSUMS}{described}"
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
        stored.variable_of(column): (*cell, *shape),
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


def widths_of(
    part: stored.StoredSet, frequency: zarr.Array[Any], nchan: int
) -> NDArray[np.float64]:
    """Widths of the channels, Hz; NaN where the set does not say."""
    own = part.own.get("channel_width")
    if own is not None and np.shape(own) == (nchan,):
        return np.asarray(own, np.float64)
    stated: Any = frequency.attrs.get("channel_width")
    width = abs(float(stated["data"])) if isinstance(stated, dict) and "data" in stated else np.nan
    return np.full(nchan, width if width > 0 else np.nan)


def antennas_of(part: stored.StoredSet) -> Antennas:
    """The antennas of a set; NaN where it does not say where or how large they are."""
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
    if stored.variable_of(column) not in part.group:
        present = [name for name in names if names[name] in part.group]
        remedy = f"it has {', '.join(present) or 'no column of visibilities'}"
        raise DataError(f"no column {column}", url, remedy)
    if part.array(stored.variable_of(column)).dtype.kind != "c":
        raise DataError(f"{column} holds no visibilities", url, "choose another")


def direction_of(part: stored.StoredSet, beam: float, url: str) -> tuple[tuple[float, float], str]:
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
