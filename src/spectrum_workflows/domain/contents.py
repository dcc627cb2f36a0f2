"""The contents of a data set or file, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spectrum_workflows import display

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Table:
    """Things of one kind.

    Attributes
    ----------
    name : str
        What they are called in JSON.
    head : tuple of str
        Titles of the columns, with units.
    cells : sequence of tuple of str
        What a person reads.
    records : sequence of dict
        The same, JSON-ready, with units in the names.
    """

    name: str
    head: tuple[str, ...]
    cells: Sequence[tuple[str, ...]]
    records: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Contents:
    """What is in a data set or file.

    Attributes
    ----------
    title : str
    lines : sequence of (str, str)
        Names and values for a person, units in the names.
    numbers : mapping
        The same, JSON-ready.
    tables : sequence of Table
    notes : sequence of str
        What a user should know.
    plot : callable, optional
        ``plot()``: a figure of it.
    """

    title: str
    lines: Sequence[tuple[str, str]]
    numbers: Mapping[str, Any]
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    plot: Callable[[], Figure] | None = None

    @property
    def json(self) -> dict[str, Any]:
        """Everything but the plot, JSON-ready."""
        tables = {table.name: list(table.records) for table in self.tables}
        return {**self.numbers, **tables, "notes": list(self.notes)}

    def _repr_html_(self) -> str:
        """All of it, for a notebook."""
        grids = [f"<b>{each.name}</b>{display.grid(each.head, each.cells)}" for each in self.tables]
        return display.card(self.title, self.lines, notes=self.notes, table="".join(grids))


@dataclass(frozen=True)
class Inspector:
    """What a science shows of its data.

    Attributes
    ----------
    kinds : tuple of str
        What it can show, in words.
    recognises : callable
        ``recognises(url)``: whether that is data of its own.
    look : callable
        ``look(url)``: its `Contents`.
    """

    kinds: tuple[str, ...]
    recognises: Callable[[str], bool]
    look: Callable[[str], Contents] = field(repr=False)
