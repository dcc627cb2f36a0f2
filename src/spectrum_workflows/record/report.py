"""The report of a saved run: one HTML file for a browser of any width, with nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from spectrum_workflows import display, storage
from spectrum_workflows.accounting.accounts import HOUR, read_accounts
from spectrum_workflows.accounting.energy import JOULES_PER_WH
from spectrum_workflows.credentials import all_hidden
from spectrum_workflows.record.writing import BEYOND_SUMMARY, read_record

REPORT = "report.html"
MOST = 2_500_000
"""Bytes of pictures, as text, that a report holds; those that do not fit are named."""
BESIDE = {"failures", "warnings", "workflow", "name", *BEYOND_SUMMARY}
"""Keys of a record that do not stand in the table of numbers."""
STYLE = """
body{font:16px/1.45 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0 auto;
max-width:60rem;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #ccc}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid #e4e4e4;
overflow-wrap:anywhere}
th{font-weight:600}td:first-child{min-width:7em}th,td+td{overflow-wrap:break-word}
img{max-width:100%;height:auto}.bad{color:#a00000}
"""


def write_report(folder: str) -> str:
    """Write ``report.html`` into the folder of a saved run, and give its URL.

    Raises
    ------
    DataNotFoundError
        There is no finished run in the folder.
    OutputError
        The folder cannot be written to.
    """
    record = read_record(folder)
    names = [entry["name"] for entry in record["objects"] if entry["name"].endswith(".png")]
    pictures = {name: storage.read_bytes(storage.join(folder, name)) for name in names}
    url = storage.join(folder, REPORT)
    storage.write_bytes(url, report(record, pictures).encode())
    return url


def report(record: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The report as HTML.

    Parameters
    ----------
    record : mapping
        Of a saved run.
    pictures : mapping of str to bytes
        PNG files by name.
    """
    record = all_hidden(dict(record))
    title = escape(f"{record['name']} ({record['workflow']})")
    numbers = display.lines({k: v for k, v in record.items() if k not in BESIDE})
    problems = [f"{one['where']}: {one['error']}" for one in record["failures"]]
    lost = record.get("lost", ())
    asked = {key: value for key, value in record["spec"].items() if value not in (None, [], {}, "")}
    where = [
        ("started", record["started"]),
        ("workers at the beginning", str(record["workers"]) if record["workers"] else "none"),
        ("partitions", f"{len(record['plan']['partitions']):,}"),
        *display.lines(record["machine"]),
    ]
    parts = [
        f"<h1>{title}</h1>",
        _notes("What is missing", [*problems, *lost], bad=True),
        _table("Result and cost", ("what", "value"), numbers),
        _pictures(pictures),
        _stages(record["stages"]),
        *_accounts(record.get("accounts")),
        _notes("Notes", [*record["warnings"], *record.get("notes", ())]),
        _table("Where it ran", ("what", "value"), where),
        _table("What was asked", ("key", "value"), display.lines(asked)),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{title}</title><link rel="icon" href="data:,"><style>{STYLE}</style>'
    )
    body = "\n".join(part for part in parts if part)
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _stages(stages: Sequence[Mapping[str, Any]]) -> str:
    """What every stage took beside what was expected of it."""
    rows = []
    for stage in stages:
        measured, expected = stage["measured"], stage["expected"] or {}
        rows += [
            (stage["name"], name, display.plain(value), display.plain(expected.get(name, "")))
            for name, value in measured.items()
        ]
    return _table("Forecast and fact", ("stage", "of", "measured", "expected"), rows)


def _accounts(table: Mapping[str, Any] | None) -> Sequence[str]:
    """What the run has used, of it all and by stage."""
    if not table:
        return ()
    accounts = read_accounts(table)
    carbon = accounts.carbon
    rows = [
        ("CPU hours", f"{accounts.cpu_seconds / HOUR:.4g}"),
        ("nodes, processors", f"{accounts.nodes}, {accounts.processors}"),
        ("energy", accounts.line),
        ("PUE", f"{accounts.pue:g}, in the energy" if accounts.pue else "not stated, not in it"),
        *((f"read from {store}", display.megabytes(read)) for store, read in accounts.stores),
    ]
    if carbon is not None:
        stated = carbon.intensity
        per_kwh = f"{stated.grams_per_kwh:g} g/kWh, {stated.source}, {stated.date}"
        rows.append(("carbon", f"{carbon.low:.3g} to {carbon.high:.3g} g CO2e, at {per_kwh}"))
    if accounts.jobs:
        rows.append(("batch jobs", ", ".join(accounts.jobs)))
    stages = [
        (
            stage.name,
            f"{stage.cpu_seconds / HOUR:.4g}",
            ", ".join(f"{display.megabytes(read)} from {store}" for store, read in stage.stores),
            f"{stage.energy.joules / JOULES_PER_WH:.3g}",
        )
        for stage in accounts.stages
    ]
    head = ("stage", "CPU hours", "read", "energy, Wh")
    return (
        _table("Energy and accounts", ("what", "value"), rows),
        _table("Accounts by stage", head, stages),
    )


def _pictures(pictures: Mapping[str, bytes]) -> str:
    shown, left, size = list[str](), list[str](), 0
    for name, data in pictures.items():
        text = base64.b64encode(data).decode()
        size += len(text)
        if size > MOST:
            left.append(f"{name} is in the run's folder")
            continue
        shown.append(f'<p><img alt="{escape(name)}" src="data:image/png;base64,{text}"></p>')
    return ("<h2>Pictures</h2>" + "".join(shown) if shown else "") + _notes("Not shown", left)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<h2>{escape(title)}</h2><div class="wide"><table><tr>{top}</tr>{lines}</table></div>'


def _notes(title: str, lines: Sequence[str], *, bad: bool = False) -> str:
    if not lines:
        return ""
    listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{escape(title)}</h2><ul{' class=bad' if bad else ''}>{listed}</ul>"
