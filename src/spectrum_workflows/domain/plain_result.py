"""Defaults for a science whose result is a dataclass of arrays and numbers."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, make_dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.float64]]

FILE = "arrays.npz"
"""All arrays of a result, in NumPy's own format."""

PICTURE = "result.png"

ROUNDING = 1e-9
"""How far two results of different processors may differ, relative to their largest number."""


def arrays(result: Any) -> Arrays:
    """The fields of a dataclass that are arrays of real numbers, as float64."""
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    return {
        name: np.asarray(value, np.float64)
        for name, value in values.items()
        if isinstance(value, np.ndarray) and np.isrealobj(value)
    }


def summary(result: Any) -> dict[str, Any]:
    """The fields of a dataclass that are numbers or text."""
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    return {name: v for name, v in values.items() if isinstance(v, str | int | float)}


def files(arrays: Callable[[Any], Arrays], result: Any) -> Iterator[tuple[str, bytes]]:
    """One file that holds the arrays; the same bytes for the same arrays."""
    buffer = io.BytesIO()
    named: dict[str, Any] = dict(arrays(result))
    np.savez(buffer, allow_pickle=False, **named)
    yield FILE, buffer.getvalue()


def read(folder: str) -> Arrays:
    """The arrays back from what `files` made.

    Raises
    ------
    DataNotFoundError
        It is not there.
    DataError
        It is another file.
    """
    url = storage.join(folder, FILE)
    try:
        with np.load(io.BytesIO(storage.read_bytes(url)), allow_pickle=False) as stored:
            return dict(stored)
    except (ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"not a file of arrays ({error})", url) from None


def load(read: Callable[[str], Arrays], folder: str, _spec: Any, summary: Mapping[str, Any]) -> Any:
    """The arrays of a saved run and the numbers and texts of its summary, as a dataclass."""
    numbers = {name: v for name, v in summary.items() if isinstance(v, str | int | float)}
    values = {**numbers, **read(folder)}
    named = {name: value for name, value in values.items() if name.isidentifier()}
    return make_dataclass("SavedResult", [*named], frozen=True)(**named)


def import_xarray(function: str = "to_xarray") -> ModuleType:
    """The module xarray, which takes a second and is not needed to compute.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        return import_module("xarray")
    except ImportError as error:
        raise MissingExtraError(f"{function} needs xarray", remedy="pip install xarray") from error


def dataset(arrays: Callable[[Any], Arrays], result: Any) -> Any:
    """The arrays, each with dimensions of its own.

    Raises
    ------
    MissingExtraError
        xarray is not installed.
    """
    xr = import_xarray()
    return xr.Dataset(
        {
            name: (tuple(f"{name}_{n}" for n in range(array.ndim)), array)
            for name, array in arrays(result).items()
        }
    )


def table(summary: Callable[[Any], Mapping[str, Any]], result: Any) -> list[dict[str, Any]]:
    """One record: the numbers and texts of the summary."""
    values = summary(result).items()
    return [{name: value for name, value in values if isinstance(value, str | int | float)}]


def plot(arrays: Callable[[Any], Arrays], result: Any) -> Figure:
    """The arrays as lines or maps, one below the other."""
    from matplotlib.figure import Figure

    shown = {name: a for name, a in arrays(result).items() if a.ndim in (1, 2) and a.size > 1}
    figure = Figure(figsize=(8, 1 + 2.5 * len(shown)), layout="constrained")
    for n, (name, array) in enumerate(shown.items(), start=1):
        axes = figure.add_subplot(len(shown), 1, n, title=name)
        if array.ndim == 1:
            axes.plot(array, lw=0.8)
        else:
            axes.imshow(array, aspect="auto", origin="lower")
    return figure


def pictures(plot: Callable[[Any], Figure], result: Any) -> Iterator[tuple[str, Figure]]:
    """The figure of `plot`."""
    yield PICTURE, plot(result)
