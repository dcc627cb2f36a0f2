"""``spectrum project``."""

from __future__ import annotations

from typing import Annotated

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import Json, SiteOption
from spectrum_workflows.errors import SpecError

Runs = Annotated[list[str], typer.Argument(metavar="RUN...", help="Folders of saved runs.")]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="FILE", help="TOML file of targets; default: the shipped one."),
]
Plot = Annotated[
    str | None, typer.Option("--plot", metavar="FILE.png", help="Draw the cores into this file.")
]


def project(
    runs: Runs, to: To = None, plot: Plot = None, site: SiteOption = None, json: Json = False
) -> None:
    """Say what saved runs mean for larger data: cores, bytes per second, disk and energy.

    Rates are measured by the runs, how much there is stands in the file of targets with its
    source, and what is assumed is named. Every number has its range.
    """
    from spectrum_workflows import storage
    from spectrum_workflows.projection.projecting import project as projected
    from spectrum_workflows.projection.text import METHOD, rates_row, remarks, target_row

    if plot is not None and not plot.endswith(".png"):
        raise SpecError("a picture is written as PNG", plot, "give it a name that ends in .png")
    made = projected(runs, to, site=site)
    if plot is not None:
        storage.write_bytes(plot, made.png())
    if json:
        screen.as_json(made.summary)
        return
    screen.table([rates_row(one) for one in made.rates], title="Rates")
    screen.table([target_row(one) for one in made.estimates], title="Targets")
    for line in remarks(made.estimates, made.assumptions):
        screen.text(line)
    for note in made.notes:
        screen.text(f"note: {note}")
    screen.text(METHOD)
