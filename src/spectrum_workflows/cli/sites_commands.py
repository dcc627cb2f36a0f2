"""``spectrum sites`` and ``spectrum schema``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import Json, Set, changes

app = typer.Typer(
    invoke_without_command=True,
    help="List the site profiles; `show NAME` says what is in one.",
)
Name = Annotated[str | None, typer.Argument(metavar="[NAME|FILE]", help="Default: SPECTRUM_SITE.")]
Kind = Annotated[
    str,
    typer.Argument(metavar="site|use-case|targets|WORKFLOW", help="What the TOML file is."),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="A page of all keys, to read.")]


@app.callback()
def sites(context: typer.Context, json: Json = False) -> None:
    """List the profiles that can be named, and where they are written."""
    if context.invoked_subcommand is not None:
        return
    from spectrum_workflows.sites import resolve, site_names
    from spectrum_workflows.specs import read_toml

    rows = []
    for name, path in site_names().items():
        own = read_toml(path.read_bytes(), where=str(path))
        rows.append({"name": name, "description": own.get("description", ""), "file": str(path)})
    if json:
        screen.as_json({"sites": rows, "default": resolve().name})
    else:
        screen.table(rows, title=f"Sites (default: {resolve().name})")


@app.command("show")
def show(name: Name = None, change: Set = None, json: Json = False) -> None:
    """Show a profile with all it inherits, where each value comes from, and its batch job."""
    from spectrum_workflows.sites import job_script, load_site, resolve

    overrides = changes(change)
    resolved = resolve(name, changes=overrides)
    site = load_site(name, changes=overrides)
    script = job_script(site)
    if json:
        values = {"site": site.model_dump(mode="json"), "origins": resolved.origins}
        screen.as_json({"name": resolved.name, **values, "job_script": script})
        return
    screen.profile(resolved.name, _flat(site.model_dump(mode="json")), resolved.origins)
    if script:
        screen.text("\nThe job of each worker (RUN, SCHEDULER and WORKER are new in every run):\n")
        screen.text(script.rstrip())


def schema(kind: Kind, markdown: Markdown = False) -> None:
    """Print the JSON Schema of a profile, a sheet, targets or a workflow's specs, for editors."""
    from spectrum_workflows import domain
    from spectrum_workflows.keys import reference
    from spectrum_workflows.projection.targets import Targets
    from spectrum_workflows.sites import profile_schema
    from spectrum_workflows.use_cases.sheet import UseCase

    others: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        "site": ("Keys of a site profile", profile_schema),
        "use-case": ("Keys of a use-case sheet", UseCase.model_json_schema),
        "targets": ("Keys of a file of targets", Targets.model_json_schema),
    }
    title, schema_of = others.get(kind) or (
        f"Keys of a {kind} spec",
        domain.get(kind).spec.model_json_schema,
    )
    json_schema = schema_of()
    if markdown:
        screen.text(reference(json_schema, title=title).rstrip())
        return
    dialect = "https://json-schema.org/draft/2020-12/schema"
    screen.as_json({"$schema": dialect, **json_schema})


def _flat(table: dict[str, Any], at: str = "") -> dict[str, Any]:
    """Dotted keys of a nested table, without what is not set."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{at}.{key}" if at else key
        if isinstance(value, dict):
            out |= _flat(value, where)
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            for n, one in enumerate(value):
                out |= _flat(one, f"{where}[{n}]")
        elif value not in (None, [], ""):
            out[where] = value
    return out
