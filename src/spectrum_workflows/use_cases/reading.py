"""Sheets and the runs that fill them in, from their files."""

from __future__ import annotations

from pathlib import Path

from spectrum_workflows import shipped, storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.projection.rates import Measured, measured
from spectrum_workflows.record import read_record
from spectrum_workflows.specs import parse, read_toml
from spectrum_workflows.use_cases.sheet import UseCase

FILE = "use_case.toml"


def names() -> list[str]:
    """Names of the shipped sheets: the folders of ``workflows`` that have one."""
    return sorted(path.parent.name for path in shipped.folder("workflows").glob(f"*/{FILE}"))


def load_use_case(source: str | Path) -> UseCase:
    """Read a sheet.

    Parameters
    ----------
    source : str or Path
        A TOML file, or the name of a shipped one: ``hep``, ``radio``.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    SpecError
        It is not a sheet: a heading is missing, or a figure is not known.
    """
    where = str(source)
    if where in names() and not Path(where).is_file():
        where = str(shipped.folder("workflows") / where / FILE)
    try:
        text = storage.read_bytes(where)
    except DataNotFoundError:
        remedy = f"give the path of a TOML file, or a shipped one by name: {', '.join(names())}"
        raise DataNotFoundError("no such use case", where, remedy) from None
    return parse(UseCase, read_toml(text, where=where), where=where, exact=True)


def figures_of(case: UseCase, folder: str) -> Measured:
    """What a saved run fills into a sheet.

    Raises
    ------
    DataNotFoundError
        There is no finished run in the folder.
    DataError
        The run is of another science, or its record has no figures.
    """
    run = measured(read_record(folder), folder)
    if run.workflow != case.workflow:
        remedy = f"give a run of {case.workflow}"
        raise DataError(
            f"this is a run of {run.workflow}, the sheet is of {case.workflow}", folder, remedy
        )
    return run
