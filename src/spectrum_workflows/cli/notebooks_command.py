"""The command that gives somebody the shipped notebooks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from spectrum_workflows import shipped
from spectrum_workflows.cli import screen
from spectrum_workflows.errors import OutputError

KINDS = ("*.ipynb", "*.toml", "*.json", "*.py", "*.smk", "*.cwl", "*.yaml")


def notebooks(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Where to; made if it is not there.")
    ],
) -> None:
    """Copy the shipped notebooks, with the specs they read, to a folder of yours.

    Files that are there already stay as they are, and are named.
    """
    source, target = shipped.folder("workflows"), Path(folder).expanduser()
    kept = []
    for kind in KINDS:
        for file in sorted(source.rglob(kind)):
            copy = target / file.relative_to(source)
            if any(part.startswith(".") for part in file.relative_to(source).parts):
                continue
            if copy.exists():
                kept.append(copy)
                continue
            try:
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
            except OSError as error:
                raise OutputError(str(error.strerror), str(copy), "give another folder") from error
            if copy.suffix == ".ipynb":
                screen.text(str(copy))
    if kept:
        screen.note(f"{len(kept)} files were there and stay as they are, {kept[0]} among them")
