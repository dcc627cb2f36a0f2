"""Output of the command line."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spectrum_workflows import display
from spectrum_workflows.credentials import hidden
from spectrum_workflows.jsontext import as_json as json_text

if TYPE_CHECKING:
    from spectrum_workflows.domain import Contents
    from spectrum_workflows.record import Comparison

HIDDEN = {"workflow", "name", "digest", "failures", "warnings", "partial", "fraction"}


def text(line: str) -> None:
    """One plain line on standard output."""
    sys.stdout.write(line + "\n")


def note(line: str, *, quiet: bool = False) -> None:
    """One line about progress, on standard error."""
    if not quiet:
        sys.stderr.write(hidden(line) + "\n")


def error(message: str) -> None:
    """One line about what went wrong, on standard error."""
    sys.stderr.write("spectrum: " + hidden(" ".join(message.split())) + "\n")


def as_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    text(json_text(value))


def outcomes(runs: list[tuple[dict[str, Any], str]]) -> None:
    """One table with the results of some runs; below it the folder of each, and its files.

    Folders stand on lines of their own and are never folded, so that they can be copied.
    """
    from spectrum_workflows.domain import completeness
    from spectrum_workflows.record import read_record

    table = Table(title="Results", show_lines=False)
    for column in ("run", "what", "value"):
        table.add_column(column, overflow="fold")
    files: dict[str, list[str]] = {}
    for summary, folder in runs:
        table.add_section()
        title = escape(f"{summary['name']} ({summary['workflow']})")
        if summary["partial"]:
            sizes = [failure["size"] for failure in summary["failures"]]
            share = completeness(summary["fraction"], sizes)
            table.add_row(title, "completeness", f"[bold red]{share}[/bold red]")
        for failure in summary["failures"]:
            table.add_row("", "failed", escape(f"{failure['where']}: {failure['error']}"))
        shown = {k: v for k, v in summary.items() if k not in HIDDEN}
        for n, (key, value) in enumerate(display.lines(shown)):
            table.add_row(title if n == 0 else "", escape(key), escape(value))
        for warning in summary["warnings"]:
            table.add_row("", "note", escape(warning))
        table.add_row("", "digest", summary["digest"][:16] + "…")
        saved = read_record(folder)
        for row in _saved_rows(saved):
            table.add_row("", *row)
        tops = (entry["name"].partition("/")[0] for entry in saved["objects"])
        files[folder] = [*dict.fromkeys(tops), "record.json"]
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140).print(table)
    for folder, names in files.items():
        text(f"{folder}\n  {'  '.join(names)}")


def _saved_rows(saved: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a record says of a run besides its numbers."""
    from spectrum_workflows.accounting.accounts import read_accounts

    if accounts := saved.get("accounts"):
        yield "energy", escape(read_accounts(accounts).line)
    for line in saved.get("notes", ()):
        yield "note", escape(line)
    for line in saved.get("lost", ()):
        yield "not saved", f"[bold red]{escape(line)}[/bold red]"


def table(rows: list[dict[str, Any]], *, title: str) -> None:
    """Rows with the same keys, under their names."""
    shown = Table(title=title, title_justify="left")
    for column in rows[0] if rows else ():
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(display.plain(value)) for value in row.values()))
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140).print(shown)


def contents(described: Contents, *, most: int = display.MOST_ROWS) -> None:
    """What is in a data set: its numbers, and a table of each kind of thing in it."""
    console = Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140)
    shown = Table(title=escape(described.title), title_justify="left", show_header=False)
    for name, value in described.lines:
        shown.add_row(escape(name), escape(value))
    console.print(shown)
    for one in described.tables:
        listed = Table(title=one.name, title_justify="left")
        for column in one.head:
            listed.add_column(escape(column), overflow="fold")
        for row in one.cells[:most]:
            listed.add_row(*map(escape, row))
        console.print(listed)
        if len(one.cells) > most:
            text(f"… and {len(one.cells) - most:,} more {one.name} (all: --json)")
    for line in described.notes:
        text(f"note: {line}")


def profile(name: str, values: dict[str, Any], origins: dict[str, str]) -> None:
    """A site profile as TOML, with the origin of every value as a comment."""
    lines = [(f"{key} = {json_module.dumps(value)}", key) for key, value in values.items()]
    width = min(60, max(len(line) for line, _ in lines))
    text(f"# site {name}")
    for line, key in lines:
        text(f"{line:<{width}}  # {origins.get(key, 'default')}")


def comparison(compared: Comparison, *, json: bool) -> None:
    """A verdict, and the arrays that differ."""
    if json:
        pairs = {k: {"found": f, "allowed": a} for k, (f, a) in compared.deviations.items()}
        as_json({"verdict": compared.verdict, "deviations": pairs, "notes": list(compared.notes)})
        return
    text(compared.verdict)
    for line in compared.notes:
        text(f"  note: {line}")
    for name, (have, allowed) in compared.deviations.items():
        text(f"  {name}: differs by {have:.3g}, allowed {allowed:.3g}")
