"""``spectrum blueprint``."""

from __future__ import annotations

from typing import Annotated

import typer

from spectrum_workflows.cli import screen
from spectrum_workflows.cli.options import Json

Markdown = Annotated[bool, typer.Option("--markdown", help="As the page docs/blueprint.md.")]


def blueprint(markdown: Markdown = False, json: Json = False) -> None:
    """Print SPECTRUM's eight capability areas: what runs here, its command, figure and gap."""
    from spectrum_workflows.blueprint.page import lines, page, summary
    from spectrum_workflows.blueprint.reading import load_blueprint, load_evidence

    mapped, evidence = load_blueprint(), load_evidence()
    if json:
        screen.as_json(summary(mapped, evidence))
    elif markdown:
        screen.text(page(mapped, evidence).rstrip())
    else:
        screen.text("\n".join(lines(mapped, evidence)))
