"""``spectrum use-case``."""

from __future__ import annotations

from typing import Annotated

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import Json, SiteOption

Source = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="Name of a shipped sheet, or a TOML file.")
]
Run = Annotated[
    str | None,
    typer.Option("--run", metavar="FOLDER", help="A saved run, which fills in the figures."),
]


def use_case(source: Source, run: Run = None, site: SiteOption = None, json: Json = False) -> None:
    """Print a workflow's sheet under SPECTRUM's eight headings, as Markdown.

    With --run it has the figures that the run measured: bytes read, items per second and core,
    CPU-hours, peak memory, the fraction of the data that was read.
    """
    from spectrum_workflows import storage
    from spectrum_workflows.sites import load_site
    from spectrum_workflows.use_cases.page import page, summary
    from spectrum_workflows.use_cases.reading import figures_of, load_use_case

    remote = site is not None or not all(map(storage.is_local, filter(None, (source, run))))
    with storage.using(load_site(site).stores if remote else storage.Stores()):
        case = load_use_case(source)
        figures = figures_of(case, run) if run is not None else None
    if json:
        screen.as_json(dict(summary(case, figures)))
    else:
        screen.text(page(case, figures).rstrip())
