"""Output of the command line."""

from __future__ import annotations

import json as json_module
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spectrum_workflows import storage
from spectrum_workflows.credentials import hidden
from spectrum_workflows.jsontext import as_json as json_text

if TYPE_CHECKING:
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
    """One table with the results of some runs and the files they wrote."""
    from spectrum_workflows.record import read_record

    table = Table(title="Results", show_lines=False)
    for column in ("run", "what", "value"):
        table.add_column(column, overflow="fold")
    for summary, folder in runs:
        table.add_section()
        title = f"{summary['name']} ({summary['workflow']})"
        if summary["partial"]:
            share = f"PARTIAL: {summary['fraction']:.4%} of the input"
            table.add_row(title, "completeness", f"[bold red]{share}[/bold red]")
        for failure in summary["failures"]:
            table.add_row("", "failed", escape(f"{failure['where']}: {failure['error']}"))
        shown = {k: v for k, v in summary.items() if k not in HIDDEN}
        for n, (key, value) in enumerate(_rows(shown)):
            table.add_row(title if n == 0 else "", key, escape(value))
        for warning in summary["warnings"]:
            table.add_row("", "note", escape(warning))
        table.add_row("", "digest", summary["digest"][:16] + "…")
        saved = read_record(folder)
        for line in saved.get("notes", ()):
            table.add_row("", "note", escape(line))
        for line in saved.get("lost", ()):
            table.add_row("", "not saved", f"[bold red]{escape(line)}[/bold red]")
        for name in (*(entry["name"] for entry in saved["objects"]), "record.json"):
            table.add_row("", "file", escape(storage.join(folder, name)))
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140).print(table)


def table(rows: list[dict[str, Any]], *, title: str) -> None:
    """Rows with the same keys, under their names."""
    shown = Table(title=title, title_justify="left")
    for column in rows[0] if rows else ():
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(_short(value)) for value in row.values()))
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140).print(shown)


def profile(name: str, values: dict[str, Any], origins: dict[str, str]) -> None:
    """A site profile as TOML, with the origin of every value as a comment."""
    lines = [(f"{key} = {json_module.dumps(value)}", key) for key, value in values.items()]
    width = min(60, max(len(line) for line, _ in lines))
    text(f"# site {name}")
    for line, key in lines:
        text(f"{line:<{width}}  # {origins.get(key, 'default')}")


def comparison(found: Comparison, *, json: bool) -> None:
    """A verdict, and the arrays that differ."""
    if json:
        pairs = {k: {"found": f, "allowed": a} for k, (f, a) in found.deviations.items()}
        as_json({"verdict": found.verdict, "deviations": pairs, "notes": list(found.notes)})
        return
    text(found.verdict)
    for line in found.notes:
        text(f"  note: {line}")
    for name, (have, allowed) in found.deviations.items():
        text(f"  {name}: differs by {have:.3g}, allowed {allowed:.3g}")


def _rows(summary: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested numbers as lines: a name, and what belongs together beside it."""
    out = []
    for key, value in summary.items():
        if isinstance(value, dict) and any(isinstance(v, dict) for v in value.values()):
            plain = {k: v for k, v in value.items() if not isinstance(v, dict)}
            out += _rows({key: plain} if plain else {}, prefix)
            out += _rows({k: v for k, v in value.items() if k not in plain}, f"{prefix}{key}.")
        elif isinstance(value, dict):
            out.append((prefix + key, _together(value)))
        else:
            out.append((prefix + key, _short(value)))
    return out


def _together(values: dict[str, Any]) -> str:
    """``a 1, b 2 ± 0.1``; ``b_error`` is shown with ``b``."""
    words = []
    for key, value in values.items():
        if key.removesuffix("_error") in values and key.endswith("_error"):
            continue
        error = values.get(f"{key}_error")
        words.append(f"{key} {_short(value)}" + (f" ± {error:.2g}" if error is not None else ""))
    return ", ".join(words)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
