"""``spectrum verify`` and ``spectrum export``."""

from __future__ import annotations

from typing import Annotated

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import Data, Json, Set, SiteOption, changes

Crate = Annotated[
    str, typer.Argument(metavar="CRATE", help="Folder of a saved run, or zip file of one.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Folder of a saved run.")]
Archive = Annotated[str, typer.Argument(metavar="FILE.zip", help="Zip file to be made.")]
Keep = Annotated[
    str | None,
    typer.Option("--out", metavar="URL", help="Results root that keeps the new run."),
]
Stored = Annotated[
    bool, typer.Option("--stored", help="Look at the stored files only, and run nothing.")
]
UserCode = Annotated[
    bool,
    typer.Option("--user-code", help="Run code of the crate that is not part of this package."),
]
Anyway = Annotated[
    bool,
    typer.Option("--anyway", help="Run it even if input, code or versions are others here."),
]


def verify(
    crate: Crate,
    site: SiteOption = None,
    change: Set = None,
    data: Data = None,
    out: Keep = None,
    stored: Stored = False,
    user_code: UserCode = False,
    anyway: Anyway = False,
    json: Json = False,
) -> None:
    """Run a saved run again, here or at another site: identical, equivalent, or what differs.

    Stored files, input, code and versions are looked at first; where they are others, nothing
    is run, and each is named.  Exits with 1 unless the run stands.
    """
    from spectrum_workflows.crates import verifying
    from spectrum_workflows.sites import load_site

    verification = verifying.verify(
        crate,
        site=load_site(site, changes=changes(change)),
        data=data,
        out=out,
        stored=stored,
        user_code=user_code,
        anyway=anyway,
    )
    if json:
        screen.as_json(verification.summary)
    else:
        screen.text(str(verification))
    if not verification.ok:
        raise typer.Exit(1)


def export(run: Run, archive: Archive, site: SiteOption = None, json: Json = False) -> None:
    """Write a saved run into one zip file, with all that is needed to verify it elsewhere.

    That is result, record, spec, code of its own and versions, not the input data. The same run
    gives the same bytes. The site says how a store is reached.
    """
    from spectrum_workflows.crates import exporting
    from spectrum_workflows.sites import load_site

    url = exporting.export(run, archive, site=load_site(site) if site else None)
    if json:
        screen.as_json({"archive": url})
    else:
        screen.text(url)
