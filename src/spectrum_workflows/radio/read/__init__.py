"""Finding a data set and reading it, whatever its format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spectrum_workflows.radio.read import measurement_set, observation
from spectrum_workflows.radio.read.finding import find, inputs, is_measurement_set, is_zarr, older
from spectrum_workflows.radio.read.probing import probe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.spec import RadioSpec
    from spectrum_workflows.radio.types import Chunk, Observation, Visibilities

__all__ = ["coordinates", "describe", "find", "inputs", "is_measurement_set", "read"]


def describe(spec: RadioSpec, url: str) -> Observation:
    """Read everything about a data set but its visibilities.

    Raises
    ------
    DataError
        It cannot be imaged.
    SpecError
        The spec must choose, or chooses what the set does not hold.
    """
    if is_zarr(url):
        from spectrum_workflows.radio.read import zarr_observation

        found = zarr_observation.describe(spec, url)
        return replace(found, notes=(*found.notes, *older(url)))
    probe(url)
    return observation.describe(spec, url)


def read(chunk: Chunk) -> Visibilities:
    """Stokes I of one chunk, rows in (time, antenna1, antenna2) order.

    Raises
    ------
    DataError
        The data set cannot be read.
    """
    if is_zarr(chunk.url):
        from spectrum_workflows.radio.read import zarr_visibilities

        return zarr_visibilities.read(chunk)
    return measurement_set.read(chunk)


def coordinates(chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Baseline coordinates (m) and frequencies (Hz) of one chunk, in any order of rows.

    Raises
    ------
    DataError
        The data set cannot be read.
    """
    if is_zarr(chunk.url):
        from spectrum_workflows.radio.read import zarr_visibilities

        return zarr_visibilities.coordinates(chunk)
    return measurement_set.coordinates(chunk)
