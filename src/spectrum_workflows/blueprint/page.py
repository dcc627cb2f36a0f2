"""The map as a page, and as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spectrum_workflows.blueprint.areas import Blueprint, Entry, Figure
from spectrum_workflows.errors import DataError
from spectrum_workflows.projection.quantity import digits

Evidence = Mapping[str, Mapping[str, Any]]
"""What the files of evidence hold, by name."""

NOT_MEASURED = "not measured on the present tree"
NO_FIGURE = "no figure: nothing of it is measured in `docs/evidence`"

OPENING = """\
# The blueprint, and where it runs here

[SPECTRUM](https://www.spectrumproject.eu/) ended in June 2026 with a
[technical blueprint](https://www.spectrumproject.eu/technical-blueprint/) of eight capability
areas, and a strategic agenda, [SRIDA](https://www.spectrumproject.eu/srida/). For each area: what
runs in this repository, the command that shows it, a measured figure from
[evidence](evidence.md), and what is missing. `spectrum blueprint` prints the same; figures are
read from the files of evidence, none is typed.
"""

PHASES = """\
# The agenda's phases

SRIDA's page names three phases of its implementation. Most of what they ask for is organisation,
which software cannot show; what it can is here.
"""


def page(blueprint: Blueprint, evidence: Evidence) -> str:
    """The map as Markdown.

    Parameters
    ----------
    blueprint : Blueprint
    evidence : mapping
        Files of evidence by name.
    """
    parts = [OPENING, *(_section(area, evidence) for area in blueprint.areas)]
    parts += ["#" + PHASES, *(_section(phase, evidence, level="###") for phase in blueprint.phases)]
    return "\n".join([*parts, blueprint.unknown.strip(), ""])


def _section(entry: Entry, evidence: Evidence, level: str = "##") -> str:
    asks = [f"*{entry.asks.strip()}*", ""] if entry.asks else []
    figures = [f"* {line}" for line in figures_of(entry, evidence)]
    pages = ", ".join(
        f"[{name.rpartition('/')[2].removesuffix('.md')}]({name})" for name in entry.pages
    )
    return "\n".join(
        [
            f"{level} {entry.name}",
            "",
            *asks,
            entry.here.strip(),
            "",
            "```sh",
            *entry.commands,
            "```",
            "",
            *figures,
            "",
            f"**Missing:** {entry.missing.strip()} Read: {pages}.",
            "",
        ]
    )


def lines(blueprint: Blueprint, evidence: Evidence) -> Iterator[str]:
    """The map for a terminal: areas, then phases."""
    for entry in (*blueprint.areas, *blueprint.phases):
        yield entry.name
        yield f"  here      {' '.join(entry.here.split())}"
        yield from (f"  try       {command}" for command in entry.commands)
        yield from (f"  measured  {line}" for line in figures_of(entry, evidence))
        yield f"  missing   {' '.join(entry.missing.split())}"
        yield ""
    yield " ".join(blueprint.unknown.split())


def figures_of(entry: Entry, evidence: Evidence) -> list[str]:
    """Figures of an area in words; that there is none, where there is none."""
    return [_figure(figure, evidence) for figure in entry.figures] or [NO_FIGURE]


def summary(blueprint: Blueprint, evidence: Evidence) -> dict[str, Any]:
    """The map for JSON, with what its figures are now."""

    def of(entry: Entry) -> dict[str, Any]:
        return entry.model_dump(mode="json") | {"measured": figures_of(entry, evidence)}

    return {
        "areas": [of(area) for area in blueprint.areas],
        "phases": [of(phase) for phase in blueprint.phases],
        "unknown": blueprint.unknown,
    }


def shown_of(blueprint: Blueprint, evidence: Evidence) -> dict[str, dict[str, Any]]:
    """Of the files of evidence, what figures of the map are made of.

    Parameters
    ----------
    blueprint : Blueprint
    evidence : mapping
        Whole files by name; those that are absent stay so.
    """
    shown: dict[str, dict[str, Any]] = {}
    figures = [f for entry in (*blueprint.areas, *blueprint.phases) for f in entry.figures]
    for figure in (f for f in figures if f.file in evidence):
        told = evidence[figure.file]
        kept = shown.setdefault(figure.file, {"date": told["date"]})
        if figure.rows is not None:
            key = figure.rows[0]
            kept["rows"] = [{key: row[key]} for row in told["rows"]]
            continue
        kept["bars_are"] = told["bars_are"]
        for table in ("ratios", "bars"):
            same = {name: v for name, v in told[table].items() if name == figure.ratio}
            kept[table] = kept.get(table, {}) | same
    return shown


def _figure(figure: Figure, evidence: Evidence) -> str:
    told = evidence.get(figure.file)
    if told is None:
        return f"{figure.quantity}: {NOT_MEASURED}"
    if figure.rows is not None:
        key, value = figure.rows
        rows = [row for row in told.get("rows", ()) if key in row]
        count = sum(str(row[key]) == value for row in rows)
        return f"{figure.quantity}: {count} of {len(rows)} ({told['date']})"
    try:
        measured = digits(told["ratios"][figure.ratio])
    except KeyError:
        raise DataError(f"it has no ratio {figure.ratio!r}", figure.file) from None
    bar = told.get("bars", {}).get(figure.ratio)
    beside = f", bar {told['bars_are']} {bar:g}" if bar is not None else ""
    return f"{figure.quantity}: {measured}{beside} ({told['date']})"
