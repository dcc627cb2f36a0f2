"""``spectrum data``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import (
    Data,
    Json,
    NoUserCode,
    Set,
    SiteOption,
    Spec,
    changes,
    trusted_spec,
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Make, convert, fetch and verify the data that specs name.

* `spectrum data make SPEC` writes the synthetic data that a spec describes
* `spectrum data convert NAME.ms s3://bucket/NAME.zarr` writes visibilities for object stores
* `spectrum data list` shows public data sets; `fetch NAME` copies one, `verify` checks it
* `spectrum data convert IN.root OUT.root --spec SPEC` keeps a spec's branches, compressed with ZSTD
""",
)
Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A Measurement Set, or a ROOT file (IN.root:TREE).")
]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="URL to write: .zarr, or .root.")]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B", help="Columns or branches to keep; default: all."),
]
OfSpec = Annotated[
    str | None, typer.Option("--spec", metavar="SPEC", help="Keep the branches that a spec reads.")
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
    change: Set = None,
    data: Data = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Events per sample, or visibilities.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Make anew what was made before.")] = False,
    no_user_code: NoUserCode = False,
) -> None:
    """Write the synthetic data a spec names, below the data root."""
    from spectrum_workflows.examples import make_data
    from spectrum_workflows.sites import Place, load_site

    run_spec = trusted_spec(spec, no_user_code=no_user_code)
    profile = load_site(site, changes=changes(change))
    place = Place(profile, data or profile.data, profile.results)
    for url in make_data(run_spec, place, size=size, overwrite=overwrite):
        screen.text(url)


@app.command("convert")
def convert_command(
    source: Source,
    target: Target,
    columns: Columns = None,
    spec: OfSpec = None,
    output_channels: Annotated[
        int | None, typer.Option(help="Visibilities: pieces of the frequency axis (default 8).")
    ] = None,
    cluster_events: Annotated[
        int | None, typer.Option(help="Events: how many are compressed together.")
    ] = None,
    overwrite: Overwrite = False,
    no_user_code: NoUserCode = False,
    site: SiteOption = None,
    change: Set = None,
    json: Json = False,
) -> None:
    """Write data in the form that is best read from a store.

    A Measurement Set becomes a Zarr set in the MSv4 schema; run the same
    command again after an interruption and it goes on where it was.  Of a ROOT
    file some branches are written anew, compressed with ZSTD.  Results from
    the new form are the same, to the bit.
    """
    from spectrum_workflows import datasets
    from spectrum_workflows.sites import load_site

    wanted = [name.strip() for name in (columns or "").split(",") if name.strip()]
    if spec:
        wanted += datasets.columns_of(trusted_spec(spec, no_user_code=no_user_code))
    options = {"output_channels": output_channels, "cluster_events": cluster_events}
    said = datasets.convert_data(
        source,
        target,
        stores=load_site(site, changes=changes(change)).stores,
        columns=wanted,
        options={k: v for k, v in options.items() if v is not None},
        overwrite=overwrite,
    )
    if json:
        screen.as_json(said)
    else:
        screen.text(_describe(said))


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
        screen.as_json({name: found.model_dump(mode="json") for name, found in entries.items()})
        return
    rows = [
        {
            "name": name,
            "what": found.title + ("" if found.fetched_in_tests else " - not fetched in our tests"),
            "files": len(found.files),
            "GB": f"{found.size / 1e9:.2f}" if found.size else "?",
            "events": f"{found.events:,}" if found.events else "",
            "licence": found.licence,
        }
        for name, found in entries.items()
    ]
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
    from spectrum_workflows import datasets
    from spectrum_workflows.sites import load_site

    profile = load_site(site, changes=changes(change))
    rows = datasets.fetch_data(name, data or profile.data, stores=profile.stores, unpacked=unpacked)
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


def _describe(said: dict[str, Any]) -> str:
    """What a conversion did, in one line."""
    what = "events" if "events" in said else "visibilities"
    line = f"{said['url']}: {said[what]:,} {what}, {said['bytes'] / 1e6:,.1f} MB written"
    line += f" in {said['seconds']:.1f} s, peak memory {said['peak_memory'] / 1e6:,.0f} MB"
    if said.get("kept") and not said["bytes"]:
        return f"{said['url']}: complete already"
    line += f", {said['kept']} blocks were there" if said.get("kept") else ""
    left = ", ".join(said.get("left_out", ()))
    return line + (f"; left out, not filled in every row: {left}" if left else "")
