"""Display of objects: numbers as lines of text, small tables of HTML for notebooks.

Nothing here knows what it shows; objects give their own title and rows.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

MOST_ROWS = 40
"""Rows of a table that are shown; of more, the rest is counted."""
LONGEST = 300
"""Characters of a cell that are shown."""
MOST_OF_ONE_PASS = 1.5
"""A larger share of the data was read in several passes."""


def shortened(value: str, longest: int = LONGEST) -> str:
    """The beginning of a long text, with an ellipsis.

    >>> shortened("abcdef", 4)
    'abc…'
    """
    return value if len(value) <= longest else value[: longest - 1] + "…"


def limited(lines: Sequence[str], most: int = MOST_ROWS) -> list[str]:
    """The first lines of many, and how many are left out.

    >>> limited(["a", "b", "c"], 2)
    ['a', 'b', '… and 1 more']
    """
    more = len(lines) - most
    return [*lines[:most], f"… and {more:,} more"] if more > 0 else list(lines)


def card(
    title: str,
    rows: Iterable[tuple[str, str]],
    *,
    notes: Sequence[str] = (),
    table: str = "",
    webp: bytes = b"",
) -> str:
    """A title, a table of two columns, and what goes below it.

    Parameters
    ----------
    title : str
    rows : iterable of (str, str)
        Name and value; a value that is a link to http or https can be followed.
    notes : sequence of str
        Each on a line of its own below.
    table : str
        HTML of a further table; see `grid`.
    webp : bytes
        A small picture beside the rows.
    """
    body = "".join(_row(name, value) for name, value in rows)
    parts = [f"<b>{escape(shortened(title))}</b>", f"<table>{body}</table>" if body else "", table]
    parts += [f"<div>⚠ {escape(shortened(note))}</div>" for note in limited(notes, 10)]
    if webp:
        data = base64.b64encode(webp).decode()
        parts.append(f'<img alt="{escape(title)}" src="data:image/webp;base64,{data}">')
    return f"<div>{''.join(parts)}</div>"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a head; of many rows the first."""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = ["".join(f"<td>{escape(shortened(cell))}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines[:MOST_ROWS])
    more = len(lines) - MOST_ROWS
    rest = f"<tr><td colspan={len(head)}>… and {more:,} more</td></tr>" if more > 0 else ""
    return f"<table><tr>{titles}</tr>{body}{rest}</table>"


def _row(name: str, value: str) -> str:
    shown = escape(shortened(value))
    if value.startswith(("http://", "https://", "/")) and value.endswith("/status"):
        shown = f'<a href="{escape(value, quote=True)}" target="_blank">{shown}</a>'
    left = "text-align:left"
    return f'<tr><th style="{left}">{escape(name)}</th><td style="{left}">{shown}</td></tr>'


def thumbnail(figure: Any, *, most: int = 11_000, method: int = 6) -> bytes:
    """A small WebP of a matplotlib figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    most : int
        Bytes it may have; what stays larger however small it is drawn is left out.
    method : int
        Effort of the compression, from 0 (fast) to 6 (small).
    """
    for width in (760, 620, 480, 360):
        file = io.BytesIO()
        dpi = width / figure.get_size_inches()[0]
        figure.savefig(file, format="webp", dpi=dpi, pil_kwargs={"quality": 60, "method": method})
        if file.tell() <= most:
            return file.getvalue()
    return b""


def lines(summary: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested numbers as lines: a name, and what belongs together beside it.

    >>> lines({"fit": {"z": {"mass": 91.18, "mass_error": 0.021}}, "seconds": 1.0})
    [('fit.z', 'mass 91.180 ± 0.021'), ('seconds', '1 s')]
    """
    out = []
    for key, value in summary.items():
        if isinstance(value, dict) and any(isinstance(v, dict) for v in value.values()):
            plain = {k: v for k, v in value.items() if not isinstance(v, dict)}
            out += lines({key: plain} if plain else {}, prefix)
            out += lines({k: v for k, v in value.items() if k not in plain}, f"{prefix}{key}.")
        elif isinstance(value, dict):
            out.append((prefix + key, _together(value)))
        else:
            out.append((prefix + key, _with_unit(key, value)))
    return out


def _with_unit(key: str, value: Any) -> str:
    """A number of the summary with the unit that its key names."""
    if key.startswith("bytes") or key.endswith("bytes"):
        return megabytes(value)
    if key.endswith("seconds"):
        return f"{value:.3g} s"
    if key.startswith("share"):
        return f"{value:.1f} times" if value > MOST_OF_ONE_PASS else f"{value:.1%}"
    return plain(value)


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 partition``, ``2,000 partitions``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def megabytes(size: float) -> str:
    """A size with one digit behind the point below 10 MB, in kB where that would be nothing."""
    if 0 < size < 1e5:
        return f"{size / 1e3:,.1f} kB"
    return f"{size / 1e6:,.{1 if size < 1e7 else 0}f} MB"


def _together(values: dict[str, Any]) -> str:
    """``a 1, b 2 ± 0.1``; ``b_error`` is shown with ``b``."""
    words = []
    for key, value in values.items():
        if key.removesuffix("_error") in values and key.endswith("_error"):
            continue
        error = values.get(f"{key}_error")
        words.append(f"{key} {plain(value) if error is None else _measured(value, error)}")
    return ", ".join(words)


def _measured(value: float, error: float) -> str:
    """A value with its error, both to the error's second digit: ``91.1717 ± 0.0084``."""
    if not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return f"{plain(value)} ± {error:.2g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def plain(value: Any) -> str:
    """A number or word as it is read."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
