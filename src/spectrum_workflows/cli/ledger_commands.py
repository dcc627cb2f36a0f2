"""``spectrum ledger``: what is kept of runs that were ended, to go on from."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from spectrum_workflows import display
from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import Json, Out, Set, SiteOption, changes
from spectrum_workflows.errors import SpecError

if TYPE_CHECKING:
    from spectrum_workflows.sites import Place

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""What runs have finished before they were ended, below the results root.

A run that is given again goes on from there. Nothing is used for another question: other cuts,
bins, input, code or libraries compute everything. What a skim keeps serves other questions, too.
""",
)

Days = Annotated[
    float | None,
    typer.Option("--older-than", metavar="DAYS", help="Those to which nothing was added for long."),
]
Questions = Annotated[
    list[str] | None,
    typer.Argument(metavar="[QUESTION]...", help="As `list` names them; a beginning is enough."),
]
Everything = Annotated[bool, typer.Option("--all", help="All of them.")]


@app.command("list")
def list_command(
    site: SiteOption = None, change: Set = None, out: Out = None, json: Json = False
) -> None:
    """List the questions of which something is kept, and how much."""
    from spectrum_workflows import ledgers

    place = _place(site, change, out)
    questions, skims = ledgers.questions(place), ledgers.skims(place)
    if json:
        listed = [{k: v for k, v in asdict(one).items() if k != "urls"} for one in skims]
        screen.as_json({"questions": [asdict(one) for one in questions], "skims": listed})
        return
    for one in questions:
        finished = f"{one.finished:,} of {display.counted(one.partitions, 'partition')}"
        share = one.reached[-1] if one.reached else finished
        size = f"{display.counted(one.entries, 'object')}, {display.megabytes(one.nbytes)}"
        screen.text(f"{one.key[:12]}  {one.written}  {one.workflow} {one.name}: {share}; {size}")
    for kept in skims:
        number = display.counted(kept.partitions, "partition")
        size = f"{number}, {display.megabytes(kept.nbytes)}"
        screen.text(f"{kept.key[:12]}  {kept.written}  {kept.workflow} {kept.name}: skim of {size}")
    if not (questions or skims):
        screen.text("nothing is kept")


@app.command("verify")
def verify_command(
    site: SiteOption = None, change: Set = None, out: Out = None, json: Json = False
) -> None:
    """Read every entry and name those that are damaged; exits with 3 if there are any."""
    from spectrum_workflows import ledgers

    place = _place(site, change, out)
    questions, skims = ledgers.questions(place), ledgers.skims(place)
    damaged = [url for one in questions for url in one.damaged] + ledgers.damaged_skims(place)
    number = sum(one.entries for one in questions) + sum(one.partitions for one in skims)
    if json:
        screen.as_json({"entries": number, "damaged": damaged})
    else:
        for url in damaged:
            screen.text(f"damaged: {url}")
        whole = number - len(damaged)
        screen.text(f"entries that are whole: {whole:,}")
    if damaged:
        raise typer.Exit(3)


@app.command("prune")
def prune_command(
    questions: Questions = None,
    everything: Everything = False,
    older_than: Days = None,
    site: SiteOption = None,
    change: Set = None,
    out: Out = None,
) -> None:
    """Remove what is kept of some questions, or of all."""
    from spectrum_workflows.ledgers import prune

    if not (questions or everything or older_than is not None):
        raise SpecError(
            "nothing is named to be removed", remedy="give QUESTION, --older-than or --all"
        )
    limit = None if older_than is None else timedelta(days=older_than)
    for one in prune(_place(site, change, out), questions or (), older_than=limit):
        screen.text(f"removed {one.key[:12]} ({one.workflow} {one.name})")


def _place(site: str | None, change: list[str] | None, out: str | None) -> Place:
    from spectrum_workflows.sites import Place, load_site

    profile = load_site(site, changes=changes(change))
    return Place(profile, profile.data, out or profile.results)
