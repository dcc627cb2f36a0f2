"""Finding a data set and reading it, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.radio.read import measurement_set, observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.spec import RadioSpec
    from spectrum_workflows.radio.types import Observation, Slab, Visibilities


def inputs(spec: RadioSpec, data: str) -> list[str]:
    """The Measurement Set the spec names, whether it exists or not."""
    return [f"{storage.join(data, spec.data_set)}.ms"]


def find(spec: RadioSpec, data: str) -> str:
    """The URL of the spec's data set.

    Raises
    ------
    DataNotFoundError
        There is no such set.
    DataError
        There is only a Zarr form, which this version does not read.
    """
    stem = storage.join(data, spec.data_set)
    url = f"{stem}.ms"
    if storage.is_local(url) and storage.exists(url):
        return url
    if storage.exists(f"{stem}.zarr"):
        remedy = f"put the Measurement Set beside it, as {spec.data_set}.ms"
        raise DataError("this version does not read Zarr yet", f"{stem}.zarr", remedy)
    storage.local_path(url)  # says what to do about a remote set
    remedy = "check data_set, or say where the data is with --data"
    raise DataNotFoundError("no such data set", url, remedy)


def describe(spec: RadioSpec, url: str) -> Observation:
    """Read everything about a data set but its visibilities.

    Raises
    ------
    DataError
        It cannot be imaged.
    SpecError
        The spec must choose, or chooses what the set does not hold.
    """
    return observation.describe(spec, url)


def read(slab: Slab) -> Visibilities:
    """Stokes I of one slab, rows in (time, antenna1, antenna2) order.

    Raises
    ------
    DataError
        The data set cannot be read.
    """
    return measurement_set.read(slab)


def coordinates(slab: Slab) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Baseline coordinates (m) and frequencies (Hz) of one slab, in any order of rows.

    Raises
    ------
    DataError
        The data set cannot be read.
    """
    if slab.url.endswith(".ms"):
        return measurement_set.coordinates(slab)
    data = read(slab)
    return data.uvw, data.frequency
