"""What the command line shows."""

from __future__ import annotations

import json as json_module
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from spectrum_workflows import storage

if TYPE_CHECKING:
    from spectrum_workflows.record import Comparison

HIDDEN = {"workflow", "name", "digest", "failures", "partial", "fraction"}


def text(line: str) -> None:
    """One plain line on standard output."""
    sys.stdout.write(line + "\n")


def note(line: str, *, quiet: bool = False) -> None:
    """One line about progress, on standard error."""
    if not quiet:
        sys.stderr.write(line + "\n")


def error(message: str) -> None:
    """One line about what went wrong, on standard error."""
    sys.stderr.write("spectrum: " + " ".join(message.split()) + "\n")


def as_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    text(json_module.dumps(value, indent=1))


def outcomes(runs: list[tuple[dict[str, Any], str]]) -> None:
    """One table with the results of some runs and the files they wrote."""
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
            table.add_row("", "failed", f"{failure['where']}: {failure['error']}")
        rows = [(k, v) for k, v in summary.items() if k not in HIDDEN]
        for n, (key, value) in enumerate(_flat(rows)):
            table.add_row(title if n == 0 else "", key, value)
        table.add_row("", "digest", summary["digest"][:16] + "…")
        for name in _written(folder):
            table.add_row("", "file", storage.join(folder, name))
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140).print(table)


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


def _flat(rows: list[tuple[str, Any]], prefix: str = "") -> list[tuple[str, str]]:
    """Nested numbers as ``key.key`` and a short text each."""
    out = []
    for key, value in rows:
        if isinstance(value, dict):
            out += _flat(list(value.items()), f"{prefix}{key}.")
        elif isinstance(value, float):
            out.append((prefix + key, f"{value:.6g}"))
        elif isinstance(value, int) and not isinstance(value, bool):
            out.append((prefix + key, f"{value:,}"))
        else:
            out.append((prefix + key, str(value)))
    return out


def _written(folder: str) -> list[str]:
    from spectrum_workflows.record import read_record

    return [entry["name"] for entry in read_record(folder)["objects"]] + ["record.json"]
