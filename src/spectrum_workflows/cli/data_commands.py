"""``spectrum data``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectrum_workflows import display
from spectrum_workflows.cli import sciences, screen
from spectrum_workflows.cli.options import (
    Data,
    Json,
    NoUserCode,
    Set,
    SetBoth,
    SiteOption,
    Spec,
    changes,
    question,
    trusted_spec,
)

if TYPE_CHECKING:
    from spectrum_workflows.domain import Converter

WORDS = sciences.COMMAND_LINE

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Make, convert, fetch and verify the data that specs name.

* `spectrum data make SPEC` writes the synthetic data that a spec describes
* `spectrum data show SET` says what is in a data set, and what one may choose
* `spectrum data list` shows public data sets; `fetch NAME` copies one, `verify` checks it
"""
    + "".join(f"* {line}\n" for line in WORDS.conversions),
)
Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help=f"What to convert: {', or '.join(WORDS.sources)}.")
]
Target = Annotated[
    str, typer.Argument(metavar="TARGET", help=f"URL to write: {', or '.join(WORDS.targets)}.")
]
Shown = Annotated[
    str, typer.Argument(metavar="SET", help=f"What to look into: {', or '.join(WORDS.shown)}.")
]
PlotFile = Annotated[
    str | None, typer.Option("--plot", metavar="FILE", help="Draw it too: .png, .pdf or .svg.")
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B", help="Columns to keep; default: all."),
]
OfSpec = Annotated[
    str | None, typer.Option("--spec", metavar="SPEC", help="Keep the columns that a spec reads.")
]
Unpacked = Annotated[
    int | None,
    typer.Option(min=1, metavar="BYTES", help="What an archive may unpack to, in all."),
]
EntryName = Annotated[str, typer.Argument(metavar="NAME", help="An entry: spectrum data list.")]
Entries = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Entries; default: all with a file there."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


@app.command("make")
def make_command(
    spec: Spec,
    site: SiteOption = None,
    change: SetBoth = None,
    data: Data = None,
    size: Annotated[
        int | None, typer.Option(min=1, help=f"How much: {', or '.join(WORDS.sizes)}.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Make anew what was made before.")] = False,
    no_user_code: NoUserCode = False,
) -> None:
    """Write the synthetic data a spec names, below the data root."""
    from spectrum_workflows.examples import make_data
    from spectrum_workflows.sites import Place, load_site

    asked = question(spec, change, site=site, no_user_code=no_user_code)
    profile = load_site(site, changes=asked.profile)
    place = Place(profile, data or profile.data, profile.results)
    for url in make_data(asked.spec, place, size=size, overwrite=overwrite):
        screen.text(url)


def convert_command(
    source: Source,
    target: Target,
    columns: Columns = None,
    spec: OfSpec = None,
    overwrite: Overwrite = False,
    no_user_code: NoUserCode = False,
    site: SiteOption = None,
    change: Set = None,
    json: Json = False,
    **of_science: Any,
) -> None:
    """Write data in the form that is best read from a store."""
    from spectrum_workflows import datasets
    from spectrum_workflows.sites import load_site

    profile = load_site(site, changes=changes(change))
    kept = [name.strip() for name in (columns or "").split(",") if name.strip()]
    if spec:
        kept += datasets.columns_of(trusted_spec(spec, site, no_user_code=no_user_code))
    numbers = datasets.convert_data(
        source,
        target,
        stores=profile.stores,
        columns=kept,
        options=sciences.given(of_science),
        overwrite=overwrite,
    )
    if json:
        screen.as_json(numbers)
    else:
        screen.text(_describe(numbers, datasets.converter_of(source)))


app.command(
    "convert",
    help=" ".join(
        [
            "Write data in the form that is best read from a store.\n\n",
            *WORDS.converting,
            "Results from the new form are the same, to the bit.",
        ]
    ),
)(sciences.with_options(convert_command, WORDS.convert))


@app.command("show", help=f"Show what is in {', or '.join(WORDS.shown)}, wherever it is.")
def show_command(
    source: Shown,
    plot: PlotFile = None,
    site: SiteOption = None,
    change: Set = None,
    json: Json = False,
) -> None:
    """Show what is in a data set or file."""
    from spectrum_workflows import datasets
    from spectrum_workflows.sites import load_site

    profile = load_site(site, changes=changes(change))
    contents = datasets.show_data(source, stores=profile.stores)
    if plot:
        datasets.save_plot(contents, plot)
    if json:
        screen.as_json(contents.json)
    else:
        screen.contents(contents)


@app.command("list")
def list_command(
    site: SiteOption = None, change: Set = None, data: Data = None, json: Json = False
) -> None:
    """List the catalogue: public data sets, their size, licence and origin.

    A catalogue.toml in the data root adds entries of its own.
    """
    from spectrum_workflows import storage
    from spectrum_workflows.catalogue import catalogue
    from spectrum_workflows.sites import load_site

    profile = load_site(site, changes=changes(change))
    with storage.using(profile.stores):
        entries = catalogue(data or profile.data)
    if json:
        screen.as_json({name: entry.model_dump(mode="json") for name, entry in entries.items()})
        return
    rows = [entry.row(name) for name, entry in entries.items()]
    screen.table(rows, title="Catalogue (fetch: spectrum data fetch NAME; more: --json)")


@app.command("fetch")
def fetch_command(
    name: EntryName,
    data: Data = None,
    site: SiteOption = None,
    change: Set = None,
    unpacked: Unpacked = None,
    json: Json = False,
) -> None:
    """Copy an entry of the catalogue below the data root.

    The replicas are tried in the site's order; what was interrupted goes on
    where it was, and what comes is compared with the published checksum.  An
    archive is unpacked if it is no larger than the entry or --unpacked says,
    or else 20 times its own size.
    """
    from spectrum_workflows import datasets, policy
    from spectrum_workflows.sites import Place, load_site

    profile = load_site(site, changes=changes(change))
    root = data or profile.data
    policy.hold_copy(name, Place(profile, root, profile.results))
    rows = datasets.fetch_data(name, root, stores=profile.stores, unpacked=unpacked)
    if json:
        screen.as_json({"files": rows})
        return
    for row in rows:
        screen.text(f"{row['file']}: " + (f"from {row['replica']}" if row["replica"] else "there"))


@app.command("verify")
def verify_command(
    names: Entries = None,
    data: Data = None,
    site: SiteOption = None,
    change: Set = None,
    json: Json = False,
) -> None:
    """Compare fetched files with their published checksums. Exits with 1 if one differs.

    Of a file without a published checksum the one computed here is kept, so
    that a later change is seen.
    """
    from spectrum_workflows import datasets
    from spectrum_workflows.sites import load_site

    profile = load_site(site, changes=changes(change))
    rows = datasets.verify_data(names or (), data or profile.data, stores=profile.stores)
    if json:
        screen.as_json({"files": rows})
    elif rows:
        screen.table(rows, title="Verified")
    else:
        screen.text("no catalogued file is there")
    if any(row["state"] in ("different", "missing") for row in rows):
        raise typer.Exit(1)


def _describe(numbers: dict[str, Any], converter: Converter) -> str:
    """What a conversion did, in one line."""
    url, entries = numbers["url"], converter.entries
    if numbers.get("kept") and not numbers["bytes"]:
        return f"{url}: complete already"
    line = f"{url}: {numbers[entries]:,} {entries}, {display.megabytes(numbers['bytes'])} written"
    line += f" in {numbers['seconds']:.1f} s, peak memory {numbers['peak_memory'] / 1e6:,.0f} MB"
    return line + converter.remarks(numbers)
