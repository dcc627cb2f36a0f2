"""What a Measurement Set says about itself, and whether it can be imaged."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.measurement_set import (
    correlations,
    index,
    opened,
    visibility_bytes,
)
from spectrum_workflows.radio.read.row_index import ROWS
from spectrum_workflows.radio.types import Observation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from spectrum_workflows.radio.spec import RadioSpec


FRAMES = {"J2000": "FK5", "ICRS": "ICRS"}
"""Direction frames that can be imaged: casacore's name and FITS' RADESYS."""

SPECTRAL_FRAMES = {1: "LSRK", 2: "LSRD", 3: "BARYCENT", 4: "GEOCENTR", 5: "TOPOCENT"}
SPECTRAL_FRAMES |= {6: "GALACTOC", 7: "LOCALGRP", 8: "CMBDIPOL"}
"""casacore's MFrequency types and FITS' SPECSYS."""


def describe(spec: RadioSpec, url: str) -> Observation:
    """Read everything about a Measurement Set but its visibilities.

    Raises
    ------
    DataError
        It is not a Measurement Set, or cannot be imaged.
    SpecError
        The spec must choose, or chooses what the set does not hold.
    """
    with opened(url) as table:
        missing = {"UVW", "FLAG", "WEIGHT", "TIME", "DATA_DESC_ID"} - set(table.colnames())
        if missing:
            remedy = "name a Measurement Set"
            raise DataError(f"no column {', '.join(sorted(missing))}", url, remedy)
        fields, descriptions = _present(table)
    if not fields:
        raise DataError("the set has no rows", url, "name another one")
    field = chosen(spec.field, fields, "field", url)
    description = chosen(spec.data_description, descriptions, "data_description", url)
    types, frequency = correlations(url, description)
    stokes.hands(types.tolist(), url)
    at = index(url, (field, description))
    if not len(at.time):
        remedy = "choose another field or data_description"
        raise DataError("no cross-correlations of this field", url, remedy)
    _check_column(spec.column, url, (len(frequency), len(types)), int(at.first[0]))
    name, centre, frame = field_of(url, field)
    return Observation(
        url=url,
        column=spec.column,
        telescope=telescope(url),
        object_name=name,
        field=field,
        data_description=description,
        phase_centre=centre,
        frame=frame,
        spectral_frame=_spectral_frame(url, description),
        frequency=frequency,
        rows_per_time=at.count,
        longest_baseline=longest_baseline(url),
        visibility_bytes=visibility_bytes(len(types)),
        identity=identity(storage.local_path(url)),
    )


def identity(path: Path) -> str:
    """Digest of the set's table description and of its files' names and sizes."""
    sizes = sorted(
        (str(file.relative_to(path)), file.stat().st_size)
        for file in path.rglob("*")
        if file.is_file() and file.name != "table.lock"
    )
    described = (path / "table.dat").read_bytes() + json.dumps(sizes).encode()
    return f"{hashlib.sha256(described).hexdigest()} {sum(size for _, size in sizes)}"


def _present(table: Any) -> tuple[list[int], list[int]]:
    """Field and data description numbers that occur in the main table."""
    fields: set[int] = set()
    descriptions: set[int] = set()
    for start in range(0, table.nrows(), ROWS):
        count = min(ROWS, table.nrows() - start)
        fields |= set(np.unique(table.getcol("FIELD_ID", start, count)).tolist())
        descriptions |= set(np.unique(table.getcol("DATA_DESC_ID", start, count)).tolist())
    return sorted(fields), sorted(descriptions)


def chosen(wanted: int | None, present: Sequence[int], key: str, url: str) -> int:
    """The number the spec gives, or the only one there is."""
    listed = ", ".join(map(str, present))
    if wanted is None and len(present) > 1:
        raise SpecError(f"the set holds several of them ({listed})", url, f"choose one: {key} = N")
    if wanted is not None and wanted not in present:
        raise SpecError(f"{key} {wanted} is not in the set", url, f"it holds {listed}")
    return present[0] if wanted is None else wanted


def _check_column(column: str, url: str, shape: tuple[int, int], row: int) -> None:
    """Refuse a set without the data column, or with cells of another shape."""
    with opened(url) as table:
        if column not in table.colnames():
            there = [n for n in ("DATA", "CORRECTED_DATA") if n in table.colnames()]
            remedy = f"it has {', '.join(there) or 'neither DATA nor CORRECTED_DATA'}"
            raise DataError(f"no column {column}", url, remedy)
        found = tuple(np.shape(table.getcell(column, row)))
    if found != shape:
        remedy = "the set is damaged: write it again"
        raise DataError(f"{column} has shape {found}, not {shape}", url, remedy)


def longest_baseline(url: str) -> float:
    """Largest hypot(u, v), m."""
    longest = 0.0
    with opened(url) as table:
        nrow = table.nrows()
    for start in range(0, nrow, ROWS):
        with opened(url) as table:  # anew: casacore keeps all that it has read
            u, v, _ = np.asarray(table.getcol("UVW", start, min(ROWS, nrow - start))).T
        longest = max(longest, float(np.nanmax(np.hypot(u, v))))
    return longest


def field_of(url: str, field: int) -> tuple[str, tuple[float, float], str]:
    """Name, phase centre (rad) and its frame, of a field."""
    with opened(url, "FIELD") as table:
        measure = table.getcolkeywords("PHASE_DIR").get("MEASINFO", {})
        frame = measure.get("Ref", "J2000")
        if column := measure.get("VarRefCol"):
            code, codes = table.getcell(column, field), measure.get("TabRefCodes", ())
            names = {int(c): str(n) for c, n in zip(codes, measure["TabRefTypes"], strict=True)}
            frame = names.get(int(code), f"frame {code}")
        if frame not in FRAMES:
            remedy = "convert it with CASA's fixvis or chgcentre"
            raise DataError(f"phase centre in {frame}, not J2000 or ICRS", url, remedy)
        ra, dec = np.asarray(table.getcell("PHASE_DIR", field))[0]
        name = str(table.getcell("NAME", field))
        return name, (float(ra) % (2 * np.pi), float(dec)), FRAMES[frame]


def _spectral_frame(url: str, description: int) -> str:
    """Frame of the frequencies as a FITS SPECSYS; empty where FITS has none."""
    with opened(url, "DATA_DESCRIPTION") as table:
        window = table.getcell("SPECTRAL_WINDOW_ID", description)
    with opened(url, "SPECTRAL_WINDOW") as table:
        return SPECTRAL_FRAMES.get(int(table.getcell("MEAS_FREQ_REF", window)), "")


def telescope(url: str) -> str:
    """Name of the telescope, if the set has an observation."""
    with opened(url, "OBSERVATION") as table:
        return str(table.getcell("TELESCOPE_NAME", 0)) if table.nrows() else ""
