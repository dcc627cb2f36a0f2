"""Finding a data set and reading it, whatever its format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spectrum_workflows.radio.read.choices import within_uv
from spectrum_workflows.radio.read.finding import find, inputs
from spectrum_workflows.radio.read.formats import reader_of
from spectrum_workflows.radio.read.msv2.files import is_measurement_set

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.reader import Choice
    from spectrum_workflows.radio.types import Chunk, Observation, Visibilities

__all__ = ["coordinates", "describe", "find", "inputs", "is_measurement_set", "read"]


def describe(choice: Choice, url: str) -> Observation:
    """Read everything about a data set but its visibilities.

    Raises
    ------
    DataError
        It cannot be imaged.
    SpecError
        The spec must choose, or chooses what the set does not hold.
    """
    return reader_of(url).describe(choice, url)


def read(chunk: Chunk) -> Visibilities:
    """Stokes I of one chunk, rows in (time, antenna1, antenna2) order.

    Raises
    ------
    DataError
        The data set cannot be read.
    """
    data = reader_of(chunk.url).read(chunk)
    own = replace(data, window=chunk.data_description)
    return own if chunk.selection.any_uv else within_uv(own, chunk.selection)


def coordinates(chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Baseline coordinates (m) and frequencies (Hz) of one chunk, in any order of rows.

    Raises
    ------
    DataError
        The data set cannot be read.
    """
    return reader_of(chunk.url).coordinates(chunk)
