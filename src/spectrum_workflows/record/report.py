"""The report of a saved run: one HTML file for a browser of any width, with nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from spectrum_workflows import display
from spectrum_workflows.accounting.accounts import HOUR, read_accounts
from spectrum_workflows.accounting.energy import JOULES_PER_WH
from spectrum_workflows.budget import words
from spectrum_workflows.credentials import all_hidden
from spectrum_workflows.record.writing import BEYOND_SUMMARY
from spectrum_workflows.traffic import unavoidable_of

REPORT = "report.html"
MOST = 2_500_000
"""Bytes of pictures, as text, that a report holds; those that do not fit are named."""
PHONE = 640
"""Width of the window, in CSS px, below which the narrow form of a chart is shown."""
SHOWN = 1000
"""Lines of a list that a report shows; of more, the rest is counted."""
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
td:nth-child(2):last-child{overflow-wrap:anywhere}
img{max-width:100%;height:auto}.bad{color:#a00000}li{overflow-wrap:anywhere}
"""


@dataclass(frozen=True)
class Chart:
    """A drawing in two forms, as SVG.

    Attributes
    ----------
    title, words : str
        What is above it, and what it says to somebody who does not see it.
    wide, narrow : bytes
        For a desktop and for a phone.
    """

    title: str
    words: str
    wide: bytes
    narrow: bytes


def report(
    record: Mapping[str, Any], pictures: Mapping[str, bytes], charts: Sequence[Chart] = ()
) -> str:
    """The report as HTML.

    Parameters
    ----------
    record : mapping
        Of a saved run.
    pictures : mapping of str to bytes
        PNG files by name.
    charts : sequence of Chart
        How the run went.
    """
    record = all_hidden(dict(record))
    title = escape(f"{record['name']} ({record['workflow']})")
    numbers = display.lines({k: v for k, v in record.items() if k not in BESIDE})
    problems = [_failure(one) for one in record["failures"]]
    lost = record.get("lost", ())
    asked = {key: value for key, value in record["spec"].items() if value not in (None, [], {}, "")}
    where = [
        ("started", record["started"]),
        ("workers at the beginning", str(record["workers"]) if record["workers"] else "none"),
        ("partitions", f"{len(record['plan']['partitions']):,}"),
        *_failures_and_retries(record),
        *display.lines(record["machine"]),
    ]
    drawn = "".join(map(_chart, charts))
    parts = [
        f"<h1>{title}</h1>",
        _notes("What is missing", [*problems, *lost], bad=True),
        _table("Result and cost", ("what", "value"), [*numbers, *_cpu_hours(record)]),
        _pictures(pictures, MOST - len(drawn)),
        drawn,
        _budget(record.get("budget", ())),
        _stages(record["stages"]),
        *_accounts(record.get("accounts")),
        _traffic(record.get("traffic")),
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


def _failure(one: Mapping[str, Any]) -> str:
    tries = one.get("attempts", 0)
    tried = f" (tried {tries} times)" if tries > 1 else ""
    return f"{one['where']}: {one['error']}{tried}"


def _failures_and_retries(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [("partitions and inputs that failed", f"{len(record['failures']):,}")]
    if "retries" in record:
        lines.append(("tries beyond the first", f"{record['retries']:,}"))
    return lines


def _cpu_hours(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """For a record without accounts, which say it."""
    seconds = record.get("cpu_seconds")
    if record.get("accounts") or not isinstance(seconds, int | float):
        return []
    return [("CPU-hours", f"{seconds / HOUR:.3g}")]


def _stages(stages: Sequence[Mapping[str, Any]]) -> str:
    """What every stage took beside what was expected of it."""
    rows = []
    for stage in stages:
        measured, expected = stage["measured"], stage["expected"] or {}
        rows += [
            (stage["name"], name, _amount(name, value), _amount(name, expected.get(name)))
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


def _amount(name: str, value: Any) -> str:
    """A number of a stage with its unit."""
    if value is None:
        return ""
    if name in ("memory", "bytes_moved"):
        return display.megabytes(value)
    return f"{value:.6g} s" if name == "cpu_seconds" else display.plain(value)


def _chart(chart: Chart) -> str:
    narrow, wide = (_inline(svg, "svg+xml") for svg in (chart.narrow, chart.wide))
    return (
        f"<h2>{escape(chart.title)}</h2><picture>"
        f'<source media="(max-width:{PHONE}px)" srcset="{narrow}">'
        f'<img alt="{escape(chart.words)}" src="{wide}"></picture><p>{escape(chart.words)}</p>'
    )


def _inline(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _traffic(traffic: Mapping[str, Any] | None) -> str:
    """What moved between sites beside what was planned, where several computed."""
    if not traffic:
        return ""
    head = ("from", "to", "planned", "measured", "by chance")
    kinds = ("planned", "measured", "by_chance")
    rows = [
        (flow["source"], flow["target"], *(display.megabytes(flow[kind]) for kind in kinds))
        for flow in traffic["bytes"]
    ]
    crossing = traffic["crossing"]
    sums = (display.megabytes(crossing[kind]) for kind in kinds)
    unavoidable = display.megabytes(unavoidable_of(crossing))
    least = f"between sites; {unavoidable} unavoidable as it is cut"
    lost = [f"{name} was lost: {reason}" for name, reason in traffic["lost"].items()]
    table = _table("Bytes between sites", head, [*rows, (least, "", *sums)])
    return table + _notes("Where it was computed", [traffic["method"], *lost])


def _budget(amounts: Sequence[Mapping[str, Any]]) -> str:
    """What was planned, what it took, and what is allowed."""
    rows = []
    for one in amounts:
        limit = words(one["allowed"], one["unit"]) if one["allowed"] is not None else "no limit"
        by = f"{limit} ({one['stated_by']})" if one["stated_by"] else limit
        fact = words(one["fact"], one["unit"]) if one["fact"] is not None else ""
        planned = words(one["planned"], one["unit"])
        most = f", at most {words(one['at_most'], one['unit'])}" if one["at_most"] else ""
        rows.append((one["quantity"], f"{planned}{most}", fact, by, one["basis"]))
    return _table("Plan and fact", ("of", "planned", "fact", "allowed", "forecast from"), rows)


def _pictures(pictures: Mapping[str, bytes], most: int) -> str:
    shown, left, size = list[str](), list[str](), 0
    for name, data in pictures.items():
        text = _inline(data, "png")
        size += len(text)
        if size > most:
            left.append(f"{name} is in the run's folder")
            continue
        shown.append(f'<p><img alt="{escape(name)}" src="{text}"></p>')
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
    listed = "".join(f"<li>{escape(line)}</li>" for line in display.limited(lines, SHOWN))
    return f"<h2>{escape(title)}</h2><ul{' class=bad' if bad else ''}>{listed}</ul>"
