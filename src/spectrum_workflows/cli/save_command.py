"""``spectrum save``."""

from __future__ import annotations

from typing import Annotated

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import Json, Out, Set, SiteOption, changes

Spooled = Annotated[
    str | None, typer.Argument(metavar="[SPOOLED]", help="Name or folder of a spooled result.")
]


def save(
    spooled: Spooled = None,
    out: Out = None,
    site: SiteOption = None,
    change: Set = None,
    json: Json = False,
) -> None:
    """Put a result where it should go that could not be saved when it was made.

    Without a name: list what is kept on this machine.  It goes below --out,
    else below the results root of --site, else where it was meant to go; and
    it is removed here when it has been read back from there.
    """
    from spectrum_workflows import front
    from spectrum_workflows.sites import Place, load_site

    profile = load_site(site, changes=changes(change))
    place = Place(profile, profile.data, out or profile.results)
    if spooled is None:
        kept = [vars(one) for one in front.spooled(place)]
        if json:
            screen.as_json({"spooled": kept})
        elif kept:
            screen.table(kept, title="Kept on this machine")
        else:
            screen.text("nothing is spooled")
        return
    folder = front.save_spooled(spooled, place, out=out or (profile.results if site else None))
    if json:
        screen.as_json({"folder": folder})
    else:
        screen.text(folder)
