"""Opening the tables of a Measurement Set, and taking their words for what they are."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import AccessError, DataError, SpectrumError
from spectrum_workflows.radio.read.units import units_factor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TYPES = {"boolean": np.bool_, "int": np.int32, "float": np.float32, "double": np.float64}
TYPES |= {"complex": np.complex64, "dcomplex": np.complex128}
"""casacore's names of the types of columns that are read, and NumPy's."""

MALFORMED = (RuntimeError, ValueError, TypeError, LookupError, OverflowError, MemoryError)
"""What comes out of casacore and NumPy where a table is not what it should be."""

CONTRADICTION = "the set contradicts itself: write it again"


@contextmanager
def opened(url: str, subtable: str = "") -> Iterator[Any]:
    """A casacore table, without locks and without chatter.

    Raises
    ------
    DataError
        It is not a Measurement Set, lacks the subtable, or cannot be read.
    AccessError
        Its files may not be read.
    """
    import casacore.tables as casa

    os.environ.setdefault("HOME", os.sep)  # casacore wants one, which a bare container lacks
    path = storage.local_path(url)
    name = f"{path}::{subtable}" if subtable else str(path)
    try:
        with casa.table(name, ack=False, lockoptions="usernoread") as table:
            yield table
    except SpectrumError:
        raise
    except MALFORMED as error:
        message = (
            str(error) if isinstance(error, RuntimeError) else f"{type(error).__name__}: {error}"
        )
        raise _describe(message, url, path, subtable) from error


def _describe(message: str, url: str, path: Path, subtable: str) -> DataError | AccessError:
    """What casacore said, as an error that names the cause as far as it is known."""
    message = (message.splitlines() or ["no reason given"])[0].replace(str(path), path.name)
    if not (path / "table.dat").is_file():
        return DataError("not a Measurement Set", url, "name a folder that casacore can open")
    if subtable and ("is unknown" in message or not (path / subtable / "table.dat").is_file()):
        return DataError(f"it has no {subtable} subtable", url, "copy all of the set")
    if closed := _closed(path):
        return AccessError("the set's files may not be read", closed, "ask for read permission")
    if "not registered" in message or "is unknown" in message or "shared library" in message:
        remedy = "write the set with CASA's standard storage managers (mstransform, DP3)"
        return DataError(f"casacore here cannot read how it is stored ({message})", url, remedy)
    remedy = "copy it again, whole; what is still unreadable then is damaged at its source"
    return DataError(f"{subtable or 'main table'} unreadable ({message})", url, remedy)


def _closed(path: Path) -> str:
    """A file of the set that this user may not read."""
    files = (file for file in path.rglob("*") if not os.access(file, os.R_OK))
    return str(next(files, ""))


def has_subtable(url: str, name: str) -> bool:
    """Whether a Measurement Set has a subtable, which many may lack."""
    with opened(url) as table:
        linked = str(table.getkeywords().get(name, ""))
    return storage.local_path(linked.removeprefix("Table: ") + "/table.dat").is_file()


def cell(table: Any, column: str, row: int, where: tuple[str, str, str]) -> Any:
    """The value of a column in one row of a subtable.

    Parameters
    ----------
    table : casacore.tables.table
    column : str
    row : int
    where : tuple of str
        URL of the set, name of the subtable, and the column that gave the row's number.

    Raises
    ------
    DataError
        There is no such row or no such column, or it holds nothing.
    """
    url, name, pointer = where
    if not 0 <= row < table.nrows():
        message = f"{pointer} is {row}, but the {name} subtable has {table.nrows()} rows"
        raise DataError(message, url, CONTRADICTION)
    if column not in table.colnames():
        raise DataError(f"the {name} subtable has no column {column}", url, CONTRADICTION)
    if not table.iscelldefined(column, row):
        raise DataError(f"{column} of row {row} of {name} holds no value", url, CONTRADICTION)
    return table.getcell(column, row)


def factor(table: Any, column: str, unit: str, url: str) -> float:
    """The factor that brings the values of a column to a unit.

    Raises
    ------
    DataError
        The column's QuantumUnits are not of that kind.
    """
    return units_factor(table.getcolkeywords(column).get("QuantumUnits", ()), unit, column, url)
