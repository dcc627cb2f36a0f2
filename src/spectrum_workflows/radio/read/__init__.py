"""Finding a data set and reading it, whatever its format."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from spectrum_workflows import catalogue, storage
from spectrum_workflows.errors import AccessError, DataError, DataNotFoundError, StoreError
from spectrum_workflows.radio.read import measurement_set, observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.spec import RadioSpec
    from spectrum_workflows.radio.types import Observation, Slab, Visibilities


def inputs(spec: RadioSpec, data: str) -> list[str]:
    """The set the spec names: a Zarr set if that alone is there, else the Measurement Set."""
    stem = catalogue.stems(spec.data_set, data)[0]
    made = f"{stem}.ms"
    if storage.is_local(made) and storage.exists(made):
        return [made]
    return [f"{stem}.zarr" if storage.exists(f"{stem}.zarr/zarr.json") else made]


def find(spec: RadioSpec, data: str) -> str:
    """The URL of the spec's data set: ``NAME.zarr``, else ``NAME.ms``.

    Raises
    ------
    DataNotFoundError
        There is no such set.
    DataError
        There is only a Zarr set whose conversion was not finished, or only a
        remote Measurement Set.
    """
    stem, *more = catalogue.stems(spec.data_set, data)
    for other in (f"{replica}.zarr" for replica in more if not _there(stem)):
        with suppress(AccessError, StoreError):  # the next one may answer
            if storage.exists(f"{other}/zarr.json"):
                return other
    url = f"{stem}.zarr"
    if storage.exists(f"{url}/zarr.json"):
        return url
    set_url = f"{stem}.ms"
    if storage.is_local(set_url) and storage.exists(set_url):
        return set_url
    if storage.exists(f"{url}/conversion.json"):
        remedy = "run spectrum data convert again: it goes on where it was"
        raise DataError("its conversion was not finished", url, remedy)
    remedy = "check data_set, or say where the data is with --data"
    if storage.is_local(set_url):
        raise DataNotFoundError("no such data set", set_url, remedy)
    raise DataNotFoundError("no such data set (remote sets are in Zarr form)", url, remedy)


def _there(stem: str) -> bool:
    """Whether the data root has the set in one form or the other."""
    local = storage.is_local(stem) and storage.exists(f"{stem}.ms")
    return local or storage.exists(f"{stem}.zarr/zarr.json")


def describe(spec: RadioSpec, url: str) -> Observation:
    """Read everything about a data set but its visibilities.

    Raises
    ------
    DataError
        It cannot be imaged.
    SpecError
        The spec must choose, or chooses what the set does not hold.
    """
    if _is_zarr(url):
        from spectrum_workflows.radio.read import zarr_observation

        return zarr_observation.describe(spec, url)
    return observation.describe(spec, url)


def read(slab: Slab) -> Visibilities:
    """Stokes I of one slab, rows in (time, antenna1, antenna2) order.

    Raises
    ------
    DataError
        The data set cannot be read.
    """
    if _is_zarr(slab.url):
        from spectrum_workflows.radio.read import zarr_slab

        return zarr_slab.read(slab)
    return measurement_set.read(slab)


def coordinates(slab: Slab) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Baseline coordinates (m) and frequencies (Hz) of one slab, in any order of rows.

    Raises
    ------
    DataError
        The data set cannot be read.
    """
    if _is_zarr(slab.url):
        from spectrum_workflows.radio.read import zarr_slab

        return zarr_slab.coordinates(slab)
    return measurement_set.coordinates(slab)


def _is_zarr(url: str) -> bool:
    return url.rstrip("/").endswith(".zarr")
