"""``spectrum report``."""

from __future__ import annotations

from typing import Annotated

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import SiteOption

Run = Annotated[str, typer.Argument(metavar="FOLDER", help="Folder of a saved run.")]


def report(run: Run, site: SiteOption = None) -> None:
    """Write report.html into the folder of a saved run: one file for any browser.

    Numbers, pictures, partitions in time, throughput, forecast beside fact, failures, versions
    and digest. The site says how a store is reached, if the run is in one.
    """
    from spectrum_workflows import storage
    from spectrum_workflows.reporting import write_report
    from spectrum_workflows.sites import load_site

    stores = storage.Stores()
    if site is not None or not storage.is_local(run):
        stores = load_site(site).stores
    with storage.using(stores):
        screen.text(write_report(run))
