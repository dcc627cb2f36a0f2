"""``spectrum usage``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import SiteOption


class Format(StrEnum):
    """Forms of usage records."""

    CAR = "car"
    AUDITOR = "auditor"
    JSONL = "jsonl"


Runs = Annotated[list[str], typer.Argument(metavar="RUN...", help="Folders of saved runs.")]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help="car: XML that APEL reads; auditor: JSON for AUDITOR; jsonl: a line of JSON per run.",
    ),
]

AsOption = Annotated[
    str,
    typer.Option(
        "--as",
        metavar="NAME",
        help="As accounting knows the site, where a run names none, or several.",
    ),
]


def usage(
    runs: Runs,
    form: FormatOption = Format.JSONL,
    named: AsOption = "",
    site: SiteOption = None,
) -> None:
    """Print what saved runs used as usage records: CPU and wall time, memory, jobs, energy.

    No user is named. Site and project are what [accounting] in the profile of the run said. The
    site says how a store is reached, if a run is in one.
    """
    from spectrum_workflows import storage
    from spectrum_workflows.accounting.usage import FORMATS, usage_of
    from spectrum_workflows.record import read_record
    from spectrum_workflows.sites import load_site

    stores = storage.Stores()
    if site is not None or not all(map(storage.is_local, runs)):
        stores = load_site(site).stores
    with storage.using(stores):
        records = [
            usage_of(read_record(run), _name(run), site=named) for run in dict.fromkeys(runs)
        ]
    screen.text(FORMATS[form](records))


def _name(run: str) -> str:
    from spectrum_workflows import storage

    path = str(storage.local_path(run).resolve()) if storage.is_local(run) else run
    return PurePosixPath(path).name
