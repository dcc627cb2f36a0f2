"""``spectrum proof``."""

from __future__ import annotations

from typing import Annotated

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import Json

Sites = Annotated[
    list[str] | None,
    typer.Option("--site", metavar="NAME|FILE", help="A site; give it several times."),
]
Notebooks = Annotated[
    list[str] | None,
    typer.Option("--notebook", metavar="FILE", help="A notebook; give it several times."),
]
Stores = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="TOML file of stores to read the data from, see below."),
]
Full = Annotated[
    bool, typer.Option("--full", help="Every site with every store, not each of them twice.")
]
Pythons = Annotated[
    list[str] | None,
    typer.Option("--python", metavar="FILE", help="Another environment's Python; several times."),
]
Folder = Annotated[str, typer.Option(help="Folder for data, results and the table.")]


def proof(
    site: Sites = None,
    notebook: Notebooks = None,
    stores: Stores = None,
    full: Full = False,
    python: Pythons = None,
    out: Folder = "spectrum-proof",
    json: Json = False,
) -> None:
    """Run the quick-start notebooks at several sites and compare their results.

    The files are the same, byte for byte; only SPECTRUM_SITE differs.  Writes
    proof.json and proof.md; exits with 1 unless all results are the same.

    With --full, further runs at the laptop start where the environment asks for
    other machine code: ducc0's of x86-64-v2, v3 and v4, and OpenBLAS' of two
    other processors.  The first shows how far results are below
    x86-64-v3, and need not agree.

    With --stores the data also comes from other places than the folder.  The
    file has a table per store: [NAME] with data = "s3://bucket/data", upload =
    a URL to write to if that is another, notebooks = ["FOLDER/*"] if not all can
    read from it, and [NAME.storage."s3://bucket"] as in a site profile.
    """
    from spectrum_workflows import proof as proofs

    sites = site or list(proofs.SITES)
    variants = [proofs.other_python(one) for one in python or ()]
    variants += proofs.machine_codes() if full else []
    result = proofs.prove(
        sites,
        notebook or proofs.quick_starts(),
        folder=out,
        stores=proofs.read_stores(stores) if stores else (),
        full=full,
        variants=variants,
        report=lambda line: screen.note(line, quiet=json),
    )
    proofs.write(result, out)
    if json:
        screen.as_json(result.summary)
    else:
        screen.table(proofs.shown(result), title="Proof")
        screen.text("the results are the same" if result.holds else "NOT PROVED")
    if not result.holds:
        raise typer.Exit(1)
