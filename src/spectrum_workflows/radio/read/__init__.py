"""Finding a data set and reading it, whatever its format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spectrum_workflows.radio.read.choices import fields_in, within_uv
from spectrum_workflows.radio.read.finding import find, inputs
from spectrum_workflows.radio.read.formats import reader_of
from spectrum_workflows.radio.read.msv2.files import is_measurement_set
from spectrum_workflows.radio.read.reader import Chosen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.reader import Choice
    from spectrum_workflows.radio.types import Chunk, Observation, Visibilities

__all__ = [
    "coordinates",
    "describe",
    "describe_all",
    "find",
    "inputs",
    "is_measurement_set",
    "read",
]


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


def describe_all(choice: Choice, url: str) -> tuple[Observation, ...]:
    """The same of every field that is chosen, by their numbers.

    Raises
    ------
    DataError, SpecError
        As `describe`, of any of them.
    """
    reader = reader_of(url)
    if choice.field != "all" and not isinstance(choice.field, tuple):
        return (reader.describe(choice, url),)
    of_one = Chosen(
        column=choice.column,
        spectral_window=choice.spectral_window,
        data_description=choice.data_description,
        hands=choice.hands,
        select=choice.select,
    )
    numbers = fields_in(choice.field, reader.fields(url), url)
    return tuple(reader.describe(replace(of_one, field=number), url) for number in numbers)


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
