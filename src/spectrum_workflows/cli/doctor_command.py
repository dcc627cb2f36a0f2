"""``spectrum doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import (
    Data,
    Json,
    NoUserCode,
    Out,
    Set,
    SiteOption,
    changes,
    trusted_spec,
)

OfSpec = Annotated[
    str | None,
    typer.Option("--spec", metavar="SPEC", help="Look for its input, and at its largest task."),
]
SessionOnly = Annotated[
    bool, typer.Option("--session-only", help="Ask for no worker: look at this session alone.")
]


def doctor(
    site: SiteOption = None,
    spec: OfSpec = None,
    change: Set = None,
    data: Data = None,
    out: Out = None,
    session_only: SessionOnly = False,
    no_user_code: NoUserCode = False,
    json: Json = False,
) -> None:
    """Say whether work would start at a site, and what to do if not.

    This session is looked at first; where nothing is wrong with it, one worker of
    the site looks from inside: a batch job of five minutes at the most, which ends after
    seconds. Exits with 0 if work would start, else with 1.
    """
    from spectrum_workflows.doctor.diagnosis import diagnose
    from spectrum_workflows.sites import Place, load_site

    profile = load_site(site, changes=changes(change))
    place = Place(profile, data or profile.data, out or profile.results)
    asked = trusted_spec(spec, site, no_user_code=no_user_code) if spec else None
    diagnosis = diagnose(place, spec=asked, probe=not session_only)
    if json:
        screen.as_json(diagnosis.summary)
    else:
        screen.text(str(diagnosis))
    if not diagnosis.starts:
        raise typer.Exit(1)
