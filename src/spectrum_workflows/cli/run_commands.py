"""``spectrum SCIENCE COMMAND RUN``: what the sciences make of saved runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from spectrum_workflows.cli import sciences, screen
from spectrum_workflows.cli.options import Json, Set, SiteOption, changes

Run = Annotated[str, typer.Argument(metavar="RUN", help="Folder of a saved run.")]
Into = Annotated[
    str | None,
    typer.Option("--out", metavar="URL", help="Folder to write to; default: one in the run's."),
]


def app_of(science: str, commands: Mapping[str, sciences.Command]) -> typer.Typer:
    """The commands of one science."""
    lines = "".join(f"* `{name}`: {command.help}\n" for name, command in commands.items())
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="markdown",
        help=f"""Go on with a saved {science} run; numbers and pictures go into its folder.

{lines}""",
    )
    for name, command in commands.items():
        function = sciences.with_options(_command(science, name, command), command.options)
        app.command(name, help=command.help)(function)
    return app


def _command(science: str, name: str, command: sciences.Command) -> Callable[..., None]:
    def call(
        run: Run,
        site: SiteOption = None,
        change: Set = None,
        out: Into = None,
        json: Json = False,
        **of_science: Any,
    ) -> None:
        from spectrum_workflows.acting import act
        from spectrum_workflows.sites import load_site

        acted = act(
            science,
            name.replace("-", "_"),
            run,
            site=load_site(site, changes=changes(change)),
            workers=command.workers,
            options=sciences.given(of_science),
            out=out,
        )
        if json:
            places = {"folder": acted.folder, "files": list(acted.files)}
            screen.as_json({**acted.product.contents.json, **places})
            return
        screen.contents(acted.product.contents)
        screen.text(f"{acted.folder}\n  {'  '.join(acted.files)}")

    return call
